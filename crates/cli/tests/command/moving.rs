//! Import and export.

use std::fs;

use hozo_embedded::rusqlite::Connection;

use super::run::Home;

/// A plain database with some of everything.
fn plain(home: &Home, file: &str, setup: &str) -> Connection {
    let db = Connection::open(home.path(file)).unwrap();
    db.execute_batch(setup).unwrap();
    db.execute_batch(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, b BLOB);
         CREATE INDEX by_x ON t(x);
         WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000)
         INSERT INTO t SELECT n, 'row ' || n, zeroblob(n % 300) FROM c;",
    )
    .unwrap();
    db
}

const SUM: &str =
    "SELECT count(*), coalesce(sum(id), 0), total(length(x)), total(length(b)) FROM t";

fn sum_of_file(home: &Home, file: &str) -> String {
    let db = Connection::open(home.path(file)).unwrap();
    db.query_row(SUM, [], |row| {
        Ok(format!(
            "{}|{}|{:?}|{:?}\n",
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, f64>(2)?,
            row.get::<_, f64>(3)?
        ))
    })
    .unwrap()
}

#[test]
fn there_and_back_it_is_the_same() {
    let home = Home::new();
    plain(&home, "a.db", "PRAGMA page_size = 1024; PRAGMA user_version = 7;");
    let before = sum_of_file(&home, "a.db");
    let imported = home.json(&["import", "a.db", "app"]);
    assert_eq!((&imported["name"], &imported["page_size"]), (&"app".into(), &1024.into()));
    assert_eq!(home.sql("app", SUM), before);
    assert_eq!(home.versions("app").len(), 1, "an import is one commit");
    let exported = home.json(&["export", "app", "b.db"]);
    assert_eq!(exported["version"], imported["version"]);
    assert_eq!(exported["bytes"].as_u64(), Some(fs::metadata(home.path("b.db")).unwrap().len()));
    assert_eq!(sum_of_file(&home, "b.db"), before);
    let db = Connection::open(home.path("b.db")).unwrap();
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 7);
    let check: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_database_in_wal_mode_is_imported_while_it_is_used() {
    let home = Home::new();
    let db = plain(&home, "a.db", "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;");
    assert!(fs::metadata(home.path("a.db-wal")).unwrap().len() > 10_000, "it is all in the WAL");
    home.run(["import", "a.db", "app"]).ok();
    assert!(home.sql("app", SUM).starts_with("2000|2001000|"));
    home.sql("app", "INSERT INTO t(x) VALUES ('more')");
    assert!(home.sql("app", SUM).starts_with("2001|"));
    home.run(["export", "app", "b.db"]).ok();
    assert!(sum_of_file(&home, "b.db").starts_with("2001|"));
    drop(db);
}

#[test]
fn nothing_is_written_over_unless_asked() {
    let home = Home::new();
    plain(&home, "a.db", "");
    home.run(["import", "a.db", "app"]).ok();
    home.run(["import", "a.db", "app"]).fails(4, &["app exists", "--replace"]);
    home.sql("app", "DELETE FROM t");
    home.run(["import", "a.db", "app", "--replace"]).ok();
    assert!(home.sql("app", SUM).starts_with("2000|"));
    let versions = home.versions("app");
    assert_eq!(versions.len(), 3);
    let emptied = format!("app@{}", versions[1]);
    assert_eq!(home.sql(&emptied, "SELECT count(*) FROM t"), "0\n", "what it held stays");
    home.run(["export", "app", "a.db"]).fails(4, &["a.db exists", "--replace"]);
    home.run(["export", &emptied, "a.db", "--replace"]).ok();
    assert!(sum_of_file(&home, "a.db").starts_with("0|"));
}

#[test]
fn only_a_file_is_replaced() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    home.write("kept", "kept");
    std::os::unix::fs::symlink("kept", home.path("link")).unwrap();
    fs::create_dir(home.path("directory")).unwrap();
    for name in ["link", "directory"] {
        home.run(["export", "app", name, "--replace"]).fails(4, &[name, "is not a file"]);
    }
    assert!(home.path("link").is_symlink());
    assert_eq!(fs::read_to_string(home.path("kept")).unwrap(), "kept");
}

#[test]
fn what_is_no_database_is_refused_and_leaves_nothing() {
    let home = Home::new();
    home.write("notes.txt", "No database, but more than a header's worth of text. ".repeat(5));
    home.run(["import", "notes.txt", "app"]).fails(1, &["notes.txt", "not a SQLite database"]);
    home.run(["import", "absent.db", "app"]).fails(3, &["absent.db"]);
    home.run(["import", ".", "app"]).fails(1, &["not a file"]);
    plain(&home, "a.db", "");
    let mut bytes = fs::read(home.path("a.db")).unwrap();
    bytes.truncate(bytes.len() / 2);
    home.write("half.db", bytes);
    home.run(["import", "half.db", "app"]).fails(1, &["half.db"]);
    assert_eq!(home.json(&["ns", "list"]).as_array().unwrap().len(), 0);
    home.run(["export", "none", "b.db"]).fails(3, &["not found"]);
    home.run(["import", "a.db", "app"]).ok();
    home.run(["export", "app", "absent/b.db"]).fails(3, &["absent/b.db"]);
    let left: Vec<_> =
        fs::read_dir(home.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().contains("hozo-export")), "{left:?}");
}

#[test]
fn an_empty_namespace_is_an_empty_file() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    home.run(["export", "app", "b.db"]).ok();
    let db = Connection::open(home.path("b.db")).unwrap();
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 0);
    home.run(["import", "b.db", "copy"]).ok();
    assert_eq!(home.sql("copy", "SELECT count(*) FROM sqlite_schema"), "0\n");
}
