use hozo_embedded::rusqlite::Connection;

use super::*;

fn shown(mode: Mode, headers: bool, sql: &str) -> String {
    let connection = Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let mut out = Vec::new();
    let settings = Settings { mode, headers, fit: false };
    assert!(run(&mut statement, settings, &mut out).is_ok());
    String::from_utf8(out).unwrap()
}

const ROWS: &str = "SELECT 1 AS n, 'a,\"b' AS t, NULL AS z, x'00ff' AS b, 0.5 AS r \
                    UNION ALL SELECT -20, '', 'z', x'', 1e300";

#[test]
fn a_table_has_lines_and_numbers_to_the_right() {
    let expected = "\
┌─────┬──────┬──────┬─────────┬───────┐
│ n   ┆ t    ┆ z    ┆ b       ┆ r     │
╞═════╪══════╪══════╪═════════╪═══════╡
│   1 ┆ a,\"b ┆ NULL ┆ x'00ff' ┆   0.5 │
│ -20 ┆      ┆ z    ┆ x''     ┆ 1e300 │
└─────┴──────┴──────┴─────────┴───────┘
";
    assert_eq!(shown(Mode::Table, true, ROWS), expected);
}

#[test]
fn programs_get_lines_csv_and_json() {
    assert_eq!(
        shown(Mode::List, true, ROWS),
        "n|t|z|b|r\n1|a,\"b||x'00ff'|0.5\n-20||z|x''|1e300\n"
    );
    assert_eq!(
        shown(Mode::Csv, true, ROWS),
        "n,t,z,b,r\r\n1,\"a,\"\"b\",,x'00ff',0.5\r\n-20,\"\",z,x'',1e300\r\n"
    );
    let json = shown(Mode::Json, true, ROWS);
    let parsed: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed[0]["t"], "a,\"b");
    assert_eq!(parsed[0]["z"], Value::Null);
    assert_eq!(parsed[0]["b"], "00ff");
    assert_eq!(parsed[1]["n"], -20);
    assert_eq!(shown(Mode::Json, true, "SELECT 1 WHERE 0"), "[]\n");
    assert_eq!(
        shown(Mode::Json, true, "SELECT 1 AS a, 2 AS a"),
        "[\n  {\"a\": 1, \"a:2\": 2}\n]\n"
    );
    assert_eq!(shown(Mode::Json, true, "SELECT 9e999 AS a"), "[\n  {\"a\": null}\n]\n");
    assert_eq!(shown(Mode::Line, true, "SELECT 1 AS a, 'x' AS bb"), " a = 1\nbb = x\n");
}

#[test]
fn a_pragma_is_known_by_its_name() {
    let name = |sql| pragma(sql);
    assert_eq!(name("PRAGMA journal_mode").as_deref(), Some("journal_mode"));
    assert_eq!(name(" -- x\n/* y */ pragma main.Page_Size = 4096;").as_deref(), Some("Page_Size"));
    assert_eq!(name("pragma 'wal_checkpoint'(FULL)").as_deref(), Some("wal_checkpoint"));
    for other in ["SELECT 1", "", "--", "/* pragma", "pragma", "ほぞほぞ", "EXPLAIN PRAGMA x"] {
        assert_eq!(name(other), None, "{other}");
    }
    assert_eq!(shown(Mode::List, true, "PRAGMA page_size"), "page_size\n4096\n");
}

#[test]
fn more_rows_than_a_table_has_are_more_tables() {
    let sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10001) SELECT x FROM c";
    let text = shown(Mode::Table, true, sql);
    assert_eq!(text.matches('┌').count(), 2);
    assert_eq!(text.lines().count(), 10001 + 2 * 4);
    assert_eq!(shown(Mode::Table, false, "SELECT 1 WHERE 0"), "");
}

#[test]
fn long_values_are_cut_in_tables_only() {
    let sql = "SELECT hex(zeroblob(5000)) AS t, zeroblob(50) AS b";
    let table = shown(Mode::Table, true, sql);
    assert!(table.contains("... 10000 bytes") && table.contains("'... 50 bytes"), "{table}");
    assert!(shown(Mode::List, false, sql).len() > 10100);
}
