//! Pieces that all stored values are made of.
//!
//! Numbers are LEB128 varints or big-endian. Decoding never trusts what it
//! reads: whatever the bytes, it ends in a value or in `Corrupt`.

use hozo_traits::{CommitId, Error, ErrorKind, NamespaceId, PageNo, Result, Timestamp, Version};

pub(crate) mod change;
pub(crate) mod log;
pub(crate) mod outcome;
pub(crate) mod record;

#[cfg(test)]
mod tests;

/// A stored value that cannot be what was written.
pub(crate) fn corrupt(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

/// A number that is all of a value, as 8 big-endian bytes.
pub(crate) fn count(value: &[u8]) -> Result<u64> {
    let mut reader = Reader(value);
    let count = u64::from_be_bytes(reader.array()?);
    reader.end()?;
    Ok(count)
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes values off the front of a slice.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, tail) =
            self.0.split_at_checked(n).ok_or_else(|| corrupt("a stored value ends too early"))?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                break;
            }
            n |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(corrupt("a stored number is too long"))
    }

    /// A varint that fits 32 bits.
    pub(crate) fn varint32(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| corrupt("a stored number is too large"))
    }

    /// A varint that counts or measures something in memory.
    pub(crate) fn length(&mut self) -> Result<usize> {
        usize::try_from(self.varint()?).map_err(|_| corrupt("a stored length is too large"))
    }

    pub(crate) fn page(&mut self) -> Result<PageNo> {
        PageNo::new(self.varint32()?).ok_or_else(|| corrupt("a stored page number is 0"))
    }

    pub(crate) fn version(&mut self) -> Result<Version> {
        Ok(Version::from_bytes(self.array()?))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp> {
        Ok(Timestamp::from_micros(u64::from_be_bytes(self.array()?)))
    }

    pub(crate) fn namespace(&mut self) -> Result<NamespaceId> {
        Ok(NamespaceId(self.varint()?))
    }

    pub(crate) fn commit_id(&mut self) -> Result<CommitId> {
        Ok(CommitId::from_bytes(self.array()?))
    }

    /// The format byte with which a value begins.
    pub(crate) fn format(&mut self, known: u8) -> Result<()> {
        match self.byte()? {
            format if format == known => Ok(()),
            format => Err(corrupt("a stored value has a format that this version does not know")
                .with("format", format)),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(corrupt("a stored value goes on too long")) }
    }
}
