//! Whether a key is what is searched for.

use hozo_traits::{Error, ErrorKind, Result};
use regex::bytes::Regex;

use crate::Mode;
use crate::pattern;

/// The longest pattern of [`Mode::Contain`] and the like, and the most lines of
/// those that have lines: each key is compared to all of it.
pub const CONTAIN_PATTERN_BYTES_MAX: usize = 64 << 10;
/// See [`CONTAIN_PATTERN_BYTES_MAX`].
pub const CONTAIN_LINES_MAX: usize = 1000;

/// What one key is compared to.
pub(crate) enum Matcher {
    Begins(Vec<u8>),
    Ends(Vec<u8>),
    Regex(Regex),
    /// Any of these is contained.
    Contains {
        needles: Vec<Vec<u8>>,
        any_case: bool,
        word: bool,
    },
}

impl Matcher {
    /// `None` if the mode is not about one key at a time.
    pub(crate) fn new(mode: Mode, pattern: &[u8]) -> Result<Option<Matcher>> {
        let whole = || vec![pattern.to_vec()];
        // Empty lines are none: every key would contain them.
        let lines = || {
            let lines = pattern.split(|byte| *byte == b'\n');
            lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let (needles, any_case, word) = match mode {
            Mode::Begin => return Ok(Some(Matcher::Begins(pattern.to_vec()))),
            Mode::End => return Ok(Some(Matcher::Ends(pattern.to_vec()))),
            Mode::Regex => return Ok(Some(Matcher::Regex(pattern::regex(pattern)?))),
            Mode::Contain => (whole(), false, false),
            Mode::ContainCase => (whole(), true, false),
            Mode::ContainWord => (whole(), false, true),
            Mode::ContainCaseWord => (whole(), true, true),
            Mode::ContainAny => (lines(), false, false),
            Mode::ContainCaseAny => (lines(), true, false),
            Mode::ContainWordAny => (lines(), false, true),
            Mode::ContainCaseWordAny => (lines(), true, true),
            Mode::Edit
            | Mode::EditBin
            | Mode::Upper
            | Mode::UpperInc
            | Mode::Lower
            | Mode::LowerInc => return Ok(None),
        };
        if pattern.len() > CONTAIN_PATTERN_BYTES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "the pattern is too long to look for")
                .with("bytes", pattern.len())
                .with("CONTAIN_PATTERN_BYTES_MAX", CONTAIN_PATTERN_BYTES_MAX));
        }
        if needles.len() > CONTAIN_LINES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "the pattern has too many lines")
                .with("lines", needles.len())
                .with("CONTAIN_LINES_MAX", CONTAIN_LINES_MAX));
        }
        let mut needles = needles;
        if any_case {
            needles.iter_mut().for_each(|needle| needle.make_ascii_lowercase());
        }
        Ok(Some(Matcher::Contains { needles, any_case, word }))
    }

    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        match self {
            Matcher::Begins(pattern) => key.starts_with(pattern),
            Matcher::Ends(pattern) => key.ends_with(pattern),
            Matcher::Regex(regex) => regex.is_match(key),
            Matcher::Contains { needles, any_case, word } => {
                let lower = any_case.then(|| key.to_ascii_lowercase());
                let key = lower.as_deref().unwrap_or(key);
                needles.iter().any(|needle| contains(key, needle, *word))
            }
        }
    }
}

fn contains(key: &[u8], needle: &[u8], word: bool) -> bool {
    let Some(first) = needle.first() else { return true };
    let Some(last_start) = key.len().checked_sub(needle.len()) else { return false };
    let outside = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
    (0..=last_start).any(|start| {
        let end = start + needle.len();
        key[start] == *first
            && key[start..end] == *needle
            && (!word
                || outside(start.checked_sub(1).map(|before| &key[before]))
                    && outside(key.get(end)))
    })
}
