//! Who follows, and what they have.

use std::time::Duration;

use hozo_traits::{Error, ErrorKind, FollowerStatus, Position, Reader, Result, ServerId};
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::signal::Signal;
use crate::ulog::Place;

/// A follower that is gone for so long is not waited for any more by retention.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// Followers that are not connected and are remembered: what they have, they
/// have.
const REMEMBERED_MAX: usize = 64;
/// Followers at once.
const CONNECTED_MAX: usize = 1024;

/// Who follows something of this server, and what of it each has: `H`.
pub(crate) struct Roster<H> {
    slots: Mutex<Slots<H>>,
    /// Somebody acknowledged something, or a deadline may have passed.
    pub(crate) changed: Signal,
}

struct Slots<H> {
    all: Vec<Slot<H>>,
    ever: u64,
}

/// One who follows.
pub(crate) struct Slot<H> {
    number: u64,
    pub(crate) server: Option<ServerId>,
    pub(crate) name: String,
    acknowledges: bool,
    pub(crate) has: H,
    /// Since when it is not connected.
    gone: Option<Duration>,
}

/// How many are to have something, and by when.
pub(crate) struct Wanted<'a> {
    pub(crate) followers: u32,
    pub(crate) within: Duration,
    pub(crate) clock: &'a Clock,
    /// What they are to have, in a word.
    pub(crate) what: &'static str,
}

impl<H> Default for Roster<H> {
    fn default() -> Self {
        let slots = Slots { all: Vec::new(), ever: 0 };
        Roster { slots: Mutex::new(slots), changed: Signal::default() }
    }
}

impl<H> Slot<H> {
    pub(crate) fn connected(&self) -> bool {
        self.gone.is_none()
    }
}

impl<H> Roster<H> {
    /// Somebody begins to follow; answers the number by which it is known. `has` is
    /// given what the same server had when it followed before.
    pub(crate) fn enter(&self, reader: &Reader, has: impl FnOnce(Option<H>) -> H) -> Result<u64> {
        let mut slots = self.slots.lock();
        let connected = slots.all.iter().filter(|slot| slot.connected()).count();
        if connected >= CONNECTED_MAX {
            return Err(Error::new(ErrorKind::Busy, "too many follow this server")
                .with("most", CONNECTED_MAX));
        }
        slots.ever += 1;
        let number = slots.ever;
        let before = reader.server.and_then(|server| {
            let known = slots.all.iter().position(|slot| slot.server == Some(server));
            known.map(|at| slots.all.remove(at).has)
        });
        slots.all.push(Slot {
            number,
            server: reader.server,
            name: reader.name.clone(),
            acknowledges: reader.acknowledges,
            has: has(before),
            gone: None,
        });
        Ok(number)
    }

    /// It does not follow any more, as of `now`. A server that acknowledges is
    /// remembered.
    pub(crate) fn leave(&self, number: u64, now: Duration) {
        let mut slots = self.slots.lock();
        let Some(at) = slots.all.iter().position(|slot| slot.number == number) else { return };
        if !slots.all[at].acknowledges || slots.all[at].server.is_none() {
            slots.all.remove(at);
            return;
        }
        slots.all[at].gone = Some(now);
        let gone = slots.all.iter().filter(|slot| !slot.connected());
        if gone.clone().count() > REMEMBERED_MAX
            && let Some(oldest) = gone.min_by_key(|slot| slot.gone).map(|slot| slot.number)
        {
            slots.all.retain(|slot| slot.number != oldest);
        }
    }

    /// One has more than before, if it is still known; who waits for that looks
    /// again.
    pub(crate) fn has_more(&self, number: u64, note: impl FnOnce(&mut H)) {
        {
            let mut slots = self.slots.lock();
            let Some(slot) = slots.all.iter_mut().find(|slot| slot.number == number) else {
                return;
            };
            note(&mut slot.has);
        }
        self.changed.tell();
    }

    /// How many servers have something.
    pub(crate) fn having(&self, has: impl Fn(&H) -> bool) -> u32 {
        let slots = self.slots.lock();
        let have = |slot: &&Slot<H>| slot.server.is_some() && has(&slot.has);
        slots.all.iter().filter(have).count() as u32
    }

