//! Files of records.

use std::fs;

use super::place::Place;

/// Bytes of which lines and escapes have to take care.
const ODD: &[&[u8]] = &[
    b"",
    b"plain",
    b"tab\there",
    b"line\nend\r\n",
    b"\0\x01\x1f\x7f",
    b"\\n\\",
    b"\xff\xfe\x80",
    b"\x000",
    &[b'x'; 300],
];

/// All of them as keys with all of them as values, as a flat record file.
fn odd() -> Vec<u8> {
    let mut file = Vec::new();
    for (i, key) in ODD.iter().enumerate() {
        push(&mut file, key, ODD[ODD.len() - 1 - i]);
    }
    file
}

fn push(file: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for bytes in [key, value] {
        file.push(0xff);
        if bytes.len() > 127 {
            file.push(0x80 | (bytes.len() >> 7) as u8);
        }
        file.push((bytes.len() & 0x7f) as u8);
        file.extend(bytes);
    }
}

fn put(place: &Place, name: &str, bytes: impl AsRef<[u8]>) {
    fs::write(place.scratch.path(name), bytes).expect("a file can be written");
}

fn bytes(place: &Place, name: &str) -> Vec<u8> {
    fs::read(place.scratch.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The records of `casket`, for comparing.
#[track_caller]
fn records(place: &Place) -> Vec<String> {
    place.sorted(&["list", "--hex", "--items", "0"])
}

pub(super) fn round_trip() {
    Place::each(|place| {
        put(place, "odd.flat", odd());
        place.ok(&["import", "odd.flat"]);
        let all = records(place);
        assert_eq!(all.len(), ODD.len());
        assert!(all.iter().any(|line| line.starts_with("7461620968657265\t")), "{all:?}");
        for (name, form) in [("f", &[][..]), ("t", &["--tsv", "--escape"])] {
            place.ok(&with(&["export", name], form));
            place.ok(&["clear"]);
            place.ok(&with(&["import", name], form));
            assert_eq!(records(place), all, "{form:?}");
        }
        // Through pipes.
        let text = place.ok(&["export", "-", "--tsv", "--escape", "-q"]);
        assert_eq!(text.lines().count(), ODD.len());
        place.ok(&["clear"]);
        put(place, "in.tsv", bytes(place, "t"));
        let import = place.dbm(&["import", "-", "--tsv", "--escape"]);
        import.input(bytes(place, "in.tsv")).ok();
        assert_eq!(records(place), all);
        // What lines cannot say as they are is not left out.
        let said = place.dbm(&["export", "plain.tsv", "--tsv"]).run();
        said.fails(&["cannot be a line", "--escape"]);
        assert!(!place.scratch.path("plain.tsv").exists(), "nothing is left of it");
        // Of a key that comes twice, the last counts, however far apart.
        let mut twice = String::new();
        for n in 0..5000 {
            twice += &format!("key {}\tvalue {n}\n", n % 2500);
        }
        put(place, "twice.tsv", twice + "near\t1\nnear\t2\n");
        place.ok(&["clear"]);
        let said = place.dbm(&["import", "--tsv", "twice.tsv"]).run();
        assert!(said.stderr.contains("5002 records"), "{said}");
        assert_eq!(place.ok(&["count"]), "2501\n");
        assert_eq!(place.ok(&["get", "near"]), "2\n");
        assert_eq!(place.ok(&["get", "key 17"]), "value 2517\n");
        let keys = place.sorted(&["export", "-", "--tsv", "--keys"]);
        assert_eq!((keys.len(), keys[0].as_str()), (2501, "key 0"));
        // Nothing at all is a file, too.
        place.ok(&["clear"]);
        place.ok(&["export", "none"]);
        assert_eq!(bytes(place, "none"), b"");
        place.ok(&["import", "none"]);
        assert_eq!(place.ok(&["count"]), "0\n");
        // A record with a message of its own.
        let large: String = "y".repeat(2_500_000);
        put(place, "large.tsv", format!("a\t1\nlarge\t{large}\nb\t2\n"));
        let json = place.ok(&["import", "--tsv", "large.tsv", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["records"], &json["kept"]), (&3.into(), &0.into()), "{json}");
        assert_eq!(json["bytes"], 2_500_009, "{json}");
        assert_eq!(place.ok(&["get", "large"]).len(), 2_500_001);
        assert_eq!(place.ok(&["get", "b"]), "2\n");
    });
}

pub(super) fn damage() {
    Place::each(|place| {
        let mut file = odd();
        let end = file.len();
        file.extend(b"\xff\x05key\xff");
        put(place, "cut.flat", &file);
        let said = place.dbm(&["import", "cut.flat"]).run();
        assert_eq!(said.code, Some(1), "{said}");
        let at = format!("record 10, at byte {end}");
        said.fails(&["cut.flat", &at, "the file ends after 4 of the 5 bytes of its key"]);
        // What came before is there.
        assert_eq!(place.ok(&["count"]), "9\n");
        place.ok(&["clear"]);
        let said = place.dbm(&["import", "cut.flat", "--no-overwrite"]).run();
        said.fails(&[&at]);
        assert_eq!(place.ok(&["count"]), "9\n");
        let said = place.dbm(&["import", "--tsv", "-"]).input("a\t1\nno tab\nb\t2\n").run();
        said.fails(&["record 2, at byte 4", "no tab"]);
        assert_eq!(place.ok(&["get", "a"]), "1\n");
        place.fails(&["get", "b"], 3, &["NOT_FOUND_ERROR"]);
        let said = place.dbm(&["import", "-"]).input("one\thop\n").run();
        said.fails(&["record 1, at byte 0", "--tsv"]);
        place.fails(&["import", "absent"], 3, &["absent"]);
        place.fails(&["import", "."], 1, &["directory"]);
        // The server has the last word about a record.
        let key = "k".repeat(70_000_000);
        put(place, "key.tsv", format!("ok\t1\n{key}\tv\n"));
        let said = place.dbm(&["import", "--tsv", "key.tsv"]).run();
        said.fails(&["key.tsv", "record 2"]);
        if !place.is_direct() {
            put(place, "large.tsv", format!("a\t1\nb\t{}\n", "x".repeat(5_000_000)));
            let said = place.dbm(&["import", "--tsv", "large.tsv"]).run();
            said.fails(&["record 2", "RESOURCE_EXHAUSTED", "max_message_bytes"]);
        }
        assert_eq!(place.ok(&["get", "ok"]), "1\n");
    });
}

pub(super) fn no_overwrite() {
    Place::each(|place| {
        let lines = |value: &str, range: std::ops::Range<u32>| -> String {
            range.map(|n| format!("key {n}\t{value}\n")).collect()
        };
        put(place, "old.tsv", lines("old", 0..1500));
        put(place, "new.tsv", lines("new", 1000..4000) + "key 0\tnew\nkey 3999\tnewer\n");
        place.ok(&["import", "--tsv", "old.tsv"]);
        let json = place.ok(&["import", "--tsv", "new.tsv", "--no_overwrite", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["records"], &json["kept"]), (&3002.into(), &502.into()), "{json}");
        assert_eq!(place.ok(&["count"]), "4000\n");
        for (key, value) in [("0", "old"), ("1499", "old"), ("1500", "new"), ("3999", "new")] {
            assert_eq!(place.ok(&["get", &format!("key {key}")]), format!("{value}\n"));
        }
        let said = place.dbm(&["import", "--tsv", "old.tsv", "--no-overwrite"]).run();
        assert!(said.stderr.contains("1500 records, of which 1500 were there already"), "{said}");
    });
}

pub(super) fn in_place() {
    let place = Place::direct();
    place.ok(&["set", "k", "v"]);
    place.scratch.write("there", "precious");
    place.fails(&["export", "there"], 4, &["there exists", "--replace"]);
    assert_eq!(place.scratch.read("there"), "precious");
    place.ok(&["export", "there", "--replace", "--tsv"]);
    assert_eq!(place.scratch.read("there"), "k\tv\n");
    place.fails(&["export", "no/where"], 3, &["no/where"]);
    // A failed one leaves nothing behind.
    place.ok(&["set", "k\n", "v"]);
    place.dbm(&["export", "new", "--tsv"]).run().fails(&["line feed"]);
    let there = fs::read_dir(place.scratch.dir()).expect("the directory can be read");
    let mut there: Vec<_> = there.map(|entry| entry.expect("an entry").file_name()).collect();
    there.sort();
    assert_eq!(there, ["data", "hozo.toml", "there"]);
}

fn with<'a>(args: &[&'a str], form: &[&'a str]) -> Vec<&'a str> {
    [args, form].concat()
}

pub(super) fn tkrzw() {
    Place::each(|place| {
        let util = |args: &[&str]| place.scratch.run("tkrzw_dbm_util").args(args).ok();
        util(&["create", "--buckets", "100", "theirs.tkh"]);
        // It takes a file that ends in an empty value for one that was cut off.
        put(place, "odd.flat", [odd(), vec![0]].concat());
        util(&["import", "theirs.tkh", "odd.flat"]);
        let more: String = (0..300).map(|n| format!("key {n}\tvalue {n}\n")).collect();
        put(place, "more.tsv", more);
        util(&["import", "--tsv", "theirs.tkh", "more.tsv"]);
        for (name, form) in [("flat", &[][..]), ("tsv", &["--tsv", "--escape"])] {
            // Theirs to us.
            util(&with(&["export", "theirs.tkh", &format!("theirs.{name}")], form));
            place.ok(&["clear"]);
            place.ok(&with(&["import", &format!("theirs.{name}")], form));
            let all = records(place);
            assert_eq!(all.len(), ODD.len() + 300);
            // Ours to them, and back.
            place.ok(&with(&["export", &format!("ours.{name}")], form));
            let again = format!("again-{name}.tkh");
            util(&["create", "--buckets", "100", &again]);
            util(&with(&["import", &again, &format!("ours.{name}")], form));
            util(&["export", &again, &format!("again.{name}")]);
            place.ok(&["clear"]);
            place.ok(&["import", &format!("again.{name}")]);
            assert_eq!(records(place), all, "{name}");
        }
        place.ok(&["clear"]);
        place.ok(&["set", "last", ""]);
        place.ok(&["export", "empty.flat"]);
        util(&["create", "--buckets", "100", "empty.tkh"]);
        util(&["import", "empty.tkh", "empty.flat"]);
        assert_eq!(util(&["list", "empty.tkh"]), "last\t\n");
    });
}
