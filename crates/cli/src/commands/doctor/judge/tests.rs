use serde_json::json;

use super::*;

fn kind(facts: &[Value]) -> (&'static str, bool) {
    let verdict = judge(facts);
    (verdict.kind, verdict.reached)
}

fn loaded() -> Value {
    json!({ "fact": "loaded", "program": "/usr/bin/x" })
}

fn open(outcome: &str) -> Value {
    json!({ "fact": "open", "name": "app", "outcome": outcome, "why": "busy", "sqlite_version": "3.40.1" })
}

fn sqlite(exports: bool, reached: bool) -> Value {
    json!({ "fact": "sqlite", "object": "/lib/libsqlite3.so.0", "exports": exports, "reached": reached })
}

#[test]
fn each_case_of_the_protocol_has_its_verdict() {
    assert_eq!(kind(&[]), ("not-loaded", false));
    assert_eq!(kind(&[loaded()]), ("no-sqlite", false));
    assert_eq!(kind(&[loaded(), sqlite(true, false)]), ("past", false));
    assert_eq!(kind(&[loaded(), sqlite(false, false)]), ("hidden", false));
    assert_eq!(kind(&[loaded(), sqlite(true, true), open("plain")]), ("plain", true));
    assert_eq!(kind(&[loaded(), open("plain"), open("refused")]), ("refused", true));
    assert_eq!(kind(&[loaded(), open("refused"), open("ours")]), ("works", true));
}

#[test]
fn what_was_opened_is_told_once() {
    let verdict = judge(&[loaded(), open("ours"), open("ours"), sqlite(true, true)]);
    assert_eq!(verdict.opens, ["app: a namespace (SQLite 3.40.1)"]);
    assert_eq!(verdict.copies, ["/lib/libsqlite3.so.0"]);
    assert!(judge(&[loaded(), open("refused")]).found.contains("busy"));
}
