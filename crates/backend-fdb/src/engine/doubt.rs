//! Whether a write was made of which the cluster did not say so.
//!
//! A write that is a commit of pages leaves the outcome under its commit id, and has
//! the condition that nothing is there: to ask again is enough. Every other write sets
//! a mark, with a number that no other write has. Who is in doubt looks for it. If it is
//! not there the write may still be on its way; so who looks then sets the mark to
//! something else, which the write on its way has read, and it can never be made.
//!
//! Marks are few: a write takes a slot while it lasts, and slots are used again. They
//! are of a process and a day, and old ones are removed when a store is opened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hozo_traits::{Ambient, Error, ErrorKind, Result, Version};

use super::future::ready;
use super::{Engine, again, errors, prepare};

/// How long marks are made under the same name.
const NAME_LASTS_MS: u64 = 24 * 60 * 60 * 1000;
/// Marks older than this are of no write that still lasts.
const MARKS_LAST_MS: u64 = 8 * NAME_LASTS_MS;
/// Bytes of a mark before the version.
const NUMBER_BYTES: usize = 8;

/// The marks of this process.
pub(super) struct Marks {
    ambient: Arc<dyn Ambient>,
    state: Mutex<State>,
}

struct State {
    name: [u8; 16],
    named_at_ms: u64,
    free: Vec<u16>,
    /// The first slot that was never used.
    next: u16,
    /// Writes so far.
    writes: u64,
}

/// A place for a mark, for as long as a write lasts.
pub(super) struct Mark<'a> {
    marks: &'a Marks,
    name: [u8; 16],
    slot: u16,
    number: u64,
}

impl Marks {
    pub(super) fn new(ambient: Arc<dyn Ambient>) -> Self {
        let state = State { name: [0; 16], named_at_ms: 0, free: Vec::new(), next: 0, writes: 0 };
        Marks { ambient, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    pub(super) fn take(&self) -> Result<Mark<'_>> {
        let now = self.ambient.now().as_millis();
        let mut state = self.state();
        if state.next == 0 || now.abs_diff(state.named_at_ms) > NAME_LASTS_MS {
            // As a commit id: it begins with the time.
            state.name = *self.ambient.commit_id().as_bytes();
            state.named_at_ms = now;
        }
        let slot = match state.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = state.next;
                state.next = slot.checked_add(1).ok_or_else(|| {
                    Error::new(ErrorKind::Busy, "too many writes at once in one process")
                        .with("at most", u16::MAX)
                })?;
                slot
            }
        };
        state.writes += 1;
        Ok(Mark { marks: self, name: state.name, slot, number: state.writes })
    }

    /// Names below this one are of marks that nobody needs any more.
    pub(super) fn forgotten_before(&self) -> [u8; 16] {
        let mut name = [0; 16];
        let oldest = self.ambient.now().as_millis().saturating_sub(MARKS_LAST_MS);
        // The six bytes of time with which a commit id begins.
        name[..6].copy_from_slice(&oldest.to_be_bytes()[2..]);
        name
    }
}

impl Mark<'_> {
    pub(super) fn place(&self) -> (&[u8; 16], u16) {
        (&self.name, self.slot)
    }

    /// What the write puts there, with room for its version, and where that goes.
    pub(super) fn value(&self) -> (Vec<u8>, usize) {
        let mut value = self.number.to_be_bytes().to_vec();
        value.resize(NUMBER_BYTES + Version::LEN, 0);
        (value, NUMBER_BYTES)
    }

    /// The version of the write, if this is its mark.
    pub(super) fn read(&self, stored: &[u8]) -> Option<Version> {
        let (number, version) = stored.split_at_checked(NUMBER_BYTES)?;
        (number == self.number.to_be_bytes())
            .then(|| version.try_into().ok())?
            .map(Version::from_bytes)
    }
}

impl Engine {
    /// Whether the write with this mark was made, and at which version. If not, it
    /// never will be.
    pub(super) async fn look(&self, mark: &Mark<'_>) -> Result<Option<Version>> {
        let (process, slot) = mark.place();
        let key = self.keys.mark(process, slot);
        let mut transaction = self.begin()?;
        loop {
            let stored = match ready(transaction.get(&key, false)).await {
                Ok(stored) => stored,
                Err(error) => {
                    transaction = again(transaction, error).await?;
                    continue;
                }
            };
            if let Some(version) = stored.and_then(|stored| mark.read(&stored)) {
                return Ok(Some(version));
            }
            // The write depends on the mark: set after it was read, it is refused.
            transaction.set(&key, b"");
            match ready(transaction.commit()).await {
                Ok(_) => return Ok(None),
                Err(failed) => {
                    transaction = ready(failed.on_error()).await.map_err(errors::ended)?;
                    prepare(&transaction)?;
                }
            }
        }
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.marks.state().free.push(self.slot);
    }
}

#[cfg(test)]
mod tests;
