//! Search.

use hozo_proto::StatusCode::{self, InvalidArgumentError, NotImplementedError, Success};
use hozo_proto::tkrzw_rpc::*;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("search_finds_what_each_mode_says", modes),
    Clause::new("search_stops_at_its_capacity", capacity),
    Clause::new("search_by_distance_gives_the_nearest", distance),
    Clause::new("search_above_and_below_a_key", bounds).ordered(),
    Clause::new("search_without_order_knows_no_bounds", no_bounds).unordered(),
    Clause::new("search_refuses_what_it_does_not_know", refused),
    Clause::new("a_terrible_regex_ends", terrible).ours(),
];

fn fill(kit: &Kit) {
    let keys =
        ["Japan", "japan", "Java", "New Jersey", "New York", "york", "", "東京", "東", "a.b"];
    keys.iter().for_each(|key| kit.put(key, "value"));
}

fn search(kit: &Kit, mode: &str, pattern: &str, capacity: i32) -> (StatusCode, Vec<String>) {
    let request =
        SearchRequest { dbm_index: kit.index, mode: mode.into(), pattern: b(pattern), capacity };
    let answer = kit.search(request).expect("answered");
    let text = |key: &bytes::Bytes| String::from_utf8(key.to_vec()).expect("text");
    (code(&answer.status), answer.matched.iter().map(text).collect())
}

/// What it finds, sorted.
fn found(kit: &Kit, mode: &str, pattern: &str) -> Vec<String> {
    let (status, mut found) = search(kit, mode, pattern, 0);
    assert_eq!(status, Success, "{mode} {pattern}");
    found.sort();
    found
}

fn modes(kit: &Kit) {
    fill(kit);
    assert_eq!(found(kit, "contain", "ap"), ["Japan", "japan"]);
    assert_eq!(found(kit, "begin", "Ja"), ["Japan", "Java"]);
    assert_eq!(found(kit, "end", "ork"), ["New York", "york"]);
    assert_eq!(found(kit, "end", "京"), ["東京"]);
    assert_eq!(found(kit, "regex", "^[JN].*a"), ["Japan", "Java"]);
    assert_eq!(found(kit, "regex", "(?i)^j"), ["Japan", "Java", "japan"]);
    assert_eq!(found(kit, "regex", "a\\.b"), ["a.b"]);
    assert_eq!(found(kit, "containcase", "JA"), ["Japan", "Java", "japan"]);
    assert_eq!(found(kit, "containword", "York"), ["New York"]);
    assert_eq!(found(kit, "containcaseword", "york"), ["New York", "york"]);
    assert_eq!(found(kit, "contain*", "ava\nork"), ["Java", "New York", "york"]);
    assert_eq!(found(kit, "containcase*", "AVA\njerSEY"), ["Java", "New Jersey"]);
    assert_eq!(found(kit, "containword*", "New\nJava"), ["Java", "New Jersey", "New York"]);
    assert_eq!(found(kit, "containcaseword*", "new\nYORK"), ["New Jersey", "New York", "york"]);
    assert_eq!(found(kit, "begin", "").len(), 10);
    assert_eq!(found(kit, "contain", "nowhere"), Vec::<String>::new());
}

fn capacity(kit: &Kit) {
    for n in 0..100 {
        kit.put(format!("{n:03}"), "");
    }
    for mode in ["contain", "begin", "regex"] {
        assert_eq!(search(kit, mode, "0", 7).1.len(), 7, "{mode}");
        assert_eq!(search(kit, mode, "0", 0).1.len(), search(kit, mode, "0", -1).1.len());
    }
    assert_eq!(search(kit, "begin", "0", 0).1.len(), 100);
}

fn distance(kit: &Kit) {
    fill(kit);
    assert_eq!(search(kit, "edit", "Japan", 2), (Success, vec!["Japan".into(), "japan".into()]));
    assert_eq!(search(kit, "edit", "東北", 1), (Success, vec!["東".into()]));
    assert_eq!(search(kit, "editbin", "Java", 1), (Success, vec!["Java".into()]));
}

fn bounds(kit: &Kit) {
    for key in ["a", "b", "c", "d"] {
        kit.put(key, "");
    }
    let of = |mode: &str, key: &str, capacity: i32| search(kit, mode, key, capacity).1;
    assert_eq!(of("upper", "b", 10), ["c", "d"]);
    assert_eq!(of("upperinc", "b", 10), ["b", "c", "d"]);
    assert_eq!(of("lower", "c", 10), ["b", "a"]);
    assert_eq!(of("lowerinc", "c", 2), ["c", "b"]);
    assert_eq!(of("upper", "bb", 1), ["c"]);
    assert_eq!(of("upper", "d", 10), Vec::<String>::new());
    assert_eq!(of("upper", "a", 0), Vec::<String>::new());
}

fn no_bounds(kit: &Kit) {
    kit.put("a", "");
    for mode in ["upper", "upperinc", "lower", "lowerinc"] {
        assert_eq!(search(kit, mode, "", 10), (NotImplementedError, vec![]), "{mode}");
    }
}

fn refused(kit: &Kit) {
    fill(kit);
    for mode in ["", "nonsense", "BEGIN", "upper*"] {
        assert_eq!(search(kit, mode, "a", 10), (InvalidArgumentError, vec![]), "{mode:?}");
    }
    assert_eq!(search(kit, "regex", "(", 10), (InvalidArgumentError, vec![]));
}

fn terrible(kit: &Kit) {
    kit.put("a".repeat(4000), "");
    for pattern in ["(a*)*b", "(a|aa)+$b", "(?:a?){50}a{50}b"] {
        let (status, found) = search(kit, "regex", pattern, 10);
        assert!(status == Success || status == InvalidArgumentError, "{pattern}: {status}");
        assert_eq!(found, Vec::<String>::new());
    }
    let huge = search(kit, "regex", "((((a{9}){9}){9}){9}){99}", 10);
    assert!(matches!(huge.0, Success | InvalidArgumentError), "{huge:?}");
}
