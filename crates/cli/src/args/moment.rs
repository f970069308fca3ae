//! Times as Tkrzw's commands take them, and as Hozo's do.

use std::str::FromStr;

use hozo::pages::When;
use hozo::traits::Timestamp;

/// A moment, perhaps so long before or after now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    At(Timestamp),
    /// Microseconds after now.
    FromNow(i64),
}

/// The suffixes of Tkrzw, in milliseconds.
const UNITS: [(char, i64); 4] = [('D', 86_400_000), ('H', 3_600_000), ('M', 60_000), ('S', 1000)];

impl Moment {
    /// Which one it is if it is `now`.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(time) => time,
            Moment::FromNow(micros) => {
                Timestamp::from_micros(now.as_micros().saturating_add_signed(micros))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Some(moment) = as_tkrzw(text) {
            return Ok(moment);
        }
        let wrong = || {
            "milliseconds since 1970, how long ago such as -3D (D H M S), or a time such as \
             2026-11-21T09:30:00Z"
                .to_owned()
        };
        match text.parse() {
            Ok(When::Time(time)) => Ok(Moment::At(time)),
            Ok(When::Ago(ago)) => i64::try_from(ago.as_micros())
                .map(|micros| Moment::FromNow(-micros))
                .map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// Digits, with a sign if it is from now on, and a unit.
fn as_tkrzw(text: &str) -> Option<Moment> {
    let sign = match text.chars().next()? {
        '-' => Some(-1),
        '+' => Some(1),
        _ => None,
    };
    let rest = if sign.is_some() { &text[1..] } else { text };
    let last = rest.chars().last()?.to_ascii_uppercase();
    let unit = UNITS.iter().find(|(suffix, _)| *suffix == last);
    let digits = if unit.is_some() { &rest[..rest.len() - 1] } else { rest };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let millis = number.checked_mul(unit.map_or(1, |(_, millis)| *millis))?;
    let micros = millis.checked_mul(1000)?;
    Some(match sign {
        Some(sign) => Moment::FromNow(sign * micros),
        None => Moment::At(Timestamp::from_micros(micros as u64)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tkrzw_does_and_as_hozo_does() {
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        let micros = |text: &str| text.parse::<Moment>().map(|m| m.from(now).as_micros());
        let ago = |micros| Ok(now.as_micros() - micros);
        assert_eq!(micros("0"), Ok(0));
        assert_eq!(micros("1700000000123"), Ok(1_700_000_000_123_000));
        assert_eq!(micros("-3D"), ago(3 * 86_400_000_000));
        assert_eq!(micros("-2h"), ago(7_200_000_000));
        assert_eq!(micros("-5M"), ago(300_000_000));
        assert_eq!(micros("-7s"), ago(7_000_000));
        assert_eq!(micros("-250"), ago(250_000));
        assert_eq!(micros("+1S"), Ok(now.as_micros() + 1_000_000));
        assert_eq!(micros("-999999D"), Ok(0), "before 1970 there is nothing");
        assert_eq!(micros("-1h30m"), ago(5_400_000_000));
        assert_eq!(micros("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert_eq!(micros("1970-01-01 01:00:00.5+01:00"), Ok(500_000));
        for text in
            ["", "-", "+", "D", "-D", "3X", "-1.5D", "head", "99999999999999999999", "ß", "-ß"]
        {
            assert!(micros(text).is_err(), "{text}");
        }
    }
}
