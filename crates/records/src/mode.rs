//! How keys are compared to a pattern.

use std::fmt;
use std::str::FromStr;

use hozo_traits::{Error, ErrorKind};

/// How [`search`](crate::search) compares keys to a pattern.
///
/// Case is that of ASCII letters. A word is a part of a key with no ASCII
/// letter or digit right before or after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// `contain`: keys that contain the pattern.
    Contain,
    /// `begin`: keys that begin with it. On an ordered store, only those are
    /// looked at.
    Begin,
    /// `end`: keys that end with it.
    End,
    /// `regex`: keys of which a part is matched by it. `(?i)` before it ignores
    /// case; `(?a)`, `(?b)`, `(?e)` and `(?l)` say which grammar it has: that of
    /// awk, the basic, the extended, or that of egrep.
    Regex,
    /// `edit`: keys by how few characters have to be changed, added or removed
    /// to make it of them, the nearest first.
    Edit,
    /// `editbin`: the same by bytes.
    EditBin,
    /// `containcase`: as `contain`, whatever the case.
    ContainCase,
    /// `containword`: keys that contain it as a word.
    ContainWord,
    /// `containcaseword`: the same, whatever the case.
    ContainCaseWord,
    /// `contain*`: as `contain`, with any of the pattern's lines.
    ContainAny,
    /// `containcase*`: as `containcase`, with any of the lines.
    ContainCaseAny,
    /// `containword*`: as `containword`, with any of the lines.
    ContainWordAny,
    /// `containcaseword*`: as `containcaseword`, with any of the lines.
    ContainCaseWordAny,
    /// `upper`: keys above the pattern, ascending. Needs an ordered store, as
    /// the next three do.
    Upper,
    /// `upperinc`: keys at or above it, ascending.
    UpperInc,
    /// `lower`: keys below it, descending.
    Lower,
    /// `lowerinc`: keys at or below it, descending.
    LowerInc,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 17] = [
        Mode::Contain,
        Mode::Begin,
        Mode::End,
        Mode::Regex,
        Mode::Edit,
        Mode::EditBin,
        Mode::ContainCase,
        Mode::ContainWord,
        Mode::ContainCaseWord,
        Mode::ContainAny,
        Mode::ContainCaseAny,
        Mode::ContainWordAny,
        Mode::ContainCaseWordAny,
        Mode::Upper,
        Mode::UpperInc,
        Mode::Lower,
        Mode::LowerInc,
    ];

    /// Its name, as clients say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Contain => "contain",
            Mode::Begin => "begin",
            Mode::End => "end",
            Mode::Regex => "regex",
            Mode::Edit => "edit",
            Mode::EditBin => "editbin",
            Mode::ContainCase => "containcase",
            Mode::ContainWord => "containword",
            Mode::ContainCaseWord => "containcaseword",
            Mode::ContainAny => "contain*",
            Mode::ContainCaseAny => "containcase*",
            Mode::ContainWordAny => "containword*",
            Mode::ContainCaseWordAny => "containcaseword*",
            Mode::Upper => "upper",
            Mode::UpperInc => "upperinc",
            Mode::Lower => "lower",
            Mode::LowerInc => "lowerinc",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Mode::ALL.into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| {
            let names: Vec<&str> = Mode::ALL.into_iter().map(Mode::as_str).collect();
            Error::new(ErrorKind::Invalid, "unknown mode")
                .with("mode", format!("{text:?}"))
                .with("modes are", names.join(" "))
        })
    }
}
