//! One record at a time.

use hozo_proto::StatusCode::{self, DuplicationError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("echo_gives_the_message_back", echo),
    Clause::new("get_tells_what_is_missing", get),
    Clause::new("get_may_leave_the_value_out", get_omitting),
    Clause::new("set_overwrites_when_told_to", set),
    Clause::new("empty_keys_and_values_are_records", empty),
    Clause::new("every_byte_can_be_in_a_key_and_a_value", every_byte),
    Clause::new("remove_tells_what_is_missing", remove),
    Clause::new("append_joins_with_the_delimiter", append),
    Clause::new("rekey_moves_a_record", rekey),
    Clause::new("rekey_onto_itself", rekey_itself),
    Clause::new("rekey_can_copy", rekey_copying),
];

fn echo(kit: &Kit) {
    for message in ["", "hello", "ほぞ\n\0"] {
        let answer = kit.echo(EchoRequest { message: message.into() }).expect("answered");
        assert_eq!((code(&answer.status), &*answer.echo), (Success, message));
    }
}

fn get(kit: &Kit) {
    let request = GetRequest { dbm_index: kit.index, key: b("key"), omit_value: false };
    let answer = kit.get(request.clone()).expect("answered");
    assert_eq!((code(&answer.status), answer.value), (NotFoundError, b("")));
    kit.put("key", "value");
    let answer = kit.get(request).expect("answered");
    assert_eq!((code(&answer.status), answer.value), (Success, b("value")));
}

fn get_omitting(kit: &Kit) {
    kit.put("key", "value");
    for (key, expected) in [("key", Success), ("other", NotFoundError)] {
        let request = GetRequest { dbm_index: kit.index, key: b(key), omit_value: true };
        let answer = kit.get(request).expect("answered");
        assert_eq!((code(&answer.status), answer.value), (expected, b("")));
    }
}

fn set_to(kit: &Kit, key: &str, value: &str, overwrite: bool) -> StatusCode {
    let request = SetRequest { dbm_index: kit.index, key: b(key), value: b(value), overwrite };
    code(&kit.set(request).expect("answered").status)
}

fn set(kit: &Kit) {
    assert_eq!(set_to(kit, "key", "one", false), Success);
    assert_eq!(set_to(kit, "key", "two", false), DuplicationError);
    assert_eq!(kit.value("key"), Some(b("one")));
    assert_eq!(set_to(kit, "key", "three", true), Success);
    assert_eq!(kit.value("key"), Some(b("three")));
    assert_eq!(set_to(kit, "other", "four", true), Success);
    assert_eq!(kit.counted(), 2);
}

fn empty(kit: &Kit) {
    assert_eq!(kit.value(""), None);
    kit.put("", "");
    assert_eq!(kit.value(""), Some(b("")));
    assert_eq!(set_to(kit, "", "again", false), DuplicationError);
    kit.put("empty", "");
    assert_eq!(
        kit.contents().into_iter().collect::<Vec<_>>(),
        [(b(""), b("")), (b("empty"), b(""))]
    );
    assert_eq!(removed(kit, ""), Success);
    assert_eq!(kit.value(""), None);
}

fn every_byte(kit: &Kit) {
    let all: Vec<u8> = (0..=255).collect();
    kit.put(&all, [&all[..], &all[..]].concat());
    assert_eq!(kit.value(&all), Some(b([&all[..], &all[..]].concat())));
    for byte in 0..=255 {
        kit.put([byte], [255 - byte]);
    }
    for byte in 0..=255 {
        assert_eq!(kit.value([byte]), Some(b([255 - byte])));
    }
    assert_eq!(kit.counted(), 257);
}

fn removed(kit: &Kit, key: &str) -> StatusCode {
    let request = RemoveRequest { dbm_index: kit.index, key: b(key) };
    code(&kit.remove(request).expect("answered").status)
}

fn remove(kit: &Kit) {
    assert_eq!(removed(kit, "key"), NotFoundError);
    kit.put("key", "value");
    assert_eq!(removed(kit, "key"), Success);
    assert_eq!(removed(kit, "key"), NotFoundError);
    assert_eq!((kit.value("key"), kit.counted()), (None, 0));
}

fn append(kit: &Kit) {
    let append = |value: &str, delim: &str| {
        let request =
            AppendRequest { dbm_index: kit.index, key: b("key"), value: b(value), delim: b(delim) };
        assert_eq!(code(&kit.append(request).expect("answered").status), Success);
        kit.value("key").expect("there")
    };
    assert_eq!(append("one", ":"), b("one"), "no delimiter before the first");
    assert_eq!(append("two", ":"), b("one:two"));
    assert_eq!(append("", "--"), b("one:two--"));
    assert_eq!(append("three", ""), b("one:two--three"));
    kit.put("key", "");
    assert_eq!(append("", ","), b(","), "an empty record is a record");
}

fn rekeyed(kit: &Kit, old: &str, new: &str, overwrite: bool, copying: bool) -> StatusCode {
    let request =
        RekeyRequest { dbm_index: kit.index, old_key: b(old), new_key: b(new), overwrite, copying };
    code(&kit.rekey(request).expect("answered").status)
}

fn rekey(kit: &Kit) {
    assert_eq!(rekeyed(kit, "old", "new", false, false), NotFoundError);
    kit.put("old", "value");
    assert_eq!(rekeyed(kit, "old", "new", false, false), Success);
    assert_eq!((kit.value("old"), kit.value("new")), (None, Some(b("value"))));
    kit.put("old", "other");
    assert_eq!(rekeyed(kit, "old", "new", false, false), DuplicationError);
    assert_eq!((kit.value("old"), kit.value("new")), (Some(b("other")), Some(b("value"))));
    assert_eq!(rekeyed(kit, "old", "new", true, false), Success);
    assert_eq!((kit.value("old"), kit.value("new")), (None, Some(b("other"))));
    assert_eq!(rekeyed(kit, "absent", "new", true, false), NotFoundError);
    assert_eq!(kit.counted(), 1);
}

fn rekey_itself(kit: &Kit) {
    kit.put("key", "value");
    for copying in [false, true] {
        assert_eq!(rekeyed(kit, "key", "key", true, copying), Success);
        assert_eq!(rekeyed(kit, "key", "key", false, copying), DuplicationError);
    }
    assert_eq!((kit.value("key"), kit.counted()), (Some(b("value")), 1));
}

fn rekey_copying(kit: &Kit) {
    kit.put("old", "value");
    assert_eq!(rekeyed(kit, "old", "new", false, true), Success);
    assert_eq!((kit.value("old"), kit.value("new")), (Some(b("value")), Some(b("value"))));
    assert_eq!(rekeyed(kit, "old", "new", false, true), DuplicationError);
    assert_eq!(kit.counted(), 2);
}
