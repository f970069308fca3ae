//! The roots file: where the index begins, and up to which position of the log
//! it is complete.
//!
//! It is replaced by renaming a new one over it. The new one's space is
//! allocated as soon as the old one is gone, so that a checkpoint, which is
//! what frees space, needs none on a full disk.

use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};

use hozo_log::Position;
use hozo_log::disk::Disk;

/// The file in force.
pub(crate) const ROOTS: &str = "roots";
/// The one being written.
const ROOTS_NEXT: &str = "roots.new";

const MAGIC: [u8; 8] = *b"HOZOROT\x01";
/// Magic, checksum, bytes of the body.
const HEADER: usize = 8 + 4 + 8;
/// Volume id, segment size, kind, complete, cleaned, epoch.
const FIXED: usize = 8 + 4 + 4 + 8 + 8 + 4;
/// No roots file is larger: a damaged length must not take the memory.
const BODY_BYTES_MAX: u64 = 1 << 32;
/// The next file is this much larger than the last, so that a growing index
/// finds its place allocated.
const SPARE_BYTES: u64 = 16 << 10;

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Roots {
    /// The volume's id, as in its segments.
    pub(crate) volume_id: u64,
    /// The size of its segments.
    pub(crate) segment_bytes: u64,
    /// What the index is, by [`Index::KIND`](super::Index::KIND).
    pub(crate) kind: u32,
    /// The index knows everything below; replay begins here.
    pub(crate) complete: Position,
    /// Nothing below is in the index.
    pub(crate) cleaned: Position,
    /// The index's epoch that ended with this checkpoint.
    pub(crate) epoch: u32,
    /// What the index needs to go on.
    pub(crate) index: Vec<u8>,
}

impl Roots {
    fn encode(&self) -> Vec<u8> {
        let body = FIXED + self.index.len();
        let mut bytes = Vec::with_capacity(HEADER + body);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(body as u64).to_le_bytes());
        bytes.extend_from_slice(&self.volume_id.to_le_bytes());
        bytes.extend_from_slice(&self.segment_bytes.trailing_zeros().to_le_bytes());
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        bytes.extend_from_slice(&self.complete.to_le_bytes());
        bytes.extend_from_slice(&self.cleaned.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.index);
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` for what is not a whole roots file.
    fn decode(bytes: &[u8]) -> Option<Roots> {
        let body = usize::try_from(body_bytes(bytes)?).ok()?;
        let bytes = bytes.get(..HEADER.checked_add(body)?)?;
        let mut rest = Reader(bytes.get(8..)?);
        if rest.u32()? != crc32c::crc32c(&bytes[12..]) {
            return None;
        }
        rest.u64()?;
        let volume_id = rest.u64()?;
        let segment_bytes = 1u64.checked_shl(rest.u32()?)?;
        let kind = rest.u32()?;
        let complete = rest.u64()?;
        let cleaned = rest.u64()?;
        let epoch = rest.u32()?;
        let index = rest.0.to_vec();
        let roots = Roots { volume_id, segment_bytes, kind, complete, cleaned, epoch, index };
        roots.make_sense().then_some(roots)
    }

    /// Whether a checkpoint can have written these, whatever the log is.
    fn make_sense(&self) -> bool {
        let sizes = hozo_log::SEGMENT_LOG2;
        sizes.contains(&self.segment_bytes.trailing_zeros())
            && self.complete.is_multiple_of(8)
            && self.complete < hozo_log::POSITION_MAX
            && (1..=self.complete).contains(&self.cleaned)
            && (1..u32::MAX).contains(&self.epoch)
    }

    /// The volume's roots: `None` if there is no file, `Some(None)` if it is
    /// not whole.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Option<Roots>>> {
        if !disk.list()?.iter().any(|name| name == ROOTS) {
            return Ok(None);
        }
        let file = disk.open(ROOTS)?;
        let len = file.len()?;
        let mut header = [0; HEADER];
        if len < HEADER as u64 {
            return Ok(Some(None));
        }
        file.read_at(0, &mut header)?;
        let Some(body) = body_bytes(&header) else { return Ok(Some(None)) };
        if body > BODY_BYTES_MAX || HEADER as u64 + body > len {
            return Ok(Some(None));
        }
        let mut bytes = vec![0; HEADER + body as usize];
        file.read_at(0, &mut bytes)?;
        Ok(Some(Roots::decode(&bytes)))
    }

    /// Puts these roots in force, on stable storage.
    pub(crate) fn write(&self, disk: &Arc<dyn Disk>) -> Result<()> {
        let bytes = self.encode();
        let file = next(disk.as_ref())?;
        if file.len()? < bytes.len() as u64 {
            file.allocate(file.len()?, bytes.len() as u64)?;
        }
        file.write_at(0, &bytes)?;
        file.sync()?;
        drop(file);
        disk.rename(ROOTS_NEXT, ROOTS)?;
        disk.sync_dir()?;
        // Without it the next checkpoint needs a little space, no more.
        let _ = allocate_next(disk.as_ref(), bytes.len() as u64);
        Ok(())
    }
}

fn body_bytes(header: &[u8]) -> Option<u64> {
    let magic = header.get(..8)?;
    let body = header.get(12..HEADER)?;
    (magic == MAGIC).then(|| u64::from_le_bytes(body.try_into().expect("8 bytes")))
}

fn next(disk: &dyn Disk) -> Result<Arc<dyn hozo_log::disk::DiskFile>> {
    match disk.open(ROOTS_NEXT) {
        Err(error) if error.kind() == ErrorKind::NotFound => disk.create(ROOTS_NEXT),
        other => other,
    }
}

fn allocate_next(disk: &dyn Disk, bytes: u64) -> Result<()> {
    let file = next(disk)?;
    let len = file.len()?;
    let wanted = bytes + bytes / 4 + SPARE_BYTES;
    if len < wanted {
        // On a full disk there is at least what the last roots have left.
        file.allocate(len, wanted).or_else(|_| {
            file.truncate(len)?;
            file.allocate(len, bytes)
        })?;
        file.sync()?;
    }
    Ok(())
}

/// Takes numbers and parts from the front of bytes that may be anything.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(front)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// The roots' index part is not what this kind of index wrote.
pub(crate) fn not_ours(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the roots file does not fit the index").with("part", what)
}
