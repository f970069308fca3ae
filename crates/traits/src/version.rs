//! The order of everything that a store committed.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// A point in a store's history: 10 bytes, totally ordered within the store,
/// given by the store at commit.
///
/// Ten bytes are FoundationDB's versionstamp (8 bytes commit version, 2 bytes
/// order within the batch, both big-endian). Local stores count in the first 8
/// bytes and leave the last 2 zero. Shown and parsed as 20 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u8; 10]);

impl Version {
    /// Bytes in a version.
    pub const LEN: usize = 10;
    /// Before every commit: what an empty store and an empty namespace are at.
    pub const ZERO: Version = Version([0; 10]);
    /// After every commit that can be.
    pub const MAX: Version = Version([0xff; 10]);

    /// The version of a local store's `seq`-th commit.
    pub const fn from_seq(seq: u64) -> Self {
        let s = seq.to_be_bytes();
        Version([s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], 0, 0])
    }

    /// The first 8 bytes as a number: a local store's commit counter.
    pub const fn seq(self) -> u64 {
        let b = self.0;
        u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
    }

    /// The version with these bytes.
    pub const fn from_bytes(bytes: [u8; 10]) -> Self {
        Version(bytes)
    }

    /// The 10 bytes, in an order that sorts as versions do.
    pub const fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }

    /// The largest version below this one; `None` before [`Version::ZERO`].
    pub fn predecessor(self) -> Option<Self> {
        let mut bytes = self.0;
        for b in bytes.iter_mut().rev() {
            let (next, overflowed) = b.overflowing_sub(1);
            *b = next;
            if !overflowed {
                return Some(Version(bytes));
            }
        }
        None
    }

    /// The smallest version above this one; `None` after [`Version::MAX`].
    pub fn successor(self) -> Option<Self> {
        let mut bytes = self.0;
        for b in bytes.iter_mut().rev() {
            let (next, overflowed) = b.overflowing_add(1);
            *b = next;
            if !overflowed {
                return Some(Version(bytes));
            }
        }
        None
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.0 {
            write!(f, "{b:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Exactly 20 hex digits of either case.
    fn from_str(s: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::new(ErrorKind::Invalid, "a version is 20 hex digits").with("given", s.to_owned())
        };
        if s.len() != 20 || !s.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 10];
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = u8::from_str_radix(&s[2 * i..2 * i + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Version(bytes))
    }
}
