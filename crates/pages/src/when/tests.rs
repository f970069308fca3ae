use proptest::prelude::*;

use super::*;

fn when(text: &str) -> When {
    text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn refused(text: &str) -> String {
    let error = text.parse::<When>().expect_err(&format!("{text:?} is no moment"));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let shown = error.to_string();
    for form in ["20 hex digits", "2026-11-21T09:30:00Z", "-1h30m", "UTC", "a tag", "head"] {
        assert!(shown.contains(form), "{text:?}: lists no {form}: {shown}");
    }
    shown
}

/// Microseconds since the epoch.
fn time(micros: u64) -> When {
    When::Time(Timestamp::from_micros(micros))
}

/// 2026-11-21T00:00:00Z.
const DAY: u64 = 1_795_219_200_000_000;
const SECOND: u64 = 1_000_000;
/// The same day's 09:30.
const HALF_PAST_NINE: u64 = DAY + (9 * 60 + 30) * 60 * SECOND;

#[test]
fn versions_are_exactly_twenty_hex_digits() {
    assert_eq!(when("00000000000004d20000"), When::Version(Version::from_seq(0x4d2)));
    // Also where it is all letters, which a tag could be, or upper case.
    assert_eq!(when("abcdefabcdefabcdefab").to_string(), "abcdefabcdefabcdefab");
    assert_eq!(when("ABCDEFABCDEFABCDEFAB").to_string(), "abcdefabcdefabcdefab");
    for near in ["00000000000004d2000", "00000000000004d200000", "abcdefabcdefabcdefa"] {
        assert!(refused(near).contains(&format!("digits {}", near.len())), "{near}");
    }
}

#[test]
fn times_have_many_forms() {
    for (text, micros) in [
        ("2026-11-21", DAY),
        ("2026-11-21 09:30", HALF_PAST_NINE),
        ("2026-11-21T09:30", HALF_PAST_NINE),
        ("2026-11-21t09:30z", HALF_PAST_NINE),
        ("2026-11-21T09:30:00Z", HALF_PAST_NINE),
        ("2026-11-21 09:30:00.123456", HALF_PAST_NINE + 123_456),
        ("2026-11-21 09:30:00,5", HALF_PAST_NINE + 500_000),
        ("2026-11-21T09:30:00.123456789Z", HALF_PAST_NINE + 123_456),
        ("2026-11-21T10:30:00+01:00", HALF_PAST_NINE),
        ("2026-11-21T04:00:07-05:30", HALF_PAST_NINE + 7 * SECOND),
        ("2026-11-20T20:00+00:00", DAY - 4 * 3600 * SECOND),
        ("1970-01-01", 0),
        ("2024-02-29", 1_709_164_800_000_000),
    ] {
        assert_eq!(when(text), time(micros), "{text}");
    }
}

#[test]
fn wrong_times_say_what_is_wrong() {
    for (text, says) in [
        ("2026-11-31", "no such day"),
        ("2026-02-29", "no such day"),
        ("2026-13-01", "no such day"),
        ("2026-11-21T24:00", "no such time"),
        ("2026-11-21T09:60", "no such time"),
        ("2026-11-21T09:30:61", "no such time"),
        ("2026-11-21X09:30", "'T' or a space"),
        ("2026-11-21T", "time of day is written"),
        ("2026-11-21T9:30", "time of day is written"),
        ("2026-11-21T09:30:", "time of day is written"),
        ("2026-11-21T09:30:00.", "time of day is written"),
        ("2026-11-21T09:30:00.1234567890", "time of day is written"),
        ("2026-11-21T09:30:00 Z", "after the time of day"),
        ("2026-11-21T09:30:00+1", "after the time of day"),
        ("2026-11-21T09:30:00+0100", "after the time of day"),
        ("2026-11-21T09:30:00+24:00", "after the time of day"),
        ("2026-11-21T09:30:00Z[UTC]", "after the time of day"),
        ("2026-11-2", "a date is written"),
        ("2026", "a date is written"),
        ("20261121", "a date is written"),
        ("09:30:00", "a date is written"),
        ("1969-12-31T23:59:59Z", "begin with 1970"),
        ("1970-01-01T00:00+01:00", "begin with 1970"),
        ("2026-11-２1", "a date is written"),
    ] {
        assert!(refused(text).contains(says), "{text}: {}", refused(text));
    }
}

#[test]
fn how_long_ago() {
    for (text, seconds) in [
        ("-5m", 300),
        ("-1h30m", 5400),
        ("-2d", 172_800),
        ("-1w2d3h4m5s", 788_645),
        ("-90s", 90),
        ("-0s", 0),
    ] {
        assert_eq!(when(text), When::Ago(Duration::from_secs(seconds)), "{text}");
    }
    assert_eq!(when("-1m0.25s"), When::Ago(Duration::from_millis(60_250)));
    for text in [
        "-",
        "-5",
        "-m",
        "-5x",
        "-5m1h",
        "-5m5m",
        "-1.5h",
        "-1.s",
        "-.5s",
        "--5m",
        "-5m-1s",
        "-99999999999999999999s",
        "-18446744073709551615w",
        "-5 m",
        "-５m",
        "-1.2.3s",
        "-18446744073709551615s1s",
        "-5mä",
    ] {
        refused(text);
    }
}

#[test]
fn tags_look_like_nothing_else() {
    for tag in ["release-1", "v1.0", "größe", "a", "deadbeef", "x".repeat(64).as_str()] {
        assert_eq!(when(tag).to_string(), tag);
        assert!(matches!(when(tag), When::Tag(_)), "{tag}");
    }
    for text in ["", "_x", ".x", "a b", "a@b", "a/b", "a\0", "x".repeat(65).as_str(), "+5m"] {
        refused(text);
    }
    assert_eq!(when("head"), When::Head);
    "head".parse::<TagName>().expect_err("it is the head");
    "abcdefabcdefabcdefab".parse::<TagName>().expect_err("it is a version");
}

#[test]
fn targets_are_names_with_or_without_a_moment() {
    let target: Target = "app/users".parse().expect("a name is a target");
    assert_eq!(target.when, When::Head);
    let target: Target = "app@2026-11-21 09:30".parse().expect("a name at a time is one");
    assert_eq!(target.when, time(HALF_PAST_NINE));
    assert_eq!(target.to_string(), "app@2026-11-21T09:30:00Z");
    assert_eq!("app@head".parse::<Target>().expect("the head is one").to_string(), "app");
    for text in ["", "@", "app@", "@head", "app@@head", "a pp@head"] {
        let error = text.parse::<Target>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let error = Target::from_bytes(b"app@\xff").expect_err("it is no text");
    assert!(error.to_string().contains("0xff"), "{error}");
}

#[test]
fn errors_show_little_of_a_long_text() {
    let shown = refused(&"9".repeat(100_000));
    assert!(shown.len() < 600, "{shown}");
}

#[test]
fn times_beyond_the_calendar_are_shown() {
    assert_eq!(format_time(Timestamp::from_micros(u64::MAX)), "the year 10000 or later");
    assert_eq!(format_time(Timestamp::from_micros(1)), "1970-01-01T00:00:00.000001Z");
}

proptest! {
    #[test]
    fn any_text_is_a_moment_or_an_error(text in ".{0,40}") {
        round_trips(&text)?;
    }

    #[test]
    fn text_that_is_nearly_right_is_a_moment_or_an_error(
        text in "[-0-9a-f]{0,22}|-?([0-9.]{0,6}[wdhms]){0,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{0,8}[.,]?[0-9]{0,9}[-+Z]?[0-9:]{0,6}"
    ) {
        round_trips(&text)?;
    }

    #[test]
    fn every_time_round_trips(micros in 0_u64..253_402_207_200_000_000) {
        let shown = time(micros).to_string();
        prop_assert_eq!(shown.parse::<When>()?, time(micros));
    }

    #[test]
    fn every_duration_round_trips(seconds: u64, nanos in 0_u32..1_000_000_000) {
        let ago = When::Ago(Duration::new(seconds, nanos));
        prop_assert_eq!(ago.to_string().parse::<When>()?, ago);
    }

    #[test]
    fn every_version_round_trips(bytes: [u8; 10]) {
        let version = When::Version(Version::from_bytes(bytes));
        prop_assert_eq!(version.to_string().parse::<When>()?, version);
    }

    #[test]
    fn any_bytes_are_a_target_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(target) = Target::from_bytes(&bytes) {
            prop_assert_eq!(target.to_string().parse::<Target>()?, target);
        }
    }
}

fn round_trips(text: &str) -> Result<(), TestCaseError> {
    if let Ok(when) = text.parse::<When>() {
        prop_assert_eq!(when.to_string().parse::<When>()?, when);
    }
    Ok(())
}
