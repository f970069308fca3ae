//! Numbers of the command line.

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, |s| s > 0.0 && s <= SECONDS_MAX).ok_or_else(|| "seconds, above 0".to_owned())
}

pub(crate) fn waiting(text: &str) -> Result<f64, String> {
    number(text, |s| (0.0..=SECONDS_MAX).contains(&s))
        .ok_or_else(|| "seconds, 0 or more".to_owned())
}

/// Seconds that fit every form in which they travel: some 3000 years.
const SECONDS_MAX: f64 = 1e11;

fn number(text: &str, fits: impl Fn(f64) -> bool) -> Option<f64> {
    text.parse().ok().filter(|number| fits(*number))
}

/// `i64::MIN` on the wire means that nothing is added.
pub(crate) fn increment(text: &str) -> Result<i64, String> {
    if text == "read" {
        return Ok(i64::MIN);
    }
    let wrong = || format!("a number from {} to {}, or `read`", i64::MIN + 1, i64::MAX);
    text.parse().ok().filter(|by| *by != i64::MIN).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_by_mistake() {
        assert_eq!(increment("-5"), Ok(-5));
        assert_eq!(increment("read"), Ok(i64::MIN));
        assert!(increment("-9223372036854775808").is_err());
        assert!(waiting("-1").is_err() && waiting("inf").is_err() && waiting("nan").is_err());
        assert!(positive("0").is_err() && positive("0.5").is_ok());
    }
}
