//! Who follows, and what they have.

use std::time::Duration;

use hozo_traits::{Error, ErrorKind, FollowerStatus, Position, Reader, Result, ServerId};
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::signal::Signal;
use crate::ulog::Place;

/// A follower that is gone for so long is not waited for any more by retention.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// Followers that are not connected and are remembered.
const REMEMBERED_MAX: usize = 64;
/// Followers at once.
const CONNECTED_MAX: usize = 1024;

/// All followers of this server.
pub(crate) struct Followers {
    clock: Clock,
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
    acknowledges: bool,
    has: Option<Position>,
    /// From where it reads.
    place: Place,
    /// Since when it is not connected.
    gone: Option<Duration>,
}

impl Followers {
    pub(crate) fn new(clock: Clock) -> Followers {
        Followers { clock, slots: Mutex::default(), changed: Signal::default() }
    }

    /// Somebody begins to follow; answers the number by which it is known.
    pub(crate) fn enter(&self, reader: &Reader, place: Place) -> Result<u64> {
        let mut slots = self.slots.lock();
        let connected = slots.all.iter().filter(|slot| slot.gone.is_none()).count();
        if connected >= CONNECTED_MAX {
            return Err(Error::new(ErrorKind::Busy, "too many follow this server")
                .with("most", CONNECTED_MAX));
        }
        slots.ever += 1;
        let number = slots.ever;
        let before = reader.server.and_then(|server| {
            let known = slots.all.iter().position(|slot| slot.server == Some(server));
            known.map(|at| slots.all.remove(at))
        });
        slots.all.push(Slot {
            number,
            server: reader.server,
            name: reader.name.clone(),
            acknowledges: reader.acknowledges,
            has: before.and_then(|before| before.has),
            place,
            gone: None,
        });
        Ok(number)
    }

    /// It does not follow any more.
    pub(crate) fn leave(&self, number: u64) {
        let mut slots = self.slots.lock();
        let Some(at) = slots.all.iter().position(|slot| slot.number == number) else { return };
        let slot = &mut slots.all[at];
        if !slot.acknowledges || slot.server.is_none() {
            slots.all.remove(at);
            return;
        }
        slot.gone = Some(self.clock.now());
        let gone: Vec<u64> =
            slots.all.iter().filter(|slot| slot.gone.is_some()).map(|slot| slot.number).collect();
        if gone.len() > REMEMBERED_MAX {
            slots.all.retain(|slot| slot.number != gone[0]);
        }
    }

    /// It reads from here on, and needs nothing before that unless it says what
    /// it needs.
    pub(crate) fn reads(&self, number: u64, place: Place) {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.all.iter_mut().find(|slot| slot.number == number)
            && !slot.acknowledges
        {
            slot.place = place;
        }
    }

    /// It has this on stable storage; `place` is at or before what it needs.
    pub(crate) fn acknowledged(&self, number: u64, position: &Position, place: Place) {
        {
            let mut slots = self.slots.lock();
            let Some(slot) = slots.all.iter_mut().find(|slot| slot.number == number) else {
                return;
            };
            slot.has = Some(position.clone());
            slot.place = slot.place.max(place);
        }
        self.changed.tell();
    }

    /// How many servers have the updates of `server` up to a number.
    pub(crate) fn having(&self, server: ServerId, seq: u64) -> u32 {
        let slots = self.slots.lock();
        let have = |slot: &&Slot| {
            slot.server.is_some() && slot.has.as_ref().is_some_and(|has| has.of(server).seq >= seq)
        };
        slots.all.iter().filter(have).count() as u32
    }

    /// Everything from here on is needed by somebody; `None` if nothing is.
    pub(crate) fn needed_from(&self) -> Option<Place> {
        let now = self.clock.now();
        let mut slots = self.slots.lock();
        slots.all.retain(|slot| slot.gone.is_none_or(|gone| now - gone < REMEMBERED));
        slots.all.iter().filter(|slot| slot.acknowledges).map(|slot| slot.place).min()
    }

    pub(crate) fn status(&self, head: &Position) -> Vec<FollowerStatus> {
        let slots = self.slots.lock();
        let status = |slot: &Slot| FollowerStatus {
            server: slot.server,
            name: slot.name.clone(),
            connected: slot.gone.is_none(),
            has: slot.has.clone(),
            behind: slot.has.as_ref().map_or(0, |has| has.behind(head)),
        };
        slots.all.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests;
