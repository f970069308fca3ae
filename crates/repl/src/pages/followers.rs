//! Who follows a store's namespaces, and what they have.

use std::time::Duration;

use hozo_traits::{Error, ErrorKind, PagesFollower, Reader, Result, ServerId, Version};
use parking_lot::Mutex;

use crate::signal::Signal;

/// Followers at once.
const CONNECTED_MAX: usize = 1024;
/// Followers that are not connected and are remembered: what they have, they
/// have.
const REMEMBERED_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Followers {
    slots: Mutex<Slots>,
    /// Somebody acknowledged something, or a deadline may have passed.
    pub(crate) changed: Signal,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    ever: u64,
}

struct Slot {
    number: u64,
    server: Option<ServerId>,
    name: String,
    has: Option<Version>,
    /// Since when it is not connected.
    gone: Option<Duration>,
}

impl Followers {
    /// Somebody begins to follow after a version that it has; answers the number
    /// by which it is known.
    pub(crate) fn enter(&self, reader: &Reader, has: Version) -> Result<u64> {
        let mut slots = self.slots.lock();
        if slots.all.iter().filter(|slot| slot.gone.is_none()).count() >= CONNECTED_MAX {
            return Err(Error::new(ErrorKind::Busy, "too many follow this store")
                .with("most", CONNECTED_MAX));
        }
        slots.ever += 1;
        let number = slots.ever;
        if reader.server.is_some() {
            // What it had before, it may have lost.
            slots.all.retain(|slot| slot.server != reader.server);
        }
        slots.all.push(Slot {
            number,
            server: reader.server,
            name: reader.name.clone(),
            has: reader.acknowledges.then_some(has),
            gone: None,
        });
        Ok(number)
    }

    /// It does not follow any more, as of `now`.
    pub(crate) fn leave(&self, number: u64, now: Duration) {
        let mut slots = self.slots.lock();
        let Some(at) = slots.all.iter().position(|slot| slot.number == number) else { return };
        if slots.all[at].server.is_none() || slots.all[at].has.is_none() {
            slots.all.remove(at);
            return;
        }
        slots.all[at].gone = Some(now);
        let gone = slots.all.iter().filter(|slot| slot.gone.is_some());
        if gone.clone().count() > REMEMBERED_MAX
            && let Some(oldest) = gone.min_by_key(|slot| slot.gone).map(|slot| slot.number)
        {
            slots.all.retain(|slot| slot.number != oldest);
        }
    }

    /// It has everything up to this version on stable storage.
    pub(crate) fn acknowledged(&self, number: u64, durable: Version) {
        {
            let mut slots = self.slots.lock();
            let Some(slot) = slots.all.iter_mut().find(|slot| slot.number == number) else {
                return;
            };
            slot.has = slot.has.map(|has| has.max(durable));
        }
        self.changed.tell();
    }

    /// How many servers have everything up to a version.
    pub(crate) fn having(&self, version: Version) -> u32 {
        let slots = self.slots.lock();
        let have =
            |slot: &&Slot| slot.server.is_some() && slot.has.is_some_and(|has| has >= version);
        slots.all.iter().filter(have).count() as u32
    }

    pub(crate) fn status(&self, head: Version) -> Vec<PagesFollower> {
        let slots = self.slots.lock();
        let status = |slot: &Slot| PagesFollower {
            server: slot.server,
            name: slot.name.clone(),
            connected: slot.gone.is_none(),
            has: slot.has,
            behind: slot.has.map_or(0, |has| head.seq().saturating_sub(has.seq())),
        };
        slots.all.iter().map(status).collect()
    }
}
