//! Moments in the notation of Tkrzw's utilities.

use std::str::FromStr;
use std::time::Duration;

use hozo::pages::parse_time;
use hozo::traits::Timestamp;

/// A moment, or how long ago it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Age {
    /// So long before now.
    Ago(Duration),
    /// A moment.
    At(Timestamp),
}

impl Age {
    /// The moment, where it is `now`.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Age::At(at) => at,
            Age::Ago(age) => {
                let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
                Timestamp::from_micros(now.as_micros().saturating_sub(micros))
            }
        }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Age, String> {
        let wrong = || {
            "an age such as -3D, -12H, -30M or -10S, a time such as 2026-11-21T09:30:00Z, or \
             milliseconds since 1970"
                .to_owned()
        };
        if let Some(age) = text.strip_prefix('-') {
            return millis(age).map(|ms| Age::Ago(Duration::from_millis(ms))).ok_or_else(wrong);
        }
        if text.bytes().all(|digit| digit.is_ascii_digit()) && text.len() > 8 {
            let ms: u64 = text.parse().map_err(|_| wrong())?;
            let micros = ms.checked_mul(1000).ok_or_else(wrong)?;
            return Ok(Age::At(Timestamp::from_micros(micros)));
        }
        parse_time(text).map(Age::At).map_err(|_| wrong())
    }
}

/// Days, hours, minutes or seconds with their letter, milliseconds without one.
fn millis(text: &str) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()?.to_ascii_uppercase() {
        b'D' => (&text[..text.len() - 1], 86_400_000.0),
        b'H' => (&text[..text.len() - 1], 3_600_000.0),
        b'M' => (&text[..text.len() - 1], 60_000.0),
        b'S' => (&text[..text.len() - 1], 1000.0),
        _ => (text, 1.0),
    };
    let digits = number.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    let number: f64 = number.parse().ok().filter(|_| digits)?;
    // A hundred thousand years, so that nothing overflows.
    (number * unit <= 4e15).then_some((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_tkrzw_writes_them() {
        let ago = |text: &str| match text.parse() {
            Ok(Age::Ago(age)) => age.as_millis(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(ago("-3D"), 3 * 86_400_000);
        assert_eq!(ago("-12H"), 12 * 3_600_000);
        assert_eq!(ago("-30m"), 30 * 60_000);
        assert_eq!(ago("-1.5S"), 1500);
        assert_eq!(ago("-250"), 250);
        assert_eq!(ago("-0D"), 0);
        let at = "1795306391183".parse();
        assert_eq!(at, Ok(Age::At(Timestamp::from_micros(1_795_306_391_183_000))));
        let time: Age = "1970-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(time, Age::At(Timestamp::from_micros(86_400_000_000)));
        for wrong in ["", "-", "-D", "-3W", "3D", "-1e3S", "-99999999999999D", "x", "--3D"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_age_goes_no_further_back_than_time_does() {
        let now = Timestamp::from_micros(5_000_000);
        assert_eq!(Age::Ago(Duration::from_secs(2)).before(now).as_micros(), 3_000_000);
        assert_eq!(Age::Ago(Duration::from_secs(9)).before(now).as_micros(), 0);
    }
}
