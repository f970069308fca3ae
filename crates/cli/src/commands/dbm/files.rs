//! Files of records: reading them without trusting them, and writing them.

pub(super) mod flat;
pub(super) mod text;
pub(super) mod tsv;

use std::fmt;
use std::io::{self, BufRead, Write};

use crate::exit;
use crate::failure::Failure;

/// Longer keys and values are taken for damage: no message carries them.
pub(super) const FIELD_BYTES_MAX: u64 = 1 << 30;

/// A record of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The form of a file of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Tkrzw's flat record file.
    Flat,
    /// Lines of key, tab, value.
    Tsv {
        /// Control characters are written as C does.
        escaped: bool,
    },
}

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Damage {
    /// Which record, from 1.
    pub(super) record: u64,
    /// Where that record begins.
    pub(super) offset: u64,
    pub(super) what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}, at byte {}: {}", self.record, self.offset, self.what)
    }
}

/// Why a file cannot be read further.
#[derive(Debug)]
pub(super) enum Stopped {
    Io(io::Error),
    Damaged(Damage),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Stopped::Io(error)
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Io(error) => error.into(),
            Stopped::Damaged(damage) => Failure::new(exit::FAILED, damage.to_string()),
        }
    }
}

/// Reads the records of a file one after the other. It needs memory for one.
pub(super) struct Reader<R> {
    from: R,
    form: Form,
    /// Bytes read so far.
    offset: u64,
    /// Where the record begins that is being read.
    begin: u64,
    /// Records read so far.
    records: u64,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(from: R, form: Form) -> Self {
        Reader { from, form, offset: 0, begin: 0, records: 0 }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Stopped> {
        self.begin = self.offset;
        let next = match self.form {
            Form::Flat => self.next_flat()?,
            Form::Tsv { escaped } => self.next_line(escaped)?,
        };
        self.records += u64::from(next.is_some());
        Ok(next)
    }

    fn damaged(&self, what: impl Into<String>) -> Stopped {
        let record = self.records + 1;
        Stopped::Damaged(Damage { record, offset: self.begin, what: what.into() })
    }

    /// The next byte, if there is one.
    fn byte(&mut self) -> Result<Option<u8>, Stopped> {
        let mut byte = [0];
        loop {
            match self.from.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.offset += 1;
        Ok(Some(byte[0]))
    }
}

/// Reads a file of records as `hozo dbm import` does, and counts them, or says
/// what is wrong with it: for who tries that with bytes of any kind.
pub fn count_records(file: impl BufRead, form: Form) -> Result<u64, String> {
    let mut reader = Reader::new(file, form);
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(reader.records),
            Err(Stopped::Io(error)) => return Err(error.to_string()),
            Err(Stopped::Damaged(damage)) => return Err(damage.to_string()),
        }
    }
}

/// Ends a file after this record.
pub(super) fn end(form: Form, last: &Record, to: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Flat => flat::end(&last.value, to),
        Form::Tsv { .. } => Ok(()),
    }
}

/// Writes a record.
pub(super) fn write(form: Form, record: &Record, to: &mut impl Write) -> Result<(), Unfit> {
    match form {
        Form::Flat => Ok(flat::write(record, to)?),
        Form::Tsv { escaped: true } => Ok(tsv::write_escaped(record, to)?),
        Form::Tsv { escaped: false } => tsv::write_plain(record, to),
    }
}

/// Why a record is not written.
#[derive(Debug)]
pub(super) enum Unfit {
    Io(io::Error),
    /// The form has no way to say it; why not.
    Form(&'static str),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Unfit::Io(error)
    }
}

#[cfg(test)]
mod tests;
