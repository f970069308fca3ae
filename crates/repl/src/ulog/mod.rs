//! The update log: what was changed, in order, on stable storage.
//!
//! A log of `hozo-log` with two kinds of records: updates, and every now and
//! then what all before it comes to ([`State`]), so that a place in the log can
//! be found, and the log be opened, without reading all of it.

pub(crate) mod checkpoint;
pub(crate) mod codec;
pub(crate) mod open;
mod places;
mod reader;
mod recall;

use std::sync::Arc;

use bytes::Bytes;
use hozo_log::{Log, disk::Disk};
use hozo_ordered::GroupSync;
use hozo_traits::{
    Durability, Effect, Error, ErrorKind, Position, Reach, Result, ServerId, Timestamp, Update,
    What,
};
use parking_lot::{Mutex, RwLock};

use self::codec::{STATE, State, UPDATE};
use self::places::Places;
use crate::merge::{Contest, Recent, Stamp, contest};
use crate::signal::Signal;

pub(crate) use self::open::Opened;
pub(crate) use self::reader::{Begin, UlogReader};

/// A place in the log's bytes.
pub(crate) type Place = hozo_log::Position;

/// A state is written each time so much has been, and in each segment.
const STATE_EVERY_BYTES: u64 = 4 << 20;

/// An update log that is open.
pub(crate) struct Ulog {
    core: Arc<Core>,
    sync: GroupSync<Place>,
    /// Something was appended.
    pub(crate) appended: Signal,
    places: Places,
    /// Held for reading by who reads records, for writing by who removes them.
    pins: RwLock<()>,
}

struct Core {
    log: Log,
    me: ServerId,
    disk: Arc<dyn Disk>,
    tail: Mutex<Tail>,
    durable: Mutex<Durable>,
}

/// Where the log goes on.
struct Tail {
    state: State,
    /// Where the last state was written.
    state_at: Place,
    /// Which of the log's numbers the last record was in.
    number: u64,
    /// What was changed here lately, for finding conflicts.
    recent: Recent,
    /// No more appends.
    closed: bool,
}

/// Up to where the log is on stable storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    pub(crate) place: Place,
    pub(crate) position: Position,
    pub(crate) newest: Timestamp,
}

/// What became of an update that came from elsewhere.
pub(crate) struct Merged {
    /// What is to be done with the records.
    pub(crate) effects: Vec<Effect>,
    /// Where the log ended after it.
    pub(crate) end: Place,
    /// Keys that were changed here as well, and by whom.
    pub(crate) conflicts: Vec<Contest>,
}

impl Tail {
    fn refuse_closed(&self) -> Result<()> {
        match self.closed {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Unavailable, "the update log is closed")),
        }
    }

    /// A state with more servers could not be read again.
    fn refuse_more_servers(&self, origin: ServerId) -> Result<()> {
        let known = self.state.position.of(origin).seq > 0;
        if known || self.state.position.iter().count() < codec::SERVERS_MAX {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge, "updates of too many servers are in one log")
            .with("most", codec::SERVERS_MAX))
    }
}

impl Ulog {
    pub(crate) fn me(&self) -> ServerId {
        self.core.me
    }

    /// What all that was appended comes to.
    pub(crate) fn state(&self) -> State {
        self.core.tail.lock().state.clone()
    }

    /// How far the updates of a server are appended.
    pub(crate) fn reach_of(&self, server: ServerId) -> Reach {
        self.core.tail.lock().state.position.of(server)
    }

    pub(crate) fn durable(&self) -> Durable {
        self.core.durable.lock().clone()
    }

    /// Where what was appended ends; the log's own marks may be behind it.
    pub(crate) fn end(&self) -> Place {
        self.sync.marks().written
    }

