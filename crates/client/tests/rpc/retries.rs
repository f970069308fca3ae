//! Which calls are sent again, and which never.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hozo_client::{Client, Dbm, Desired, ErrorKind, Expected, Result};
use hozo_proto::hozo_v1::StatusResponse;
use hozo_traits::{Ambient, SystemAmbient, Timestamp};
use prost::Message;

use crate::run;
use crate::scripted::{Act, Scripted};

type Done = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A call, and whether it is sent again when the server may have done it.
struct Row {
    rpc: &'static str,
    again: bool,
    call: fn(Dbm) -> Done,
}

macro_rules! rows {
    ($($rpc:literal $again:literal |$dbm:ident| $call:expr;)*) => {
        [$(Row {
            rpc: $rpc,
            again: $again,
            call: |$dbm| Box::pin(async move { $call.await.map(drop) }),
        }),*]
    };
}

const KEY: Bytes = Bytes::from_static(b"key");

/// The table of the documentation.
#[rustfmt::skip]
fn table() -> [Row; 33] {
    rows! {
        "Echo" true |dbm| dbm.client().echo("hello");
        "Inspect" true |dbm| dbm.inspect();
        "Get" true |dbm| dbm.get("key");
        "GetMulti" true |dbm| dbm.get_many(["key"]);
        "Set" false |dbm| dbm.set("key", "value", true);
        "Set" false |dbm| dbm.set("key", "value", false);
        "SetMulti" false |dbm| dbm.set_many([("key", "value")], true);
        "SetMulti" false |dbm| dbm.set_many([("key", "value")], false);
        "Remove" false |dbm| dbm.remove("key");
        "RemoveMulti" false |dbm| dbm.remove_many(["key"]);
        "Append" false |dbm| dbm.append("key", "value", ",");
        "AppendMulti" false |dbm| dbm.append_many([("key", "value")], ",");
        "CompareExchange" false |dbm| dbm.compare_exchange("key", Expected::Any, Desired::Remove);
        "CompareExchange" false |dbm| dbm.compare_exchange("key", Expected::Any, Desired::Unchanged);
        "Increment" false |dbm| dbm.increment("key", 1, 0);
        "CompareExchangeMulti" false
            |dbm| dbm.compare_exchange_many([(KEY, Expected::Any)], [(KEY, None)]);
        "Rekey" false |dbm| dbm.rekey("old", "new", true, false);
        "PopFirst" false |dbm| dbm.pop_first(None);
        "PushLast" false |dbm| dbm.push_last("value", None, false);
        "Count" true |dbm| dbm.count();
        "GetFileSize" true |dbm| dbm.file_size();
        "Clear" false |dbm| dbm.clear();
        "Rebuild" false |dbm| dbm.rebuild(&[]);
        "ShouldBeRebuilt" true |dbm| dbm.should_be_rebuilt();
        "Synchronize" true |dbm| dbm.synchronise(true, &[]);
        "Synchronize" false |dbm| dbm.synchronise(true, &[("make_backup", "")]);
        "Search" true |dbm| dbm.search("begin", "k", None);
        "Status" true |dbm| dbm.client().replication_status();
        "Conflicts" true |dbm| dbm.client().conflicts(10);
        "ChangeSource" false |dbm| dbm.client().follow("db2:1978", 0);
        "ChangeSource" false |dbm| dbm.client().unfollow();
        "Promote" false |dbm| dbm.client().promote();
        "Prune" false |dbm| dbm.client().prune(Timestamp::default());
    }
}

/// The answer to a call that went well. Only a status cannot be empty.
fn well(path: &str) -> Act {
    let status = StatusResponse { server: 1, ..StatusResponse::default() };
    match path.ends_with("/Status") {
        true => Act::Echo(1, status.encode_to_vec().into()),
        false => Act::Answer,
    }
}

/// Calls each row of the table on a server where its first call goes wrong like
/// this, and hands on how often it came and what it came to.
async fn each(first: Act, judge: impl Fn(&Row, usize, Result<()>)) {
    for row in table() {
        let first = first.clone();
        let script = move |path: &str, before| if before == 0 { first.clone() } else { well(path) };
        let server = Scripted::start(script).await;
        let client = Client::builder(server.url()).lazy().expect("an address");
        let done = (row.call)(client.dbm(0)).await;
        judge(&row, server.count(row.rpc), done);
    }
}

