//! Statements are cut where SQLite says that they end.

use std::ffi::CString;

use hozo_cli::shell::Splitter;
use hozo_embedded::rusqlite::ffi;
use proptest::prelude::*;

/// What SQLite says of the whole text.
fn sqlite_says(text: &str) -> bool {
    let text = CString::new(text).unwrap();
    // SAFETY: a C string, which SQLite only reads.
    unsafe { ffi::sqlite3_complete(text.as_ptr()) == 1 }
}

fn complete(text: &str) -> bool {
    let mut splitter = Splitter::new();
    splitter.push(text);
    splitter.is_complete()
}

#[test]
fn statements_come_out_one_after_the_other() {
    let mut splitter = Splitter::new();
    assert!(splitter.is_idle());
    splitter.push("SELECT ';' -- ;\n");
    assert_eq!(splitter.take(), None);
    assert!(!splitter.is_idle());
    splitter.push("; SELECT 2; SELECT\n");
    assert_eq!(splitter.take().as_deref(), Some("SELECT ';' -- ;\n; SELECT 2;"));
    assert_eq!(splitter.take(), None);
    splitter.push("3;\n");
    assert_eq!(splitter.take().as_deref(), Some(" SELECT\n3;"));
    assert!(splitter.is_idle());
    assert_eq!(splitter.take_rest(), "\n");
}

#[test]
fn a_trigger_is_one_statement() {
    let trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; DELETE FROM y; END;";
    let mut splitter = Splitter::new();
    for line in trigger.split_inclusive(' ') {
        assert_eq!(splitter.take(), None);
        splitter.push(line);
    }
    assert_eq!(splitter.take().as_deref(), Some(trigger));
}

proptest! {
    #[test]
    fn it_is_complete_when_sqlite_says_so(
        parts in prop::collection::vec(prop::sample::select(vec![
            "select", " ", "\n", ";", ";", "'", "\"", "`", "[", "]", "--", "-", "/*", "*/", "/", "*",
            "create", "CREATE", "temp", "temporary", "trigger", "end", "END", "explain", "x", "1",
            "query", "plan", "ほぞ", "$", "(", ")", "\t", "\r", "\u{c}", "\\",
        ]), 0..24)
    ) {
        // Text comes as lines, so a word at the end has ended.
        let text = parts.concat() + "\n";
        prop_assert_eq!(complete(&text), sqlite_says(&text), "{:?}", text);
    }

    #[test]
    fn nothing_is_lost(lines in prop::collection::vec("[a-z;'\"/*\\- ]{0,12}", 0..12)) {
        let mut splitter = Splitter::new();
        let mut out = String::new();
        for line in &lines {
            splitter.push(line);
            splitter.push("\n");
            out.extend(splitter.take());
        }
        out += &splitter.take_rest();
        prop_assert_eq!(out, lines.iter().map(|l| format!("{l}\n")).collect::<String>());
    }
}
