//! Room for what requests bring with them, and for answers that are not taken.
//!
//! Each may be a message of the largest size, and there may be thousands of
//! requests: together they must not have all of the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What each may have that takes no room: most never need any.
const FREE_BYTES: usize = 16 << 10;
/// What all together may have besides. Two of the largest messages fit
/// whatever the config says.
const ROOM_BYTES: usize = 256 << 20;

/// The room of a server. Clones are the same.
#[derive(Clone)]
pub(super) struct Room(Arc<Inner>);

struct Inner {
    most: usize,
    taken: AtomicUsize,
}

/// What one request or answer has of it, until this is dropped.
pub(super) struct Share {
    room: Room,
    bytes: usize,
}

impl Room {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        let most = ROOM_BYTES.max(message_bytes_max.saturating_mul(2));
        Room(Arc::new(Inner { most, taken: AtomicUsize::new(0) }))
    }

    /// Whether there is no room for so many bytes more.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.0.taken.load(Ordering::Relaxed) > self.0.most.saturating_sub(bytes)
    }

    pub(super) fn share(&self) -> Share {
        Share { room: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Nothing of the same room.
    pub(super) fn none(&self) -> Share {
        self.room.share()
    }

    /// Takes or gives back what it needs to hold so many bytes; false if there
    /// is no room for them.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(FREE_BYTES);
        let taken = &self.room.0.taken;
        if wanted <= self.bytes {
            if wanted < self.bytes {
                taken.fetch_sub(self.bytes - wanted, Ordering::Relaxed);
                self.bytes = wanted;
            }
            return true;
        }
        let more = wanted - self.bytes;
        if taken.fetch_add(more, Ordering::Relaxed) > self.room.0.most.saturating_sub(more) {
            taken.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes = wanted;
        true
    }

    /// The same for what must be held, whether there is room for it or not.
    pub(super) fn hold_anyway(&mut self, bytes: usize) {
        if !self.hold(bytes) {
            let wanted = bytes.saturating_sub(FREE_BYTES);
            self.room.0.taken.fetch_add(wanted - self.bytes, Ordering::Relaxed);
            self.bytes = wanted;
        }
    }
}

impl Share {
    /// Whether it takes any room.
    pub(super) fn is_any(&self) -> bool {
        self.bytes > 0
    }

    /// Whether there is little room left for others.
    pub(super) fn is_scarce(&self) -> bool {
        self.room.0.taken.load(Ordering::Relaxed) > self.room.0.most / 2
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.0.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// Where one is in the messages of a body: each is five bytes, the last four its
/// length, and so many more.
#[derive(Default)]
pub(super) struct Framing {
    head: [u8; 5],
    head_bytes: usize,
    /// What the message still lacks.
    lacking: usize,
    /// What there is of a message that is not whole yet.
    bytes: usize,
}

impl Framing {
    /// Goes on over more of the body. What there is then of a message that is
    /// not whole yet.
    pub(super) fn follow(&mut self, mut data: &[u8]) -> usize {
        while !data.is_empty() {
            if self.lacking == 0 {
                let part = data.len().min(self.head.len() - self.head_bytes);
                self.head[self.head_bytes..][..part].copy_from_slice(&data[..part]);
                self.head_bytes += part;
                self.bytes += part;
                data = &data[part..];
                if self.head_bytes < self.head.len() {
                    break;
                }
                let [_, length @ ..] = self.head;
                self.lacking = u32::from_be_bytes(length) as usize;
            } else {
                let part = data.len().min(self.lacking);
                self.lacking -= part;
                self.bytes += part;
                data = &data[part..];
            }
            if self.lacking == 0 {
                (self.head_bytes, self.bytes) = (0, 0);
            }
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests;
