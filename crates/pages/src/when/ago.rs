//! How long ago: `-5m`, `-1h30m`, `-2d`.

use std::fmt;
use std::time::Duration;

use hozo_traits::Result;

use super::malformed;

/// Letters and seconds, largest first, as they must be written.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Parses a minus and then numbers with units; seconds may have a fraction.
pub(super) fn parse(s: &str) -> Result<Duration> {
    let Some(mut rest) = s.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
        return Err(malformed(s, "'-' is followed by how long ago"));
    };
    let mut units = UNITS.iter();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let Some(unit) = after.chars().next() else {
            return Err(malformed(s, "a number needs a unit: w, d, h, m or s"));
        };
        let Some((_, seconds)) = units.find(|(letter, _)| *letter == unit) else {
            return Err(malformed(s, "the units are w, d, h, m, s, largest first, each once"));
        };
        let part = amount(number, *seconds)
            .ok_or_else(|| malformed(s, "before each unit comes a number that is not too large"))?;
        total = total
            .checked_add(part)
            .ok_or_else(|| malformed(s, "this is longer ago than can be said"))?;
        rest = &after[unit.len_utf8()..];
    }
    Ok(total)
}

/// `number` times a unit of so many seconds; a fraction only of one second.
fn amount(number: &str, seconds: u64) -> Option<Duration> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if seconds == 1 => (whole, fraction),
        Some(_) => return None,
        None => (number, "0"),
    };
    if fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse::<u64>().ok()?.checked_mul(seconds)?, nanos))
}

pub(super) fn format(ago: Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("-")?;
    let mut seconds = ago.as_secs();
    for (letter, unit) in &UNITS[..4] {
        if seconds >= *unit {
            write!(f, "{}{letter}", seconds / unit)?;
            seconds %= unit;
        }
    }
    let nanos = ago.subsec_nanos();
    if nanos > 0 {
        let fraction = format!("{nanos:09}");
        write!(f, "{seconds}.{}s", fraction.trim_end_matches('0'))
    } else if seconds > 0 || ago.is_zero() {
        write!(f, "{seconds}s")
    } else {
        Ok(())
    }
}
