//! The SQL shell.

use super::run::Home;

#[test]
fn statements_come_as_an_argument_or_as_a_script() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    let script = "CREATE TABLE t(a, b);\nINSERT INTO t VALUES\n (1, 'x;y'), -- one; two\n (2, NULL);\n\
                  .mode csv\nSELECT * FROM t;\n.headers off\n.mode list\nSELECT a FROM t\n ORDER BY a DESC;\n";
    assert_eq!(home.run_with(["sql", "app"], script).ok(), "a,b\r\n1,x;y\r\n2,\r\n2\n1\n");
    let table = home.run(["sql", "app", "SELECT a, b FROM t"]).ok();
    assert!(table.contains("│ 2 ┆ NULL │"), "{table}");
    let rows = home.json(&["sql", "app", "SELECT b, x'ff' AS z FROM t"]);
    assert_eq!((&rows[0]["b"], &rows[1]["b"]), (&"x;y".into(), &serde_json::Value::Null));
    assert_eq!(rows[0]["z"], "ff");
    assert_eq!(home.run(["sql", "app", ".tables"]).ok(), "t\n");
    assert_eq!(home.run(["sql", "app", ".schema t"]).ok(), "CREATE TABLE t(a, b);\n");
    assert!(home.run(["sql", "app", ".help"]).ok().contains(".open"));
    let log = home.run(["sql", "app", ".log 1"]).ok();
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn the_first_error_ends_a_script_and_says_where() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    let script = "CREATE TABLE t(a UNIQUE);\n\nINSERT INTO t\n VALUES (1);\nSELECT a\n  frm x t;\nINSERT INTO t VALUES (2);\n";
    let ran = home.run_with(["sql", "app"], script);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("line 6") && ran.err.contains("  frm x t;\n        ^"), "{}", ran.err);
    assert_eq!(home.sql("app", "SELECT count(*) FROM t"), "1\n");
    let ran = home.run_with(["sql", "app"], "SELECT 1;\nINSERT INTO t VALUES (1);\n");
    assert!(ran.code == 1 && ran.err.contains("UNIQUE") && ran.err.contains("line 2"), "{ran:?}");
    home.run(["sql", "app", "SELEC 1"]).fails(1, &["syntax error", "  SELEC 1\n  ^"]);
    home.run_with(["sql", "app"], ".mode nonsense\n").fails(2, &["line 1", "nonsense"]);
    home.run_with(["sql", "app"], "SELECT 'open\n").fails(1, &["unrecognized token"]);
}

#[test]
fn a_namespace_is_made_where_a_rule_or_the_caller_says_so() {
    let home = Home::new();
    home.run(["sql", "nothing", "SELECT 1"]).fails(3, &["nothing", "not found", "hozo ns create"]);
    assert!(!home.path("nothing").exists(), "not a plain file either");
    home.run(["sql", "app/made", "SELECT 1"]).ok();
    home.run(["sql", "--create", "nothing", "SELECT 1"]).ok();
    assert_eq!(home.json(&["ns", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_script_can_go_to_another_moment() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    home.sql("app", "CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    let version = home.versions("app").remove(0);
    let script = format!(
        ".mode list\n.headers off\nUPDATE t SET x = 2;\n.open app@{version}\nSELECT x FROM t;\n.open app\nSELECT x FROM t;\n.quit\nSELECT 3;\n"
    );
    assert_eq!(home.run_with(["sql", "app"], &script).ok(), "1\n2\n");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let home = Home::new();
    home.run(["ns", "create", "app"]).ok();
    let hozo = env!("CARGO_BIN_EXE_hozo");
    let sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) SELECT x FROM c";
    let script = format!("set -o pipefail; '{hozo}' sql app '{sql}' --mode list | head -n 1");
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(home.path("."))
        .env_remove("HOZO_CONFIG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"x\n");
    assert!(output.stderr.is_empty(), "{output:?}");
}