    /// Waits until as many servers as wanted have something that is made and durable
    /// here; no longer when `refuse` says why that is of no use.
    pub(crate) async fn acknowledged(
        &self,
        Wanted { followers, within, clock, what }: Wanted<'_>,
        has: impl Fn(&H) -> bool,
        refuse: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let deadline = clock.now().saturating_add(within);
        let look = || {
            let having = self.having(&has);
            let over = having >= followers || clock.now() >= deadline || refuse().is_err();
            over.then_some(having)
        };
        let having = self.changed.until(look).await;
        if having >= followers {
            return Ok(());
        }
        let late = || {
            let message = format!(
                "the {what} is made and durable here, but not enough followers have it; it is \
                 unknown which of them will"
            );
            Error::new(ErrorKind::TimedOut, message)
        };
        Err(refuse()
            .err()
            .unwrap_or_else(late)
            .with("followers_having_it", having)
            .with("followers_wanted", followers))
    }

    /// Looks at each of them.
    pub(crate) fn each<T>(&self, look: impl FnMut(&Slot<H>) -> T) -> Vec<T> {
        self.slots.lock().all.iter().map(look).collect()
    }
}

/// What a follower of the update log has.
#[derive(Default)]
pub(crate) struct Held {
    position: Option<Position>,
    /// From where it reads.
    place: Place,
}

impl Held {
    /// Whether it has the updates of a server up to a number.
    pub(crate) fn reaches(&self, server: ServerId, seq: u64) -> bool {
        self.position.as_ref().is_some_and(|has| has.of(server).seq >= seq)
    }
}

/// All followers of this server's update log.
pub(crate) struct Followers {
    clock: Clock,
    pub(crate) roster: Roster<Held>,
}

impl Followers {
    pub(crate) fn new(clock: Clock) -> Followers {
        Followers { clock, roster: Roster::default() }
    }

    /// Somebody begins to follow; answers the number by which it is known.
    pub(crate) fn enter(&self, reader: &Reader, place: Place) -> Result<u64> {
        self.roster.enter(reader, |before| Held { place, ..before.unwrap_or_default() })
    }

    /// Tells whether anybody follows now; nobody comes or goes meanwhile.
    pub(crate) fn any(&self, tell: impl FnOnce(bool)) {
        let slots = self.roster.slots.lock();
        tell(slots.all.iter().any(Slot::connected));
    }

    /// It does not follow any more.
    pub(crate) fn leave(&self, number: u64) {
        self.roster.leave(number, self.clock.now());
    }

    /// It reads from here on, and needs nothing before that unless it says what
    /// it needs.
    pub(crate) fn reads(&self, number: u64, place: Place) {
        let mut slots = self.roster.slots.lock();
        if let Some(slot) = slots.all.iter_mut().find(|slot| slot.number == number)
            && !slot.acknowledges
        {
            slot.has.place = place;
        }
    }

    /// It has this on stable storage; `place` is at or before what it needs.
    pub(crate) fn acknowledged(&self, number: u64, position: &Position, place: Place) {
        self.roster.has_more(number, |held| {
            held.position = Some(position.clone());
            held.place = held.place.max(place);
        });
    }

    /// Everything from here on is needed by somebody; `None` if nothing is.
    pub(crate) fn needed_from(&self) -> Option<Place> {
        let now = self.clock.now();
        let mut slots = self.roster.slots.lock();
        slots.all.retain(|slot| slot.gone.is_none_or(|gone| now.saturating_sub(gone) < REMEMBERED));
        slots.all.iter().filter(|slot| slot.acknowledges).map(|slot| slot.has.place).min()
    }

    pub(crate) fn status(&self, head: &Position) -> Vec<FollowerStatus> {
        self.roster.each(|slot| FollowerStatus {
            server: slot.server,
            name: slot.name.clone(),
            connected: slot.connected(),
            has: slot.has.position.clone(),
            behind: slot.has.position.as_ref().map_or(0, |has| has.behind(head)),
        })
    }
}

#[cfg(test)]
mod tests;