#[test]
fn a_call_whose_connection_drops_is_sent_again_if_that_changes_nothing() {
    run(each(Act::Drop, |row, count, done| match (row.again, done) {
        (true, Ok(())) => assert_eq!(count, 2, "{}", row.rpc),
        (false, Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{}: {error}", row.rpc);
            assert_eq!(count, 1, "{}", row.rpc);
        }
        (again, done) => panic!("{} (again {again}): {done:?}", row.rpc),
    }));
}

#[test]
fn a_call_answered_unavailable_is_sent_again_if_that_changes_nothing() {
    run(each(Act::Fail(14, "stopping"), |row, count, done| match (row.again, done) {
        (true, Ok(())) => assert_eq!(count, 2, "{}", row.rpc),
        (false, Err(error)) => {
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "stopping"));
            assert_eq!(count, 1, "{}", row.rpc);
        }
        (again, done) => panic!("{} (again {again}): {done:?}", row.rpc),
    }));
}

#[test]
fn a_call_that_failed_otherwise_is_never_sent_again() {
    run(each(Act::Fail(13, "a defect"), |row, count, done| {
        assert_eq!(count, 1, "{}", row.rpc);
        let error = done.expect_err(row.rpc);
        assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "a defect"));
    }));
}

#[test]
fn a_call_that_was_refused_unseen_is_always_sent_again() {
    run(each(Act::Refuse, |row, count, done| {
        done.unwrap_or_else(|error| panic!("{}: {error}", row.rpc));
        assert_eq!(count, 2, "{}", row.rpc);
    }));
}

/// Lets a server appear at the moment of the first wait between two tries.
struct AppearsLate {
    path: PathBuf,
    server: Arc<OnceLock<Scripted>>,
}

impl Ambient for AppearsLate {
    fn now(&self) -> Timestamp {
        SystemAmbient.now()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.server.get_or_init(|| Scripted::at(&self.path, |path, _| well(path)));
    }
}

#[test]
fn a_call_that_found_nobody_is_always_sent_again() {
    run(async {
        for row in table() {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("dbm.sock");
            let server = Arc::new(OnceLock::new());
            let ambient = AppearsLate { path: path.clone(), server: server.clone() };
            let builder = Client::builder(format!("unix:{}", path.display()));
            let client = builder.ambient(Arc::new(ambient)).lazy().expect("an address");
            let done = (row.call)(client.dbm(0)).await;
            done.unwrap_or_else(|error| panic!("{}: {error}", row.rpc));
            assert_eq!(server.get().expect("it listens").count(row.rpc), 1, "{}", row.rpc);
        }
    });
}

#[test]
fn who_is_not_there_is_an_error_that_names_the_address() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let address = format!("unix:{}", directory.path().join("dbm.sock").display());
        let error = Client::builder(&address).retries(1).connect().await.expect_err("nobody");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("cannot connect"), "{error}");
        assert!(error.to_string().contains(&address), "{error}");
    });
}

#[test]
fn tries_are_bounded() {
    run(async {
        let server = Scripted::start(|_, _| Act::Fail(14, "never")).await;
        for retries in [0, 2] {
            let before = server.count("Get");
            let client = Client::builder(server.url()).retries(retries).lazy();
            let error = client.expect("an address").dbm(0).get("key").await.expect_err("never");
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "never"));
            assert_eq!(server.count("Get") - before, 1 + retries as usize);
        }
    });
}

#[test]
fn nobody_is_waited_for_longer_than_a_call_may_take() {
    run(async {
        let server = Scripted::start(|_, _| Act::Silence).await;
        let client = Client::builder(server.url()).lazy().expect("an address");
        let dbm = client.dbm(0).with_timeout(Duration::from_millis(20));
        let error = dbm.get("key").await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        // The server was told how long it has, and it was not asked twice.
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].headers["grpc-timeout"], "20000u");
    });
}

#[test]
fn the_client_connects_again_after_a_connection_dropped() {
    run(async {
        let script = |_: &str, before| if before == 1 { Act::Drop } else { Act::Answer };
        let server = Scripted::start(script).await;
        let client = Client::connect(server.url()).await.expect("it answers");
        let dbm = client.dbm(0);
        dbm.remove("key").await.expect("the first");
        let error = dbm.remove("key").await.expect_err("the second");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        dbm.remove("key").await.expect("the third, over another connection");
        assert_eq!(server.count("Remove"), 3);
    });
}
