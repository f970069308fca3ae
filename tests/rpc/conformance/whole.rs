//! Calls about a whole DBM, or the whole server.

use hozo_proto::StatusCode::{
    self, InvalidArgumentError, NotImplementedError, PreconditionError, Success,
};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("count_follows_each_update", count),
    Clause::new("clear_leaves_nothing", clear),
    Clause::new("file_size_is_answered", file_size),
    Clause::new("rebuild_keeps_every_record", rebuild),
    Clause::new("rebuild_knows_its_parameters", rebuild_parameters),
    Clause::new("synchronise_both_ways", synchronise),
    Clause::new("a_dbm_tells_its_properties", inspect),
    Clause::new("a_server_tells_its_properties", inspect_server),
    Clause::new("what_needs_replication_says_so", replication).ours(),
];

fn count(kit: &Kit) {
    for n in 1..=100 {
        kit.put(n.to_string(), "");
        assert_eq!(kit.counted(), n);
        kit.put(n.to_string(), "again");
        assert_eq!(kit.counted(), n);
    }
}

fn clear(kit: &Kit) {
    for n in 0..300 {
        kit.put(n.to_string(), "value");
    }
    let request = ClearRequest { dbm_index: kit.index };
    for _ in 0..2 {
        assert_eq!(code(&kit.clear(request).expect("answered").status), Success);
        assert_eq!((kit.counted(), kit.listed()), (0, vec![]));
        assert_eq!(kit.value("7"), None);
    }
    kit.put("7", "back");
    assert_eq!(kit.counted(), 1);
}

fn file_size(kit: &Kit) {
    kit.put("key", "value");
    let records = inspected(kit, kit.index);
    let has_file = records.iter().any(|(name, value)| name == "path" && !value.is_empty());
    let answer = kit.get_file_size(GetFileSizeRequest { dbm_index: kit.index }).expect("answered");
    if has_file {
        assert_eq!(code(&answer.status), Success);
        assert!(answer.file_size >= 0, "{answer:?}");
    } else {
        // Everything else is answered by such a DBM.
        assert_eq!((code(&answer.status), answer.file_size), (PreconditionError, 0));
        assert_eq!(kit.counted(), 1);
    }
}

fn rebuild_with(kit: &Kit, params: Vec<StringPair>) -> (StatusCode, String) {
    let answer = kit.rebuild(RebuildRequest { dbm_index: kit.index, params }).expect("answered");
    (code(&answer.status), answer.status.unwrap_or_default().message)
}

fn rebuild(kit: &Kit) {
    for n in 0..300 {
        kit.put(n.to_string(), vec![b'x'; n]);
    }
    for n in 0..300 {
        kit.put((n % 150).to_string(), "short");
    }
    let before = kit.contents();
    let answer = kit.should_be_rebuilt(ShouldBeRebuiltRequest { dbm_index: kit.index });
    assert_eq!(code(&answer.expect("answered").status), Success);
    assert_eq!(rebuild_with(kit, vec![]).0, Success);
    assert_eq!(kit.contents(), before);
}

fn rebuild_parameters(kit: &Kit) {
    let unknown = StringPair { first: "num_bukets".into(), second: "7".into() };
    let (status, message) = rebuild_with(kit, vec![unknown]);
    assert_eq!(status, InvalidArgumentError, "{message}");
    assert!(message.contains("num_bukets"), "{message}");
    let known = StringPair { first: "num_buckets".into(), second: "1000".into() };
    kit.put("key", "value");
    let (status, message) = rebuild_with(kit, vec![known]);
    assert!(status == Success || message.contains("num_buckets"), "{status}: {message}");
    assert_eq!(kit.value("key"), Some(b("value")));
}

fn synchronise(kit: &Kit) {
    kit.put("key", "value");
    for hard in [false, true] {
        let request = SynchronizeRequest { dbm_index: kit.index, hard, params: vec![] };
        assert_eq!(code(&kit.synchronize(request).expect("answered").status), Success);
    }
    assert_eq!(kit.value("key"), Some(b("value")));
}

fn inspected(kit: &Kit, dbm_index: i32) -> Vec<(String, String)> {
    let answer = kit.inspect(InspectRequest { dbm_index }).expect("answered");
    assert_eq!(code(&answer.status), Success);
    answer.records.into_iter().map(|record| (record.first, record.second)).collect()
}

fn property<'a>(records: &'a [(String, String)], name: &str) -> &'a str {
    let found = records.iter().find(|(first, _)| first == name);
    &found.unwrap_or_else(|| panic!("{name} is missing: {records:?}")).1
}

fn inspect(kit: &Kit) {
    kit.put("one", "1");
    kit.put("two", "2");
    let records = inspected(kit, kit.index);
    assert_eq!(property(&records, "num_records"), "2");
    assert!(!property(&records, "class").is_empty());
}

fn inspect_server(kit: &Kit) {
    kit.put("key", "value");
    for index in [-1, -7, i32::MIN] {
        let records = inspected(kit, index);
        assert!(!property(&records, "version").is_empty());
        assert!(property(&records, "process_id").parse::<u32>().is_ok());
        let dbms: i32 = property(&records, "num_dbms").parse().expect("a number");
        assert!(dbms > kit.index);
        for n in 0..dbms {
            assert!(!property(&records, &format!("dbm_{n}_class")).is_empty());
            let count: Result<u64, _> = property(&records, &format!("dbm_{n}_count")).parse();
            assert!(n != kit.index || count == Ok(1));
        }
        for time in ["current_time", "running_time"] {
            let (_, decimals) = property(&records, time).split_once('.').expect("a point");
            assert_eq!(decimals.len(), 3, "{time}");
        }
    }
}

fn replication(kit: &Kit) {
    let mut client = kit.client();
    let answer = kit.run(async move {
        let request = ReplicateRequest { min_timestamp: 0, server_id: 7, wait_time: 0.0 };
        client.replicate(request).await?.into_inner().message().await
    });
    let answer = answer.expect("gRPC is content").expect("an answer");
    assert_eq!(code(&answer.status), NotImplementedError, "{answer:?}");
    let answer = kit.change_master(ChangeMasterRequest::default()).expect("gRPC is content");
    assert_eq!(code(&answer.status), NotImplementedError, "{answer:?}");
}