    /// Bytes that the log takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.core.log.pieces().iter().map(|piece| piece.bytes).sum()
    }

    /// Appends what this server changed itself; answers where the log ends then,
    /// and the number. To be called while nobody else can change these records.
    pub(crate) fn append_own(
        &self,
        what: What,
        now: Timestamp,
        durability: Durability,
    ) -> Result<(Place, u64)> {
        let value = codec::encode_what(&what);
        let checksum = codec::checksum(&value);
        let me = self.core.me;
        let mut tail = self.core.tail.lock();
        let before = tail.state.position.of(me);
        let seq = before.seq + 1;
        let time = now.max(tail.state.newest);
        let digest = codec::digest(before.digest, seq, time, me, &what, checksum);
        let reach = Reach { seq, digest };
        let update = Update { time, origin: me, reach, server: me, what };
        self.append(&mut tail, &update, &value, durability)?;
        tail.recent.changed_here(&update);
        Ok((self.done(tail), seq))
    }

    /// Appends what a server changed that does not number its updates; the
    /// number is this server's.
    pub(crate) fn append_foreign(&self, update: &Update) -> Result<Place> {
        let value = codec::encode_what(&update.what);
        let checksum = codec::checksum(&value);
        let me = self.core.me;
        let mut tail = self.core.tail.lock();
        let before = tail.state.position.of(me);
        let seq = before.seq + 1;
        let time = update.time.max(tail.state.newest);
        let digest = codec::digest(before.digest, seq, time, update.server, &update.what, checksum);
        let what = update.what.clone();
        let update =
            Update { time, origin: me, reach: Reach { seq, digest }, server: update.server, what };
        self.append(&mut tail, &update, &value, Durability::Sequenced)?;
        Ok(self.done(tail))
    }

    /// Appends an update of another server, which comes after all of that one
    /// that are here. What it changes that was changed here too, without its
    /// server's knowledge, is settled: the later one stands.
    pub(crate) fn append_other(&self, update: &Update) -> Result<Merged> {
        let mut tail = self.core.tail.lock();
        self.recall(&mut tail, 0)?;
        let settled = tail.recent.merge(update);
        let (effects, conflicts) = (settled.effects, settled.conflicts);
        let reduced = match update.what {
            What::Records { dbm, .. } if settled.reduced => {
                let what = What::Records { dbm, effects: effects.clone(), reduced: true };
                Some(Update { what, ..update.clone() })
            }
            _ => None,
        };
        let update = reduced.as_ref().unwrap_or(update);
        let value = codec::encode_what(&update.what);
        self.append(&mut tail, update, &value, Durability::Sequenced)?;
        tail.state.conflicts += conflicts.len() as u64;
        Ok(Merged { effects, end: self.done(tail), conflicts })
    }

    /// The same for one that clears a DBM of which records were changed here,
    /// without its server's knowledge: those that were changed later stay.
    /// `keys` are those that the DBM has.
    pub(crate) fn append_clearing(&self, update: &Update, keys: &[Bytes]) -> Result<Merged> {
        let What::Records { dbm, .. } = update.what else {
            return Err(Error::new(ErrorKind::Internal, "only records are cleared"));
        };
        let mut tail = self.core.tail.lock();
        self.recall(&mut tail, 0)?;
        let stamp = Stamp::of(update);
        let (mut effects, mut conflicts) = (Vec::new(), Vec::new());
        for key in keys {
            match tail.recent.stamp_of(dbm, key) {
                Some(here) if here > stamp => {
                    conflicts.push(contest(Some(key.clone()), here, stamp));
                }
                _ => effects.push(Effect::Remove { key: key.clone() }),
            }
        }
        let what = What::Records { dbm, effects: effects.clone(), reduced: true };
        let update = Update { what, ..update.clone() };
        let value = codec::encode_what(&update.what);
        self.append(&mut tail, &update, &value, Durability::Sequenced)?;
        tail.state.conflicts += conflicts.len() as u64;
        Ok(Merged { effects, end: self.done(tail), conflicts })
    }

    /// The log is now that of these updates and no others: after a snapshot.
    pub(crate) fn restart(&self, position: Position, newest: Timestamp, epoch: u64) -> Result<()> {
        let end = {
            let mut tail = self.core.tail.lock();
            tail.refuse_closed()?;
            let own = tail.state.position.of(self.core.me);
            tail.state.position = position;
            // A server's own numbers never go back.
            if own.seq > tail.state.position.of(self.core.me).seq {
                tail.state.position.set(self.core.me, own);
            }
            tail.state.newest = tail.state.newest.max(newest);
            tail.state.epoch = tail.state.epoch.max(epoch);
            tail.state.begins = self.core.log.head();
            self.places.restart(tail.state.begins);
            self.write_state(&mut tail)?;
            let end = self.core.log.head();
            self.sync.wrote(end, Durability::Durable);
            end
        };
        self.appended.tell();
        hozo_traits::exec::block_on(self.sync.wait(end))
    }

    fn append(
        &self,
        tail: &mut Tail,
        update: &Update,
        value: &[u8],
        durability: Durability,
    ) -> Result<()> {
        tail.refuse_closed()?;
        self.sync.refuse_if_poisoned()?;
        tail.refuse_more_servers(update.origin)?;
        let key = codec::encode_key(update);
        let log = &self.core.log;
        let place = log.append(UPDATE, &key, value)?;
        tail.state.add(update);
        let number = place / log.segment_bytes();
        if number != tail.number || place > tail.state_at + STATE_EVERY_BYTES {
            tail.number = number;
            let in_segment = log.last_first() <= tail.state_at;
            if !in_segment || place > tail.state_at + STATE_EVERY_BYTES {
                // Without it a place is found more slowly, and that is all.
                if let Err(error) = self.write_state(tail) {
                    tracing::warn!(%error, "the update log has no room for its own notes");
                }
            }
        }
        self.sync.wrote(log.head(), durability);
        Ok(())
    }

    fn write_state(&self, tail: &mut Tail) -> Result<()> {
        tail.state_at = self.core.log.append(STATE, &[], &tail.state.encode())?;
        tail.number = tail.state_at / self.core.log.segment_bytes();
        self.places.add(tail.state_at, tail.state.clone());
        Ok(())
    }

    /// What is left to do after an append.
    fn done(&self, tail: parking_lot::MutexGuard<'_, Tail>) -> Place {
        let end = self.end();
        drop(tail);
        self.appended.tell();
        end
    }

    /// Gives all updates from a place on to `each`.
    pub(crate) fn replay(
        &self,
        from: Place,
        mut each: impl FnMut(&Update) -> Result<()>,
    ) -> Result<()> {
        let _pin = self.pins.read();
        for record in self.core.log.records_from(from) {
            let record = record?;
            if record.kind == UPDATE {
                each(&codec::decode(record.key, record.value)?)?;
            }
        }
        Ok(())
    }

    /// Waits until everything below `place` is on stable storage.
    pub(crate) async fn wait(&self, place: Place) -> Result<()> {
        self.sync.wait(place).await
    }

    /// Writes a state at the end, and answers where, with everything below it
    /// still to be synced.
    pub(crate) fn mark(&self) -> Result<Place> {
        let mut tail = self.core.tail.lock();
        tail.refuse_closed()?;
        self.write_state(&mut tail)?;
        self.sync.wrote(self.core.log.head(), Durability::Durable);
        Ok(tail.state_at)
    }

    /// Where what is not older than a time begins.
    pub(crate) fn place_before(&self, time: Timestamp) -> Result<Place> {
        let _pin = self.pins.read();
        let found = self.places.since(&self.core.log, time)?;
        Ok(found.map_or(0, |(place, _)| place))
    }

    /// Where the log begins when so many bytes of it are gone.
    pub(crate) fn place_behind(&self, bytes: u64) -> Place {
        let mut gone = 0;
        for piece in self.core.log.pieces() {
            gone += piece.bytes;
            if gone >= bytes {
                return piece.end;
            }
        }
        self.core.log.head()
    }

    /// Removes segments that lie wholly below `place`; answers bytes freed.
    pub(crate) fn discard_before(&self, place: Place) -> Result<u64> {
        let before = self.bytes();
        let _pins = self.pins.write();
        self.core.log.discard_before(place)?;
        self.places.forget_before(self.core.log.tail());
        Ok(before.saturating_sub(self.bytes()))
    }

    /// Has space ready ahead, if that is of use.
    pub(crate) fn prepare(&self) {
        if self.core.log.wants_ahead()
            && let Err(error) = self.core.log.prepare_ahead()
        {
            tracing::debug!(%error, "no space was prepared for the update log");
        }
    }

    pub(crate) fn wants_space(&self) -> bool {
        self.core.log.wants_ahead()
    }

    /// No more appends; what was appended is synced.
    pub(crate) fn close(&self) -> Result<()> {
        self.core.tail.lock().closed = true;
        let synced = hozo_traits::exec::block_on(self.wait(self.end()));
        self.appended.tell();
        synced?;
        self.core.log.say_durable();
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.tail.lock().closed
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.core.disk
    }
}

#[cfg(test)]
pub(crate) mod tests;
