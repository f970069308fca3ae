//! The command `hozo`.

use hozo_tests::Scratch;
use serde_json::Value;

use crate::case::{Case, Need};

const SHELL: &[Need] = &[Need::Program("sqlite3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("namespaces_are_made_listed_renamed_deleted", namespaces),
    Case::new("import_and_export_keep_a_database", round_trip).needing(SHELL),
    Case::new("export_of_the_past", export_past).needing(SHELL),
    Case::new("a_file_that_is_no_database_is_refused", import_refuses),
    Case::new("sql_is_a_small_shell", sql),
];

fn json(scratch: &Scratch, args: &[&str]) -> Value {
    let text = scratch.hozo(args).arg("--json").ok();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
}

fn names(scratch: &Scratch) -> Vec<String> {
    let list = json(scratch, &["ns", "list"]);
    let list = list.as_array().expect("a list").iter();
    list.map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}

fn namespaces() {
    let scratch = Scratch::new();
    for name in ["app", "app/two", "zoo"] {
        scratch.hozo(&["ns", "create", name]).ok();
    }
    assert_eq!(names(&scratch), ["app", "app/two", "zoo"]);
    scratch.hozo(&["ns", "create", "app"]).run().fails(&["app", "exists"]);
    scratch.hozo(&["ns", "rename", "zoo", "park"]).ok();
    assert_eq!(names(&scratch), ["app", "app/two", "park"]);
    scratch.hozo(&["ns", "stat", "zoo"]).run().fails(&["zoo", "not found"]);
    scratch.hozo(&["ns", "delete", "park", "--yes"]).ok();
    assert_eq!(names(&scratch), ["app", "app/two"]);
}

/// A database with some of everything, as a plain file.
fn plain_database(scratch: &Scratch) {
    let sql = "PRAGMA page_size = 1024; PRAGMA user_version = 7;
        CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, b BLOB);
        CREATE INDEX by_x ON t(x); CREATE VIEW v AS SELECT x FROM t;
        INSERT INTO t SELECT value, 'row ' || value, randomblob(value % 300)
            FROM generate_series(1, 3000);
        CREATE TRIGGER after_delete AFTER DELETE ON t BEGIN SELECT 1; END;";
    scratch.run("sqlite3").args(["plain.db", sql]).ok();
}

fn dump(scratch: &Scratch, file: &str) -> String {
    scratch.run("sqlite3").args([file, "PRAGMA user_version; PRAGMA page_size;", ".dump"]).ok()
}

fn round_trip() {
    let scratch = Scratch::new();
    plain_database(&scratch);
    let before = dump(&scratch, "plain.db");
    scratch.hozo(&["import", "plain.db", "app"]).ok();
    scratch.hozo(&["export", "app", "back.db"]).ok();
    assert_eq!(dump(&scratch, "back.db"), before);
    let check = scratch.run("sqlite3").args(["back.db", "PRAGMA integrity_check"]).ok();
    assert_eq!(check, "ok\n");
    assert_eq!(scratch.sqlite3("app", &["PRAGMA integrity_check"]).ok(), "ok\n");
    // Neither way writes over what is there.
    scratch.hozo(&["import", "plain.db", "app"]).run().fails(&["app", "exists"]);
    scratch.hozo(&["export", "app", "back.db"]).run().fails(&["back.db", "exists"]);
}

fn export_past() {
    let scratch = Scratch::with_namespace("app");
    scratch.sqlite3("app", &["CREATE TABLE t(x); INSERT INTO t VALUES ('then')"]).ok();
    let entry = scratch.log("app").remove(0);
    let version = entry["version"].as_str().expect("a version");
    scratch.sqlite3("app", &["UPDATE t SET x = 'now'"]).ok();
    scratch.hozo(&["export", &format!("app@{version}"), "then.db"]).ok();
    let said = scratch.run("sqlite3").args(["then.db", "SELECT x FROM t"]).ok();
    assert_eq!(said, "then\n");
}

fn import_refuses() {
    let scratch = Scratch::new();
    scratch.write("notes.txt", "This is no database, however long it is.\n");
    scratch.hozo(&["import", "notes.txt", "app"]).run().fails(&["notes.txt", "database"]);
    scratch.hozo(&["import", "absent.db", "app"]).run().fails(&["absent.db"]);
    assert_eq!(names(&scratch), Vec::<String>::new(), "nothing is left behind");
}

fn sql() {
    let scratch = Scratch::with_namespace("app");
    scratch.hozo(&["sql", "app", "CREATE TABLE t(x); INSERT INTO t VALUES ('tenon')"]).ok();
    let said = scratch.hozo(&["sql", "app", "SELECT x FROM t"]).ok();
    assert!(said.contains("tenon"), "{said}");
    let rows = json(&scratch, &["sql", "app", "SELECT x, 1 AS n FROM t"]);
    assert_eq!(rows[0]["x"], "tenon");
    scratch.hozo(&["sql", "app", "SELEC 1"]).run().fails(&["syntax error"]);
    let said = scratch.hozo(&["sql", "app"]).input("SELECT upper(x)\nFROM t;\n").ok();
    assert!(said.contains("TENON"), "{said}");
}
