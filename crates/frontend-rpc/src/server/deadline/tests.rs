use super::*;

#[test]
fn units_are_those_of_the_protocol() {
    for (text, time) in [
        ("1H", Duration::from_secs(3600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ("00000000S", Duration::ZERO),
    ] {
        assert_eq!(parse(text.as_bytes()), Some(time), "{text}");
    }
}

#[test]
fn what_is_none_is_refused() {
    for text in ["", "S", "1", "1s", "1h", "-1S", "+1S", "123456789S", "1.5S", " 1S", "1S ", "1SS"]
    {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
}
