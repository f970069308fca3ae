use proptest::prelude::*;

use super::*;

fn refused(name: &str) -> Error {
    let answer = name.parse::<NamespaceName>();
    let error = answer.expect_err(&format!("{name:?} is no name"));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error
}

fn context<'a>(error: &'a Error, key: &str) -> Option<&'a str> {
    error.context().iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_str())
}

#[test]
fn ordinary_names_are_names() {
    let longest = "x".repeat(255);
    for name in [
        "app",
        "a",
        "7",
        "_",
        "+",
        "app/users",
        "a/b/c",
        "v1.2",
        "x-y_z",
        "db:main",
        "app.db",
        "größe",
        "日本語",
        "a..b",
        "app~1",
        "a/b~12",
        &longest,
    ] {
        let parsed: NamespaceName = name.parse().unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_eq!(parsed.as_str(), name);
    }
}

#[test]
fn every_odd_byte_is_named_with_its_position() {
    for byte in 0..=u8::MAX {
        let bytes = [b'a', b'b', byte, b'c'];
        let answer = NamespaceName::from_bytes(&bytes);
        if byte.is_ascii_alphanumeric() || b"_-./:+".contains(&byte) {
            answer.unwrap_or_else(|e| panic!("{byte:#x}: {e}"));
            continue;
        }
        let error = answer.expect_err("it is no name");
        assert_eq!(context(&error, "position"), Some("3"), "{error}");
        let shown = if byte.is_ascii() { format!("U+{byte:04X}") } else { format!("0x{byte:02x}") };
        // The rollback mark is a fitting character in a wrong place.
        assert!(byte == b'~' || error.to_string().contains(&shown), "{error}");
        // Nobody's terminal gets control characters from an error text.
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn positions_count_characters_not_bytes() {
    let error = refused("größe@");
    assert_eq!(context(&error, "position"), Some("6"), "{error}");
    assert!(error.to_string().contains("'@'"), "{error}");
}

#[test]
fn what_cannot_begin_a_name_is_told() {
    for name in ["-x", ".x", ":memory:", "/x"] {
        let error = refused(name);
        assert_eq!(context(&error, "position"), Some("1"), "{error}");
        assert!(error.message().contains("begin"), "{error}");
    }
}

#[test]
fn parts_are_neither_empty_nor_dots() {
    for (name, position, says) in [
        ("a/", "3", "end with '/'"),
        ("a//b", "3", "'//'"),
        ("a//", "3", "'//'"),
        ("a/../b", "3", "'..'"),
        ("a/.", "3", "'.'"),
        ("ab/c/..", "6", "'..'"),
    ] {
        let error = refused(name);
        assert!(error.message().contains(says), "{name}: {error}");
        assert_eq!(context(&error, "position"), Some(position), "{name}: {error}");
    }
}

#[test]
fn side_files_and_lengths_are_refused() {
    for name in ["app-journal", "app-wal", "a/b-shm"] {
        assert!(refused(name).message().contains("SQLite"), "{name}");
    }
    refused("");
    let error = refused(&"ü".repeat(128));
    assert_eq!(context(&error, "bytes"), Some("256"));
    assert!(error.to_string().len() < 300, "{error}");
}

#[test]
fn rollback_lines_can_be_named_but_not_made() {
    for name in ["~1", "a~", "a~x", "a~1x", "a~1~2", "a/~1", "a~1/b"] {
        assert!(refused(name).message().contains('~'), "{name}");
    }
    let line: NamespaceName = "app~1".parse().expect("it is a name");
    assert!(line.is_rollback_line());
    line.check_new().expect_err("only a rollback makes it");
}

#[test]
fn look_alikes_by_combining_marks_are_refused() {
    // The decomposed form of "é" would look like the composed one.
    assert!(refused("e\u{301}").to_string().contains("U+0301"));
    assert!(refused("a\u{200b}b").to_string().contains("U+200B"));
}

proptest! {
    #[test]
    fn any_text_is_a_name_or_an_error(text in ".{0,40}") {
        if let Ok(name) = text.parse::<NamespaceName>() {
            prop_assert_eq!(name.to_string(), text.clone());
            prop_assert_eq!(name.to_string().parse::<NamespaceName>()?, name);
        }
    }

    #[test]
    fn any_bytes_are_a_name_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = NamespaceName::from_bytes(&bytes);
    }

    #[test]
    fn names_of_fitting_characters_round_trip(text in "[a-zé日][a-z0-9_.:+-]{0,10}(/[a-z][a-z0-9]{0,5}){0,3}(~[0-9]{1,3})?") {
        let name: NamespaceName = text.parse()?;
        prop_assert_eq!(name.to_string(), text);
    }
}
