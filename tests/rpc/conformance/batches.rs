//! Several records in one call.

use hozo_proto::StatusCode::{DuplicationError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code, pair};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("get_multi_sorts_and_skips_what_is_missing", get_multi),
    Clause::new("set_multi_takes_the_first_of_equal_keys", set_multi),
    Clause::new("set_multi_goes_on_past_what_exists", set_multi_existing),
    Clause::new("remove_multi_goes_on_past_what_is_missing", remove_multi),
    Clause::new("append_multi_joins_each", append_multi),
    Clause::new("batches_of_nothing", nothing),
    Clause::new("batches_of_thousands", thousands),
];

fn get_multi(kit: &Kit) {
    for key in ["c", "", "a", "b"] {
        kit.put(key, format!("of {key}"));
    }
    let get = |keys: &[&str]| {
        let keys = keys.iter().map(b).collect();
        let answer =
            kit.get_multi(GetMultiRequest { dbm_index: kit.index, keys }).expect("answered");
        (code(&answer.status), answer.records)
    };
    let sorted = vec![pair("", "of "), pair("a", "of a"), pair("c", "of c")];
    assert_eq!(get(&["c", "a", "c", ""]), (Success, sorted.clone()));
    assert_eq!(get(&["c", "z", "a", ""]), (NotFoundError, sorted));
    assert_eq!(get(&["x", "y"]), (NotFoundError, vec![]));
}

fn set_multi(kit: &Kit) {
    for overwrite in [false, true] {
        let records = vec![pair("z", "1"), pair("a", "1"), pair("z", "2"), pair("a", "2")];
        let request = SetMultiRequest { dbm_index: kit.index, records, overwrite };
        assert_eq!(code(&kit.set_multi(request).expect("answered").status), Success);
        assert_eq!((kit.value("a"), kit.value("z")), (Some(b("1")), Some(b("1"))));
        let request = ClearRequest { dbm_index: kit.index };
        assert_eq!(code(&kit.clear(request).expect("answered").status), Success);
    }
}

fn set_multi_existing(kit: &Kit) {
    kit.put("b", "old");
    let records = vec![pair("a", "new"), pair("b", "new"), pair("c", "new")];
    let request = SetMultiRequest { dbm_index: kit.index, records, overwrite: false };
    let answer = kit.set_multi(request.clone()).expect("answered");
    assert_eq!(code(&answer.status), DuplicationError);
    assert_eq!(kit.value("b"), Some(b("old")));
    assert_eq!((kit.value("a"), kit.value("c")), (Some(b("new")), Some(b("new"))));
    let request = SetMultiRequest { overwrite: true, ..request };
    assert_eq!(code(&kit.set_multi(request).expect("answered").status), Success);
    assert_eq!((kit.value("b"), kit.counted()), (Some(b("new")), 3));
}

fn remove_multi(kit: &Kit) {
    for key in ["a", "b", "c"] {
        kit.put(key, "value");
    }
    let remove = |keys: &[&str]| {
        let keys = keys.iter().map(b).collect();
        let request = RemoveMultiRequest { dbm_index: kit.index, keys };
        code(&kit.remove_multi(request).expect("answered").status)
    };
    assert_eq!(remove(&["a", "x", "b"]), NotFoundError);
    assert_eq!((kit.counted(), kit.value("c")), (1, Some(b("value"))));
    assert_eq!(remove(&["c"]), Success);
    assert_eq!((remove(&["c"]), kit.counted()), (NotFoundError, 0));
}

fn append_multi(kit: &Kit) {
    kit.put("a", "old");
    let records = vec![pair("b", "1"), pair("a", "1"), pair("a", "2"), pair("b", "2")];
    let request = AppendMultiRequest { dbm_index: kit.index, records, delim: b("+") };
    assert_eq!(code(&kit.append_multi(request).expect("answered").status), Success);
    assert_eq!((kit.value("a"), kit.value("b")), (Some(b("old+1")), Some(b("1"))));
}

fn nothing(kit: &Kit) {
    kit.put("key", "value");
    let dbm_index = kit.index;
    let answer = kit.get_multi(GetMultiRequest { dbm_index, ..Default::default() });
    assert_eq!(code(&answer.expect("answered").status), Success);
    let answer = kit.set_multi(SetMultiRequest { dbm_index, ..Default::default() });
    assert_eq!(code(&answer.expect("answered").status), Success);
    let answer = kit.remove_multi(RemoveMultiRequest { dbm_index, ..Default::default() });
    assert_eq!(code(&answer.expect("answered").status), Success);
    let answer = kit.append_multi(AppendMultiRequest { dbm_index, ..Default::default() });
    assert_eq!(code(&answer.expect("answered").status), Success);
    let answer =
        kit.compare_exchange_multi(CompareExchangeMultiRequest { dbm_index, ..Default::default() });
    assert_eq!(code(&answer.expect("answered").status), Success);
    assert_eq!(kit.counted(), 1);
}

fn thousands(kit: &Kit) {
    let dbm_index = kit.index;
    let records: Vec<BytesPair> =
        (0..5000).map(|n| pair(format!("{n:05}"), vec![7; 100])).collect();
    let request = SetMultiRequest { dbm_index, records: records.clone(), overwrite: false };
    assert_eq!(code(&kit.set_multi(request).expect("answered").status), Success);
    assert_eq!(kit.counted(), 5000);
    let keys: Vec<_> = records.iter().map(|record| record.first.clone()).collect();
    let request = GetMultiRequest { dbm_index, keys: keys.clone() };
    let answer = kit.get_multi(request).expect("answered");
    assert!(code(&answer.status) == Success && answer.records == records);
    let request = RemoveMultiRequest { dbm_index, keys };
    assert_eq!(code(&kit.remove_multi(request).expect("answered").status), Success);
    assert_eq!(kit.counted(), 0);
}
