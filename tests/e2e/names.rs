//! Names with every odd byte.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use hozo_tests::Scratch;

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] = &[
    Case::new("every_byte_is_taken_or_refused", every_byte),
    Case::new("shapes_of_names", shapes),
    Case::new("names_in_other_scripts_work", other_scripts).needing(&[Need::Program("sqlite3")]),
];

fn every_byte() {
    let scratch = Scratch::new();
    let mut taken = 0;
    for byte in 1..=255u8 {
        let name = OsString::from_vec(vec![b'a', byte, b'b']);
        let ran = scratch.hozo(&["ns", "create"]).arg(&name).run();
        match ran.code {
            Some(0) => {
                assert!(byte.is_ascii_graphic(), "{byte:#x} was taken: {ran}");
                taken += 1;
            }
            _ => drop(ran.fails(&[])),
        }
    }
    let list = scratch.hozo(&["ns", "list", "--json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list.as_array().expect("a list").len(), taken);
}

fn shapes() {
    let scratch = Scratch::new();
    let long = "x".repeat(256);
    for bad in ["", "/app", ".", "..", "a//b", "a/", "a/../b", "a@b", "a b\n", "app~1", &long] {
        scratch.hozo(&["ns", "create", "--", bad]).run().fails(&["name"]);
    }
    for good in ["app", "app/one", "a.b", "a-b_c", &long[..255]] {
        scratch.hozo(&["ns", "create", "--", good]).ok();
    }
}

fn other_scripts() {
    let scratch = Scratch::with_namespace("枘");
    scratch.hozo(&["ns", "create", "zapfen/größe"]).ok();
    for name in ["枘", "zapfen/größe"] {
        scratch.sqlite3(name, &["CREATE TABLE t(x); INSERT INTO t VALUES ('ほぞ');"]).ok();
        assert_eq!(scratch.sqlite3(name, &["SELECT x FROM t"]).ok(), "ほぞ\n");
    }
}
