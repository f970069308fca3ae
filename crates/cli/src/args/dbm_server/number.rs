//! Numbers as Tkrzw's commands take them.

/// A whole number; `64Mi` is 64 times 2^20, `1.5k` is 1500.
pub(super) fn metric(text: &str) -> Result<i64, String> {
    exact(text).ok_or_else(|| {
        "a number, which may end in k, ki, m, mi, g, gi, t or ti, such as 64Mi".to_owned()
    })
}

fn exact(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, number) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let factor = factor(unit)?;
    // As many digits as there are in a number of 64 bits.
    if whole.len() > 19 || fraction.len() > 18 || fraction.contains('.') {
        return None;
    }
    let part = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let below = part(fraction)? * factor / 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    i64::try_from(sign * (part(whole)? * factor + below)).ok()
}

fn factor(unit: &str) -> Option<i128> {
    let unit = unit.trim().to_ascii_lowercase();
    let (letter, base): (&str, i128) = match unit.strip_suffix('i') {
        Some(letter) => (letter, 1024),
        None => (&unit, 1000),
    };
    let power = match (letter, base) {
        ("", 1000) => 0,
        ("k", _) => 1,
        ("m", _) => 2,
        ("g", _) => 3,
        ("t", _) => 4,
        _ => return None,
    };
    Some(base.pow(power))
}

/// Seconds, which may have a fraction, and be less than none for an endless time.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite());
    number.ok_or_else(|| "a number of seconds, such as 1.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        for (text, number) in [
            ("0", 0),
            ("12", 12),
            ("-5000", -5000),
            ("+3", 3),
            ("1k", 1000),
            ("1Ki", 1024),
            ("64Mi", 64 << 20),
            ("2m", 2_000_000),
            ("1Gi", 1 << 30),
            ("1G", 1_000_000_000),
            ("3TI", 3 << 40),
            ("1.5k", 1500),
            ("0.5Ki", 512),
            (" 7 ", 7),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(metric(text), Ok(number), "{text}");
        }
        for wrong in [
            "",
            "k",
            "-",
            ".",
            "1x",
            "1i",
            "1kib",
            "1.2.3",
            "9223372036854775808",
            "9999999999t",
            "１",
        ] {
            assert!(metric(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn seconds_are_numbers() {
        assert_eq!((seconds("1.5"), seconds("-1")), (Ok(1.5), Ok(-1.0)));
        assert!(seconds("inf").is_err() && seconds("nan").is_err() && seconds("x").is_err());
    }
}
