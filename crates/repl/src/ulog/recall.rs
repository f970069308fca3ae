//! What was changed here that another master may not know of, as the log has it.

use hozo_traits::{Reach, Result, Timestamp};

use super::codec::{self, UPDATE};
use super::{Place, Tail, Ulog};

impl Ulog {
    /// Whether records may have been changed here of which the server that is
    /// followed does not know.
    pub(crate) fn may_conflict(&self) -> Result<bool> {
        let mut tail = self.core.tail.lock();
        self.recall(&mut tail, 0)?;
        Ok(!tail.recent.is_empty())
    }

    /// From here on the log is needed to find conflicts after it was opened again:
    /// the other master may be about to give updates that did not know of these.
    pub(crate) fn needed_from(&self) -> Result<Option<Place>> {
        let (log, me) = (&self.core.log, self.core.me);
        let known = {
            let tail = self.core.tail.lock();
            let own = tail.state.position.of(me).seq;
            match tail.recent.first() {
                // It was not heard yet what the other one knows: all is needed. To read
                // the log now would keep all who write waiting.
                _ if tail.recent.lacks_older() && own > 0 => 0,
                None => return Ok(None),
                Some(first) => first.saturating_sub(1),
            }
        };
        let _pin = self.pins.read_recursive();
        let found = self.places.behind(log, me, known)?;
        Ok(Some(found.map_or(0, |(place, _)| place)))
    }

    /// Has what was changed here before the log was opened remembered, from the
    /// log, if that is needed and was not done: all after a number of this
    /// server's, which the one that is followed knows.
    pub(super) fn recall(&self, tail: &mut Tail, known: u64) -> Result<()> {
        if !tail.recent.lacks_older() {
            return Ok(());
        }
        // Not behind one who waits to remove something, who may wait for one
        // who waits for the tail.
        let _pin = self.pins.read_recursive();
        let (log, me) = (&self.core.log, self.core.me);
        tail.recent.begin_again();
        let found = self.places.behind(log, me, known)?;
        for record in log.records_from(found.map_or(0, |(place, _)| place)) {
            let record = record?;
            if record.kind != UPDATE {
                continue;
            }
            let head = codec::decode_head(record.key)?;
            if head.server == me && head.origin == me && head.reach.seq > known {
                tail.recent.changed_here(&codec::decode(record.key, record.value)?);
            }
        }
        Ok(())
    }

    /// What is changed here from now on is later than this.
    pub(crate) fn has_seen(&self, time: Timestamp) {
        let mut tail = self.core.tail.lock();
        let after = Timestamp::from_micros(time.as_micros().saturating_add(1));
        tail.state.newest = tail.state.newest.max(after);
    }

    /// From now on conflicts are looked for: this is one of two masters.
    pub(crate) fn remember_changes(&self, remember: bool) {
        self.core.tail.lock().recent.remember(remember);
    }

    /// Forgets what a source is known to have.
    pub(crate) fn known_there(&self, reach: Reach) -> Result<()> {
        let mut tail = self.core.tail.lock();
        self.recall(&mut tail, reach.seq)?;
        tail.recent.known(reach.seq);
        Ok(())
    }
}
