use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).unwrap().matches(name)
}

#[test]
fn the_table_of_the_docs_holds() {
    assert!(matches("app", "app"));
    assert!(!matches("app", "app/a"));
    assert!(!matches("app", "App"));
    assert!(matches("app/*", "app/a"));
    assert!(matches("app/*", "app/"));
    assert!(!matches("app/*", "app/a/b"));
    assert!(!matches("app/*", "app"));
    assert!(matches("app/**", "app/a/b"));
    assert!(matches("**", "anything/at/all"));
    assert!(matches("*.db", "x.db"));
    assert!(!matches("*.db", "a/x.db"));
    assert!(matches("a?c", "abc"));
    assert!(!matches("a?c", "a/c"));
    assert!(matches("ほ*", "ほぞ"));
    assert!(matches("*a*b*", "xaxbx"));
    assert!(!matches("*a*b*", "xbxax"));
}

#[test]
fn covering_is_found_where_it_is() {
    let covers = |a, b| Pattern::new(a).unwrap().covers(&Pattern::new(b).unwrap());
    assert!(covers("**", "app/*"));
    assert!(covers("app/**", "app/*"));
    assert!(covers("app/*", "app/x"));
    assert!(covers("app/*", "app/?"));
    assert!(!covers("app/*", "app/**"));
    assert!(!covers("app/?", "app/*"));
    assert!(!covers("a*", "*b"));
}

#[test]
fn what_no_name_can_be_is_no_pattern() {
    for bad in ["", "a@b", "/tmp/*", ".hidden", "a\0b", &"x".repeat(256)] {
        assert!(Pattern::new(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    /// What `a` covers of `b`, `a` matches of every name that `b` matches.
    #[test]
    fn covering_is_sound(a in "[ab*?/]{1,6}", b in "[ab*?/]{1,6}", name in "[ab/]{0,6}") {
        let (Ok(a), Ok(b)) = (Pattern::new(&a), Pattern::new(&b)) else { return Ok(()) };
        if a.covers(&b) && b.matches(&name) {
            prop_assert!(a.matches(&name), "{a} covers {b}, but not {name}");
        }
    }

    /// The same answers as the plainest way to write it.
    #[test]
    fn matching_is_as_by_hand(pattern in "[ab*?/]{1,6}", name in "[ab/]{0,6}") {
        fn by_hand(p: &[u8], n: &[u8]) -> bool {
            match p {
                [] => n.is_empty(),
                [b'*', b'*', rest @ ..] => (0..=n.len()).any(|i| by_hand(rest, &n[i..])),
                [b'*', rest @ ..] => (0..=n.len())
                    .take_while(|i| !n[..*i].contains(&b'/'))
                    .any(|i| by_hand(rest, &n[i..])),
                [b'?', rest @ ..] => matches!(n, [c, tail @ ..] if *c != b'/' && by_hand(rest, tail)),
                [c, rest @ ..] => matches!(n, [d, tail @ ..] if c == d && by_hand(rest, tail)),
            }
        }
        let Ok(parsed) = Pattern::new(&pattern) else { return Ok(()) };
        prop_assert_eq!(parsed.matches(&name), by_hand(pattern.as_bytes(), name.as_bytes()));
    }
}
