//! Naming a namespace at a moment: `app`, `app@VERSION`, `app@TIME`, `app@-5m`.

mod ago;
mod time;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result, Timestamp, Version};

use crate::NamespaceName;

pub use time::{format_time, parse_time};

/// What may follow the `@`, for error texts.
const FORMS: &str = "after '@' comes a version (20 hex digits), a time such as 2026-11-21, \
    2026-11-21T09:30:00Z or 2026-11-21 09:30:00.5+01:00 (UTC where no offset is given), \
    how long ago such as -5m or -1h30m (w d h m s), a tag (which begins with a letter), or head";

/// Which moment of a namespace's history.
///
/// | written | means |
/// |---|---|
/// | `head` | the newest version |
/// | `00000000000004d20000` | the version: exactly 20 hex digits |
/// | `2026-11-21T09:30:00Z` | the time; also with an offset (`+01:00`), a space for the `T`, fractions of a second, without seconds; `2026-11-21` is its midnight. Without an offset it is UTC, whatever the local time zone is |
/// | `-1h30m` | so long ago, by the clock at the time of asking: `w`, `d`, `h`, `m`, `s`, largest first |
/// | `release-1` | the tag |
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// The newest version.
    Head,
    /// A version of the store.
    Version(Version),
    /// A moment by the wall clock.
    Time(Timestamp),
    /// So long before now.
    Ago(Duration),
    /// A named version.
    Tag(TagName),
}

impl FromStr for When {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        if s == "head" {
            return Ok(When::Head);
        }
        if let Ok(version) = s.parse() {
            return Ok(When::Version(version));
        }
        match s.chars().next() {
            None => Err(malformed(s, "nothing is named")),
            Some('-') => ago::parse(s).map(When::Ago),
            Some(c) if c.is_ascii_digit() => match hex_digits(s) {
                Some(digits) => {
                    Err(malformed(s, "a version has exactly 20 hex digits").with("digits", digits))
                }
                None => parse_time(s).map(When::Time),
            },
            Some(_) => s.parse().map(When::Tag),
        }
    }
}

/// How many hex digits it has, if it is nothing else and too long for a year.
fn hex_digits(s: &str) -> Option<usize> {
    (s.len() > 8 && s.bytes().all(|b| b.is_ascii_hexdigit())).then_some(s.len())
}

/// An error that shows the start of what was given, why it is wrong, and what
/// would be right.
fn malformed(given: &str, why: &str) -> Error {
    const SHOWN_MAX: usize = 64;
    let shown: String = given.chars().take(SHOWN_MAX).collect();
    let more = if shown.len() < given.len() { "..." } else { "" };
    Error::new(ErrorKind::Invalid, format!("{why}; {FORMS}"))
        .with("given", format_args!("{shown:?}{more}"))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Head => f.write_str("head"),
            When::Version(version) => version.fmt(f),
            When::Time(time) => f.write_str(&format_time(*time)),
            When::Ago(ago) => ago::format(*ago, f),
            When::Tag(tag) => tag.fmt(f),
        }
    }
}

/// A name for a version: a letter, then letters, digits and `_ - .`, at most 64
/// bytes, and nothing that looks like a version or is `head`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TagName(String);

impl TagName {
    /// Bytes in the longest tag.
    pub const BYTES_MAX: usize = 64;

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TagName {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        if s.len() > TagName::BYTES_MAX {
            return Err(malformed(s, "a tag has at most 64 bytes").with("bytes", s.len()));
        }
        if s.is_empty() || s == "head" {
            return Err(malformed(s, "this is no tag"));
        }
        if let Some(digits) = hex_digits(s).filter(|n| (16..=24).contains(n)) {
            return Err(malformed(
                s,
                "a tag may not look like a version, which has exactly 20 hex digits",
            )
            .with("digits", digits));
        }
        for (i, c) in s.chars().enumerate() {
            let fits = match c {
                '_' | '-' | '.' => i > 0,
                c if i == 0 => c.is_alphabetic(),
                c => c.is_alphanumeric(),
            };
            if !fits {
                return Err(malformed(
                    s,
                    "a tag begins with a letter and has letters, digits and _ - . only",
                )
                .with("character", format_args!("{c:?} U+{:04X}", c as u32))
                .with("position", i + 1));
            }
        }
        Ok(TagName(s.to_owned()))
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A namespace at a moment: `name` or `name@when`; see [`When`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// The namespace.
    pub name: NamespaceName,
    /// The moment.
    pub when: When,
}

impl Target {
    /// The target in these bytes, which may come from a C program and be anything.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(target) => target.parse(),
            // The name's error says which byte it is.
            Err(_) => Err(match NamespaceName::from_bytes(bytes) {
                Err(e) => e,
                Ok(name) => malformed(name.as_str(), "this is no text"),
            }),
        }
    }
}

impl From<NamespaceName> for Target {
    fn from(name: NamespaceName) -> Self {
        Target { name, when: When::Head }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s.split_once('@') {
            None => Ok(Target { name: s.parse()?, when: When::Head }),
            Some((name, when)) => Ok(Target { name: name.parse()?, when: when.parse()? }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Head => self.name.fmt(f),
            when => write!(f, "{}@{when}", self.name),
        }
    }
}

#[cfg(test)]
mod tests;
