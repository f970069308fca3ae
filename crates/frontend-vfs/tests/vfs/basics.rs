use crate::kit::{Ask, Kit};

#[test]
fn a_new_database_keeps_what_is_written() {
    let kit = Kit::new();
    let db = kit.open("app");
    db.run(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES(1,'one'),(2,'two')",
    );
    assert_eq!(db.int("SELECT count(*) FROM t"), 2);
    drop(db);
    let db = kit.open("app");
    assert_eq!(db.text("SELECT b FROM t WHERE a=2"), "two");
    db.run("UPDATE t SET b='zwei' WHERE a=2");
    let other = kit.open("app");
    assert_eq!(other.text("SELECT b FROM t WHERE a=2"), "zwei");
    db.run("DELETE FROM t WHERE a=1");
    assert_eq!(other.int("SELECT count(*) FROM t"), 1);
    other.intact();
}
