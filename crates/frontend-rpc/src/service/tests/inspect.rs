//! What is told of DBMs and of the server.

use super::*;

fn value<'a>(rows: &'a [StringPair], name: &str) -> &'a str {
    let row = rows.iter().find(|row| row.first == name);
    row.map_or_else(|| panic!("{name} is among {rows:?}"), |row| &row.second)
}

async fn inspect(client: &mut Client, dbm_index: i32) -> Vec<StringPair> {
    let response = client.inspect(InspectRequest { dbm_index }).await.expect("a call");
    let response = response.into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
    response.records
}

#[tokio::test]
async fn a_dbm_tells_what_it_is() {
    let mut f = Fixture::new();
    for (dbm, [class, backend]) in
        BOTH.into_iter().zip([["TreeDBM", "memory"], ["HashDBM", "hashdbm"]])
    {
        set(&mut f.client, dbm, "k", "v").await;
        let rows = inspect(&mut f.client, dbm).await;
        assert_eq!(rows[0], StringPair { first: "class".into(), second: class.into() });
        assert_eq!(rows[1], StringPair { first: "backend".into(), second: backend.into() });
        for (name, expected) in [
            ("healthy", "true"),
            ("num_records", "1"),
            ("name", ["ordered", "unordered"][dbm as usize]),
            ("ordered", ["true", "false"][dbm as usize]),
            ("durability", "sequenced"),
        ] {
            assert_eq!(value(&rows, name), expected);
        }
        assert!(value(&rows, "file_size").parse::<i64>().is_ok());
    }
    let status = f.client.inspect(InspectRequest { dbm_index: 2 }).await.expect_err("no DBM");
    assert_eq!(status.message(), "dbm_index is out of range");
}

#[tokio::test]
async fn the_server_tells_of_itself_and_its_dbms() {
    let mut f = Fixture::new();
    set(&mut f.client, UNORDERED, "k", "v").await;
    for index in [-1, i32::MIN] {
        let rows = inspect(&mut f.client, index).await;
        let names: Vec<&str> = rows.iter().map(|row| &row.first[..]).collect();
        let dbms =
            (0..2).flat_map(|i| ["name", "path", "count", "class"].map(|n| format!("dbm_{i}_{n}")));
        let mut expected: Vec<String> =
            ["version", "process_id", "num_dbms"].map(Into::into).into();
        expected.extend(dbms);
        expected.extend(
            [
                "memory_usage",
                "memory_capacity",
                "repl_max_timestamp",
                "num_active_calls",
                "current_time",
                "running_time",
            ]
            .map(Into::into),
        );
        assert_eq!(names, expected);
        assert_eq!(value(&rows, "num_dbms"), "2");
        assert_eq!(value(&rows, "repl_max_timestamp"), "0");
        assert_eq!(value(&rows, "dbm_1_count"), "1");
        assert_eq!(value(&rows, "current_time"), "1795306391.123");
        assert_eq!(value(&rows, "num_active_calls"), "1", "this one");
        let running = value(&rows, "running_time").split_once('.').expect("a point");
        assert_eq!(running.1.len(), 3);
    }
}

#[tokio::test]
async fn a_server_with_replication_tells_of_it() {
    let log = Log::new();
    log.add(1_700_000_000_123, super::replicator::records([]));
    let mut f = Fixture::replicating(Options::default(), Some(&log));
    let rows = inspect(&mut f.client, -1).await;
    let tells = |rows: &[StringPair]| {
        ["repl_max_timestamp", "repl_server_id", "repl_role", "repl_epoch"]
            .map(|name| value(rows, name).to_owned())
    };
    assert_eq!(tells(&rows), ["0", "1", "master", "3"]);
    log.change(|state| state.follows = Some(super::replication::source()));
    let rows = inspect(&mut f.client, -1).await;
    assert_eq!(tells(&rows), ["1700000000123", "1", "follower", "3"]);
}
