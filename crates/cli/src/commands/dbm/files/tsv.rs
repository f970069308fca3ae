//! Records as lines: key, tab, value.
//!
//! Not escaped, a key has neither tabs nor line feeds and a value has no line
//! feeds; all other bytes are as they are.

use std::io::{self, BufRead, Read, Write};

use super::text::{escape_into, unescape};
use super::{FIELD_BYTES_MAX, Reader, Record, Stopped, Unfit};

/// The longest line.
const LINE_BYTES_MAX: u64 = 2 * FIELD_BYTES_MAX + 2;

impl<R: BufRead> Reader<R> {
    pub(super) fn next_line(&mut self, escaped: bool) -> Result<Option<Record>, Stopped> {
        let mut line = Vec::new();
        loop {
            self.begin = self.offset;
            let got = Read::take(&mut self.from, LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            self.offset += got as u64;
            if got == 0 {
                return Ok(None);
            }
            if line.pop_if(|byte| *byte == b'\n').is_none() && got as u64 == LINE_BYTES_MAX {
                return Err(self.damaged(format!("its line is longer than {LINE_BYTES_MAX} bytes")));
            }
            // An empty line has no record.
            if !line.is_empty() {
                break;
            }
        }
        let Some(tab) = line.iter().position(|byte| *byte == b'\t') else {
            return Err(self.damaged("its line has no tab between key and value"));
        };
        let value = line.split_off(tab + 1);
        line.truncate(tab);
        let record = match escaped {
            false => Record { key: line, value },
            true => Record {
                key: unescape(&line).map_err(|e| self.damaged(format!("its key: {e}")))?,
                value: unescape(&value).map_err(|e| self.damaged(format!("its value: {e}")))?,
            },
        };
        for (name, bytes) in [("key", &record.key), ("value", &record.value)] {
            if bytes.len() as u64 > FIELD_BYTES_MAX {
                let what = format!("its {name} is longer than {FIELD_BYTES_MAX} bytes");
                return Err(self.damaged(what));
            }
        }
        Ok(Some(record))
    }
}

/// Writes a record as it is.
pub(super) fn write_plain(record: &Record, to: &mut impl Write) -> Result<(), Unfit> {
    if record.key.iter().any(|byte| matches!(byte, b'\t' | b'\n')) {
        return Err(Unfit::Form("its key has a tab or a line feed"));
    }
    if record.value.contains(&b'\n') {
        return Err(Unfit::Form("its value has a line feed"));
    }
    to.write_all(&record.key)?;
    to.write_all(b"\t")?;
    to.write_all(&record.value)?;
    to.write_all(b"\n")?;
    Ok(())
}

/// Writes a record with control characters as C has them.
pub(super) fn write_escaped(record: &Record, to: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::with_capacity(record.key.len() + record.value.len() + 2);
    escape_into(&record.key, &mut line);
    line.push(b'\t');
    escape_into(&record.value, &mut line);
    line.push(b'\n');
    to.write_all(&line)
}
