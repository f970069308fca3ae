//! Tkrzw's flat record file.
//!
//! A record is its key and its value, each as the byte 0xff, a length and the
//! bytes. A length has seven bits in a byte, the highest first; the top bit is
//! set in all but the last. Between records may be blocks of metadata, with
//! 0xfe instead, and at the end any number of zero bytes: both are passed over,
//! as Tkrzw does.

use std::io::{self, BufRead, Read, Write};

use super::{FIELD_BYTES_MAX, Reader, Record, Stopped};

const DATA: u8 = 0xff;
const METADATA: u8 = 0xfe;
const PADDING: u8 = 0;

/// Bytes of the longest length: 64 bits.
const LENGTH_BYTES_MAX: usize = 10;

/// What was being read when the file ended.
const KEY: &str = "key";
const VALUE: &str = "value";

impl<R: BufRead> Reader<R> {
    pub(super) fn next_flat(&mut self) -> Result<Option<Record>, Stopped> {
        loop {
            match self.byte()? {
                None => return Ok(None),
                Some(DATA) => break,
                Some(METADATA) => {
                    self.field("metadata")?;
                    self.begin = self.offset;
                }
                Some(PADDING) => return self.padding(),
                Some(byte) if self.offset == 1 => {
                    return Err(self.damaged(format!(
                        "it begins with the byte {byte:#04x}, where a flat record file has 0xff; \
                         for lines of KEY<tab>VALUE there is --tsv"
                    )));
                }
                Some(byte) => {
                    let what = format!("it begins with the byte {byte:#04x} instead of 0xff");
                    return Err(self.damaged(what));
                }
            }
        }
        let key = self.field(KEY)?;
        match self.byte()? {
            Some(DATA) => {}
            None => return Err(self.damaged("the file ends after its key")),
            Some(byte) => {
                let what = format!("its value begins with the byte {byte:#04x} instead of 0xff");
                return Err(self.damaged(what));
            }
        }
        let value = self.field(VALUE)?;
        Ok(Some(Record { key, value }))
    }

    /// A length and so many bytes.
    fn field(&mut self, name: &str) -> Result<Vec<u8>, Stopped> {
        let length = self.length(name)?;
        if length > FIELD_BYTES_MAX {
            return Err(self.damaged(format!(
                "its {name} claims to have {length} bytes, more than the {FIELD_BYTES_MAX} that \
                 there can be"
            )));
        }
        // It grows with what is there, not with what the length claims.
        let mut bytes = Vec::new();
        let got = Read::take(&mut self.from, length).read_to_end(&mut bytes)? as u64;
        self.offset += got;
        if got < length {
            let what = format!("the file ends after {got} of the {length} bytes of its {name}");
            return Err(self.damaged(what));
        }
        Ok(bytes)
    }

    fn length(&mut self, name: &str) -> Result<u64, Stopped> {
        let mut length: u64 = 0;
        for _ in 0..LENGTH_BYTES_MAX {
            let Some(byte) = self.byte()? else {
                return Err(self.damaged(format!("the file ends in the length of its {name}")));
            };
            if length > u64::MAX >> 7 {
                break;
            }
            length = length << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(self.damaged(format!("the length of its {name} is none: too many digits")))
    }

    /// Only zero bytes are left, or it is no padding.
    fn padding(&mut self) -> Result<Option<Record>, Stopped> {
        loop {
            let bytes = match self.from.fill_buf() {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e.into()),
            };
            if bytes.is_empty() {
                return Ok(None);
            }
            let length = bytes.len();
            let zero = bytes.iter().all(|byte| *byte == PADDING);
            self.from.consume(length);
            self.offset += length as u64;
            if !zero {
                return Err(self.damaged("it begins with the byte 0x00 instead of 0xff"));
            }
        }
    }
}

/// Writes a record.
pub(super) fn write(record: &Record, to: &mut impl Write) -> io::Result<()> {
    for bytes in [&record.key, &record.value] {
        write_head(bytes.len() as u64, to)?;
        to.write_all(bytes)?;
    }
    Ok(())
}

/// Ends a file whose last value is this. Tkrzw takes a file that ends in an empty
/// value for one that was cut off before it, its own files too, unless there is
/// some padding.
pub(super) fn end(last_value: &[u8], to: &mut impl Write) -> io::Result<()> {
    if last_value.is_empty() { to.write_all(&[PADDING]) } else { Ok(()) }
}

fn write_head(length: u64, to: &mut impl Write) -> io::Result<()> {
    let mut head = [0; LENGTH_BYTES_MAX + 1];
    let mut at = LENGTH_BYTES_MAX;
    head[at] = (length & 0x7f) as u8;
    let mut rest = length >> 7;
    while rest > 0 {
        at -= 1;
        head[at] = 0x80 | (rest & 0x7f) as u8;
        rest >>= 7;
    }
    at -= 1;
    head[at] = DATA;
    to.write_all(&head[at..])
}
