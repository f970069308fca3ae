//! Reading at a position.

use hozo_traits::{Error, ErrorKind, Result};

use super::segment::{self, Segment};
use super::{Log, Peek, Position, Record, damaged, raw, record};

impl Log {
    /// The record at a position, checked.
    ///
    /// The caller has the position from an append, a replay or a walk, and sees
    /// to it that [`discard_before`](Log::discard_before) does not go beyond it
    /// while he holds the record.
    #[inline]
    pub fn read(&self, position: Position) -> Result<Record<'_>> {
        let Some((segment, at, shape)) = self.find(position) else {
            return Err(self.no_record(position));
        };
        let all = raw::bytes(&segment.memory, at, shape.content());
        if raw::crc(0, &all[4..]) ^ record::mix32(self.volume_id, position) != shape.stored {
            return Err(self.no_record(position));
        }
        let (key, value) = all[shape.header as usize..].split_at(shape.key as usize);
        Ok(Record { position, kind: shape.kind & !record::LAST, key, value, bytes: shape.bytes() })
    }

    /// What the record's header says, and its key, without a look at the
    /// checksum: for comparing keys. What is to be relied on is to be read. The
    /// caller's duty is the same as for [`read`](Log::read).
    #[inline]
    pub fn peek(&self, position: Position) -> Result<Peek<'_>> {
        let Some((segment, at, shape)) = self.find(position) else {
            return Err(self.no_record(position));
        };
        let key = raw::bytes(&segment.memory, at + u64::from(shape.header), shape.key.into());
        Ok(Peek {
            kind: shape.kind & !record::LAST,
            key,
            value_len: shape.value,
            bytes: shape.bytes(),
        })
    }

    #[inline]
    fn find(&self, position: Position) -> Option<(&Segment, u64, record::Shape)> {
        let segment = self.window.get(position >> self.segment_log2)?;
        let at = position.wrapping_sub(segment.start());
        if !position.is_multiple_of(record::ALIGN) || at < segment::HEADER_BYTES {
            return None;
        }
        // A position of another turn of the window is far beyond the end.
        let shape = raw::shape(&segment.memory, at, segment.allocated())?;
        Some((segment, at, shape))
    }

    #[cold]
    fn no_record(&self, position: Position) -> Error {
        match self.window.get(position >> self.segment_log2) {
            Some(segment) => damaged(
                segment,
                position,
                "no record can be read where one has to be; if the log is a store's, \
                 `hozo check --repair` says what a repair would lose",
            ),
            None => Error::new(
                ErrorKind::Corrupt,
                "the log has nothing where something points to; if it is a store's, \
                 `hozo check --stores` says what is left",
            )
            .with("position", position)
            .with("tail", self.tail())
            .with("head", self.head()),
        }
    }
}
