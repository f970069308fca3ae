//! The names that namespaces may have.

use std::fmt;
use std::str::FromStr;

use hozo_traits::{Error, ErrorKind, Result};

/// The name of a namespace.
///
/// 1 to 255 bytes of UTF-8: letters and digits of any script, and `_ - . / : +`.
/// Names may look like relative paths (`app/users`), so they neither begin nor
/// end with `/`, have no empty part between two, and no part is `.` or `..`.
/// Not the first character: `.`, `:`, `-`. Not at the end: `-journal`, `-wal`,
/// `-shm`, which are SQLite's names for the files beside a database. `~` and
/// digits at the end are what a rollback appends (`app~1`): such a name can be
/// opened but not created.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName(String);

impl NamespaceName {
    /// Bytes in the longest name.
    pub const BYTES_MAX: usize = 255;

    /// The name in these bytes, which may come from a C program and be anything.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(name) => name.parse(),
            Err(e) => {
                let at = e.valid_up_to();
                Err(Error::new(
                    ErrorKind::Invalid,
                    "a namespace's name is UTF-8 text, without this byte",
                )
                .with("byte", format_args!("0x{:02x}", bytes[at]))
                .with("position", at + 1)
                .with("name", bytes.escape_ascii()))
            }
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a line that a rollback left behind, such as `app~1`.
    pub fn is_rollback_line(&self) -> bool {
        self.0.contains('~')
    }

    /// An error unless a client may give this name to a namespace.
    pub(crate) fn check_new(&self) -> Result<()> {
        if !self.is_rollback_line() {
            return Ok(());
        }
        Err(self.invalid("names with '~' are made by a rollback, not by create or rename"))
    }

    fn invalid(&self, message: &'static str) -> Error {
        invalid(&self.0, message)
    }
}

fn invalid(name: &str, message: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, message).with("name", format_args!("{name:?}"))
}

/// The side files that SQLite puts beside a database. A namespace with such a
/// name would be taken for another one's journal.
const SIDE_FILES: [&str; 3] = ["-journal", "-wal", "-shm"];

impl FromStr for NamespaceName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Err(invalid(name, "a namespace's name is not empty"));
        }
        if name.len() > NamespaceName::BYTES_MAX {
            // The name itself may be of any length; show its beginning only.
            let start: String = name.chars().take(32).collect();
            return Err(Error::new(ErrorKind::Invalid, "a namespace's name has at most 255 bytes")
                .with("bytes", name.len())
                .with("name", format_args!("{start:?}...")));
        }
        check_characters(name)?;
        check_parts(name)?;
        check_rollback_suffix(name)?;
        if SIDE_FILES.iter().any(|suffix| name.ends_with(suffix)) {
            return Err(invalid(
                name,
                "-journal, -wal and -shm at a name's end belong to SQLite's own side files",
            ));
        }
        Ok(NamespaceName(name.to_owned()))
    }
}

fn check_characters(name: &str) -> Result<()> {
    for (i, c) in name.chars().enumerate() {
        let fits = match c {
            '_' | '/' | '+' | '~' => true,
            '-' | '.' | ':' => i > 0,
            c => c.is_alphanumeric(),
        };
        if fits {
            continue;
        }
        let message = match c {
            '-' | '.' | ':' => "a namespace's name cannot begin with this character",
            '@' => "'@' comes between a name and a version or time, and cannot be in a name",
            c if c.is_control() => "a namespace's name has no control characters",
            _ => "a namespace's name has letters, digits and _ - . / : + only",
        };
        return Err(Error::new(ErrorKind::Invalid, message)
            .with("character", format_args!("{c:?} U+{:04X}", c as u32))
            .with("position", i + 1)
            .with("name", format_args!("{name:?}")));
    }
    Ok(())
}

fn check_parts(name: &str) -> Result<()> {
    let mut position = 1;
    for part in name.split('/') {
        let message = match part {
            "" if position == 1 => "a namespace's name cannot begin with '/'",
            "" if position > name.chars().count() => "a namespace's name cannot end with '/'",
            "" => "a namespace's name has no '//'",
            "." | ".." => "no part of a namespace's name is '.' or '..'",
            _ => {
                position += part.chars().count() + 1;
                continue;
            }
        };
        return Err(invalid(name, message).with("position", position));
    }
    Ok(())
}

fn check_rollback_suffix(name: &str) -> Result<()> {
    let Some((start, suffix)) = name.split_once('~') else { return Ok(()) };
    let number = !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit());
    if number && !start.is_empty() && !start.ends_with('/') {
        return Ok(());
    }
    Err(invalid(name, "'~' is only followed by the number of a rolled-back line, as in app~1")
        .with("position", start.chars().count() + 1))
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamespaceName({:?})", self.0)
    }
}

impl AsRef<str> for NamespaceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
