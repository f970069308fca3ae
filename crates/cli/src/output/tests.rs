use super::*;

#[test]
fn sizes_have_a_digit_or_two_that_matter() {
    let cases = [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (1536 * 1024, "1.5 MiB"),
        (u64::MAX, "16 EiB"),
    ];
    for (bytes, shown) in cases {
        assert_eq!(size(bytes), shown);
    }
}

#[test]
fn times_are_told_in_two_units() {
    let at = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
    let now = at(10_000_000);
    assert_eq!(ago(now, now), "now");
    assert_eq!(ago(now, at(10_000_000 - 59)), "59s ago");
    assert_eq!(ago(now, at(10_000_000 - 200)), "3m 20s ago");
    assert_eq!(ago(now, at(10_000_000 - 3600)), "1h ago");
    assert_eq!(ago(now, at(10_000_000 - 3605)), "1h ago");
    assert_eq!(ago(now, at(10_000_000 - 8 * 86400)), "1w 1d ago");
    assert_eq!(ago(now, at(10_000_060)), "in 1m");
}

#[test]
fn lists_line_up() {
    let rows = [["a".to_owned(), "10".to_owned()], ["longer".to_owned(), "5".to_owned()]];
    assert_eq!(list(["NAME", "N"], &[1], rows), "NAME     N\na       10\nlonger   5");
}

#[test]
fn nothing_reaches_the_terminal_that_would_steer_it() {
    assert_eq!(printable("a\x1b[31mb\u{9b}\n"), "a\u{241b}[31mb\u{2421}\n");
}
