//! Keys and values from arguments, files and standard input.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;

use super::files::FIELD_BYTES_MAX;
use super::files::text::unhex;
use crate::exit;
use crate::failure::{Done, Failure};

/// What stands for standard input or output.
pub(super) const STANDARD: &str = "-";

/// How arguments are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) hex: bool,
}

impl Input {
    /// The bytes of an argument.
    pub(super) fn bytes(self, arg: &OsStr) -> Done<Bytes> {
        if !self.hex {
            return Ok(Bytes::copy_from_slice(arg.as_bytes()));
        }
        unhex(arg.as_bytes()).map(Bytes::from).ok_or_else(|| {
            let shown = arg.to_string_lossy();
            Failure::new(
                exit::USAGE,
                format!("--hex: {shown:?} is not an even number of hex digits"),
            )
        })
    }

    /// A value: of the file, of standard input, or the argument's own.
    pub(super) fn value(self, arg: Option<&OsStr>, file: Option<&Path>) -> Done<Bytes> {
        match (arg, file) {
            (_, Some(file)) if file != Path::new(STANDARD) => whole_file(file),
            (Some(arg), None) if arg != STANDARD => self.bytes(arg),
            _ => whole(io::stdin().lock()).map_err(|e| e.when("standard input")),
        }
    }

    /// Keys and values in turn.
    pub(super) fn pairs<'a>(
        self,
        args: impl IntoIterator<Item = &'a OsStr>,
    ) -> Done<Vec<(Bytes, Bytes)>> {
        let mut args = args.into_iter();
        let mut pairs = Vec::new();
        while let Some(key) = args.next() {
            let Some(value) = args.next() else {
                let key = key.to_string_lossy();
                let message = format!("the key {key:?} has no value after it");
                return Err(Failure::new(exit::USAGE, message));
            };
            pairs.push((self.bytes(key)?, self.bytes(value)?));
        }
        Ok(pairs)
    }
}

fn whole_file(file: &Path) -> Done<Bytes> {
    let shown = file.display().to_string();
    let open = File::open(file).map_err(|e| Failure::from(e).when(&shown))?;
    whole(open).map_err(|e| e.when(&shown))
}

fn whole(from: impl Read) -> Done<Bytes> {
    let mut bytes = Vec::new();
    from.take(FIELD_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FIELD_BYTES_MAX {
        let message = format!("longer than {FIELD_BYTES_MAX} bytes, which no value can be");
        return Err(Failure::new(exit::FAILED, message));
    }
    Ok(bytes.into())
}

/// Parameters as Tkrzw's utilities take them: `name=value,name=value`.
pub(super) fn params(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_split_as_tkrzw_does() {
        assert_eq!(params(""), []);
        assert_eq!(params("make_backup="), [("make_backup", "")]);
        assert_eq!(params("a=1, b=x=y,,c"), [("a", "1"), ("b", "x=y"), ("c", "")]);
    }

    #[test]
    fn arguments_are_pairs_or_an_error() {
        let pairs = |texts: &[&str]| Input { hex: false }.pairs(texts.iter().map(OsStr::new));
        let two = pairs(&["a", "1", "b", ""]).unwrap();
        assert_eq!(two, [("a".into(), "1".into()), ("b".into(), "".into())]);
        assert_eq!(pairs(&["a", "1", "b"]).unwrap_err().exit(), exit::USAGE);
        let hex = Input { hex: true };
        assert_eq!(hex.bytes(OsStr::new("00 ff")).unwrap(), b"\0\xff"[..]);
        assert_eq!(hex.bytes(OsStr::new("0")).unwrap_err().exit(), exit::USAGE);
    }
}
