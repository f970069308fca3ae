//! Updates in messages of a size that suits readers and memory.

use std::iter::Peekable;
use std::vec;

use hozo_proto::hozo_v1 as wire;
use hozo_traits::{
    ChangeFeed, Effect, Error, ErrorKind, FeedPart, Position, Result, Timestamp, Update, What,
};
use prost::Message;

use super::convert::{in_list, to_position, to_update};

#[cfg(test)]
mod tests;

/// A message of updates, unless it has only one.
const PART_BYTES_MAX: usize = 256 << 10;

/// What is asked for at once, in keys and values: with all that is beside them
/// it is a message, if they are not very short.
pub(super) fn ask_bytes(message_bytes_max: usize) -> usize {
    PART_BYTES_MAX.min(message_bytes_max) / 4 * 3
}

/// What was read of a feed and is not sent yet.
pub(super) struct Parts {
    /// Keys and values of one update, at most.
    message_bytes_max: usize,
    /// Where the reader is.
    position: Position,
    reading: Option<Reading>,
}

struct Reading {
    left: Peekable<vec::IntoIter<Update>>,
    position: Position,
    head: Position,
    newest: Timestamp,
}

impl Parts {
    /// For a reader that is there.
    pub(super) fn new(position: Position, message_bytes_max: usize) -> Self {
        Parts { message_bytes_max, position, reading: None }
    }

    /// How much to read at once.
    pub(super) fn ask_bytes(&self) -> usize {
        ask_bytes(self.message_bytes_max)
    }

    /// Takes what was read next. What was read before was sent.
    pub(super) fn take(&mut self, part: FeedPart) {
        let FeedPart { updates, position, head, newest } = part;
        let left = updates.into_iter().peekable();
        self.reading = Some(Reading { left, position, head, newest });
    }

    /// The next message, if there is one.
    pub(super) fn next(&mut self) -> Option<Result<wire::Part>> {
        let reading = self.reading.as_mut()?;
        let mut part = wire::Part {
            updates: Vec::new(),
            position: None,
            head: Some(to_position(&reading.head)),
            newest: reading.newest.as_micros(),
        };
        // Both positions are about as long.
        let mut bytes = part.encoded_len().saturating_mul(2);
        let bytes_max = PART_BYTES_MAX.min(self.message_bytes_max);
        while let Some(update) = reading.left.peek() {
            let payload = payload_bytes(update);
            if payload > self.message_bytes_max {
                if part.updates.is_empty() {
                    return Some(Err(too_large(update, payload, self.message_bytes_max)));
                }
                break;
            }
            let (origin, reach) = (update.origin, update.reach);
            let said = to_update(update.clone());
            bytes = bytes.saturating_add(in_list(said.encoded_len()));
            if bytes > bytes_max && !part.updates.is_empty() {
                break;
            }
            part.updates.push(said);
            self.position.set(origin, reach);
            reading.left.next();
        }
        if reading.left.peek().is_none() {
            self.position = std::mem::take(&mut reading.position);
            self.reading = None;
        }
        part.position = Some(to_position(&self.position));
        Some(Ok(part))
    }

    /// A message without updates.
    pub(super) fn beat(&self, feed: &dyn ChangeFeed) -> wire::Part {
        wire::Part {
            updates: Vec::new(),
            position: Some(to_position(&self.position)),
            head: Some(to_position(&feed.head())),
            newest: feed.newest().as_micros(),
        }
    }
}

/// Keys and values, which cost nothing to clone.
fn payload_bytes(update: &Update) -> usize {
    let What::Records { effects, .. } = &update.what else { return 0 };
    let bytes = effects.iter().map(|effect| match effect {
        Effect::Set { key, value } => key.len().saturating_add(value.len()),
        Effect::Remove { key } => key.len(),
        Effect::Clear => 0,
    });
    bytes.fold(0, usize::saturating_add)
}

fn too_large(update: &Update, bytes: usize, most: usize) -> Error {
    let what = "an update is larger than a message of this server may be, so nobody can follow \
                it: set a larger max_message_bytes there, or begin with a snapshot";
    Error::new(ErrorKind::TooLarge, what)
        .with("server", update.origin)
        .with("update", update.reach.seq)
        .with("bytes", bytes)
        .with("max_message_bytes", most)
}
