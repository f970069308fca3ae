use super::*;

#[test]
fn both_times_are_found_behind_any_name() {
    let fields = "S 1 2 3 4 5 6 7 8 9 10 250 17 0 0 20";
    for name in ["hozo", "a b", ") (", "x) S 9 9"] {
        assert_eq!(ticks(&format!("4711 ({name}) {fields}")), Some(267), "{name}");
    }
    for broken in ["", "4711 (hozo", "4711 (hozo) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x y"] {
        assert_eq!(ticks(broken), None, "{broken}");
    }
}

#[test]
fn this_process_has_used_some_and_nobody_has_none() {
    assert!(cpu_nanos(std::process::id()).is_some());
    assert_eq!(cpu_nanos(u32::MAX), None);
}
