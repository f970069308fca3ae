//! What others must not read.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use hozo_traits::{Error, ErrorKind, Result};

#[cfg(test)]
mod tests;

/// A secret of a config: there itself, or in a file of its own. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The secret.
    Given(String),
    /// The file that has it, absolute; read when it is needed.
    File(PathBuf),
}

/// A longer file is no secret.
const BYTES_MAX: u64 = 64 << 10;

impl Secret {
    /// The secret; from a file without white space around it.
    pub fn read(&self) -> Result<String> {
        let path = match self {
            Secret::Given(secret) => return Ok(secret.clone()),
            Secret::File(path) => path,
        };
        let wrong = |kind, what| Error::new(kind, what).with("file", path.display());
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|e| {
                let kind = match e.kind() {
                    std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                    std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                    _ => ErrorKind::Unavailable,
                };
                wrong(kind, "a file with a secret cannot be read").caused_by(e)
            })?;
        if text.len() as u64 > BYTES_MAX {
            return Err(wrong(ErrorKind::TooLarge, "a file with a secret has at most 65536 bytes"));
        }
        match text.trim() {
            "" => Err(wrong(ErrorKind::Invalid, "a file with a secret is empty")),
            secret => Ok(secret.to_owned()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Given(_) => f.write_str("Given(..)"),
            Secret::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
