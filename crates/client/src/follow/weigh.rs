//! How much a message comes to when it is decoded, told before it is.
//!
//! Two bytes on the wire are an empty update, and that is a hundred in memory.
//! So a message is only decoded if what it consists of stays within what a
//! message of this size may rightly have.

use hozo_traits::{Effect, Result};

use crate::transport::too_large;

#[cfg(test)]
mod tests;

/// So many elements are fine, however small messages have to be.
const ELEMENTS_FREE: usize = 16 << 10;

/// Which fields of a message are messages, and which fields of those are.
struct Shape(&'static [(u64, Shape)]);

const LEAF: Shape = Shape(&[]);
const POSITION: Shape = Shape(&[(1, LEAF)]);
const UPDATE: Shape = Shape(&[(2, LEAF), (6, LEAF)]);
const PLACE: Shape = Shape(&[(1, POSITION)]);
const WELCOME: Shape = Shape(&[(3, LEAF), (4, POSITION)]);
const PART: Shape = Shape(&[(1, UPDATE), (2, POSITION), (3, POSITION)]);
const SNAPSHOT: Shape = Shape(&[(1, PLACE), (2, LEAF)]);
/// A `FollowResponse`.
const RESPONSE: Shape = Shape(&[(1, WELCOME), (2, PART), (3, SNAPSHOT)]);

const PIECE: Shape = Shape(&[(3, Shape(&[(2, LEAF)])), (4, Shape(&[(2, LEAF), (3, LEAF)]))]);
/// A `FollowPagesResponse`.
const PAGES: Shape = Shape(&[(5, PIECE)]);

/// An error if this `FollowPagesResponse` has more elements than fit one of so
/// many bytes.
pub(super) fn check_pages(message: &[u8], bytes_max: usize) -> Result<()> {
    refuse(message, bytes_max, &PAGES)
}

/// An error if this `FollowResponse` has more elements than fit one of so many
/// bytes, when each counts as an effect does besides its key and value.
pub(super) fn check(message: &[u8], bytes_max: usize) -> Result<()> {
    refuse(message, bytes_max, &RESPONSE)
}

fn refuse(message: &[u8], bytes_max: usize, shape: &Shape) -> Result<()> {
    let elements_max = (bytes_max / Effect::OVERHEAD_BYTES).max(ELEMENTS_FREE);
    let elements = elements(message, shape);
    if elements > elements_max {
        return Err(too_large(bytes_max).with("elements", elements));
    }
    Ok(())
}

/// The messages within this one. What cannot be read ends the count: there the
/// decoder stops as well.
fn elements(message: &[u8], shape: &Shape) -> usize {
    let mut wire = Wire(message);
    let mut count = 0usize;
    while let Some((number, content)) = wire.field() {
        let inner = shape.0.iter().find(|(inner, _)| *inner == number);
        if let (Some((_, inner)), Some(content)) = (inner, content) {
            count = count.saturating_add(1).saturating_add(elements(content, inner));
        }
    }
    count
}

/// What is left of an encoded message.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    /// A field's number, and what it contains if it has a length. What is in a
    /// group, which nothing here is, comes as if it were in the message.
    fn field(&mut self) -> Option<(u64, Option<&'a [u8]>)> {
        let key = self.varint()?;
        let content = match key & 7 {
            0 => self.varint().map(|_| None)?,
            1 => self.bytes(8).map(|_| None)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Some(self.bytes(length)?)
            }
            3 | 4 => None,
            5 => self.bytes(4).map(|_| None)?,
            _ => return None,
        };
        Some((key >> 3, content))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for at in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}
