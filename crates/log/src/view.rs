//! Reading a log that another process may be writing, without changing anything.
//!
//! [`Log::open`](super::Log::open) is for the one who owns a log. A [`View`] is for
//! everybody else: it takes the files as they are found, reads them in order, and
//! copes with what the owner does meanwhile. Segments that are discarded are
//! passed over, and what looks damaged is looked at again before it is said to
//! be: the owner may just be writing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};

use super::segment::{self, HEADER_BYTES, Header};
use super::{Piece, Position};
use crate::disk::Disk;

mod buffer;
mod read;

pub use read::{Reading, Step};

/// How often the files are listed again when one of them is gone by the time it
/// is opened.
const LISTINGS_MAX: usize = 100;

/// The files of a log as they were found.
#[derive(Clone)]
pub struct View {
    disk: Arc<dyn Disk>,
    volume_id: u64,
    segment_log2: u32,
    /// The log was on stable storage up to here, as its owner says; none if
    /// nobody knows.
    durable: Option<Position>,
    /// All that have a segment's name, ascending.
    files: Vec<Seen>,
}

/// A file with a segment's name.
#[derive(Clone)]
struct Seen {
    number: u64,
    len: u64,
    /// `None` if it has none, or one of another segment.
    header: Option<Header>,
    /// It is of another log.
    stranger: bool,
}

impl View {
    /// The log in a directory. `durable` is a position up to which it was once on
    /// stable storage, if its owner keeps one.
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none, or its making was not
    /// finished yet.
    pub fn new(disk: Arc<dyn Disk>, durable: Option<Position>) -> Result<View> {
        let mut files = list(&*disk)?;
        let headers = files.iter().filter_map(|file| file.header);
        let Some((volume_id, segment_log2)) = most_common(headers) else {
            return Err(no_log(&*disk, &files));
        };
        for file in &mut files {
            file.stranger = file.header.is_some_and(|header| {
                header.volume_id != volume_id || header.segment_log2 != segment_log2
            });
        }
        Ok(View { disk, volume_id, segment_log2, durable, files })
    }

    /// The same log as it is now.
    fn again(&self) -> Result<View> {
        View::new(Arc::clone(&self.disk), self.durable)
    }

    /// The random number that the log was created with.
    pub fn volume_id(&self) -> u64 {
        self.volume_id
    }

    /// What the sizes of segments are multiples of.
    pub fn segment_bytes(&self) -> u64 {
        1 << self.segment_log2
    }

    /// The segments that the log has, from the tail on, as their headers say. The
    /// last one's end is where it can end.
    pub fn pieces(&self) -> Vec<Piece> {
        let usable = |file: &Seen| file.header.is_some() && !file.stranger;
        let mut next = self.files.iter().position(usable);
        let mut pieces = Vec::new();
        while let Some(i) = next {
            next = self.next_of(i);
            let end = next.and_then(|next| self.files[next].header).map(|next| next.follows);
            let (first, limit) = self.span(i);
            pieces.push(Piece {
                first,
                end: end.unwrap_or(limit),
                name: segment::file_name(self.files[i].number),
                bytes: self.files[i].len,
            });
        }
        pieces
    }

    /// The name of the file that has a position, and the offset in it.
    pub fn file_of(&self, position: Position) -> Option<(String, u64)> {
        let start = |file: &&Seen| file.number << self.segment_log2 <= position;
        let file = self.files.iter().rfind(start)?;
        Some((segment::file_name(file.number), position - (file.number << self.segment_log2)))
    }

    /// Reads all that is there, from the tail on.
    pub fn read(&self) -> Reading {
        Reading::new(self.clone())
    }

    /// The same from a position on, which is a record's, or of one that was
    /// discarded.
    pub fn read_from(&self, position: Position) -> Reading {
        let mut reading = self.read();
        reading.go_to(position);
        reading
    }

    /// Where a file's first record is, and where its last one can end.
    fn span(&self, file: usize) -> (Position, Position) {
        let file = &self.files[file];
        let start = file.number << self.segment_log2;
        let by_length =
            start + file.len.div_ceil(self.segment_bytes()).max(1) * self.segment_bytes();
        (start + HEADER_BYTES, file.header.map_or(by_length, |header| header.limit()))
    }

    /// The file in which the log goes on after this one: of several the lower
    /// ones are from before a crash.
    fn next_of(&self, file: usize) -> Option<usize> {
        let (first, limit) = self.span(file);
        let follows = |i: &usize| {
            let next = &self.files[*i];
            !next.stranger
                && next.header.is_some_and(|header| (first..=limit).contains(&header.follows))
        };
        (file + 1..self.files.len()).rev().find(follows)
    }
}

/// All files with a segment's name, as they were at one moment.
fn list(disk: &dyn Disk) -> Result<Vec<Seen>> {
    for _ in 0..LISTINGS_MAX {
        if let Some(files) = try_list(disk)? {
            return Ok(files);
        }
    }
    Err(Error::new(ErrorKind::Busy, "the log's files come and go too fast to be looked at"))
}

/// `None` if a file is gone already.
fn try_list(disk: &dyn Disk) -> Result<Option<Vec<Seen>>> {
    let mut files = Vec::new();
    for name in disk.list()? {
        let Some(number) = segment::number_of(&name) else { continue };
        let file = match disk.open(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let len = file.len()?;
        let mut bytes = [0; HEADER_BYTES as usize];
        if len >= HEADER_BYTES {
            // What cannot be read is no header.
            let _ = file.read_at(0, &mut bytes);
        }
        let header = Header::decode(&bytes).filter(|header| header.number == number);
        files.push(Seen { number, len, header, stranger: false });
    }
    files.sort_by_key(|file| file.number);
    Ok(Some(files))
}

fn most_common(headers: impl Iterator<Item = Header>) -> Option<(u64, u32)> {
    let mut count: BTreeMap<(u64, u32), u64> = BTreeMap::new();
    headers.for_each(|h| *count.entry((h.volume_id, h.segment_log2)).or_default() += 1);
    count.into_iter().max_by_key(|(_, count)| *count).map(|(of, _)| of)
}

/// The error for a directory without a segment's header.
fn no_log(disk: &dyn Disk, files: &[Seen]) -> Error {
    for file in files {
        let name = segment::file_name(file.number);
        let zeros = disk.open(&name).map(|open| {
            let mut rest = buffer::Buffer::new(open);
            rest.next_word(HEADER_BYTES, u64::MAX).is_none()
        });
        if !zeros.unwrap_or(true) {
            return Error::new(ErrorKind::Corrupt, "no segment's header can be read")
                .with("file", name)
                .with("offset", 0);
        }
    }
    Error::new(ErrorKind::NotFound, "there is no log here")
}
