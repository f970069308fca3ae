//! Reading the log from a place on.

use std::sync::Arc;

use hozo_traits::{
    Effect, Error, ErrorKind, FeedPart, Position, Reach, Result, ServerId, Timestamp, Update, What,
};

use super::codec::{self, State, UPDATE};
use super::{Place, Ulog};

/// From where to read.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    /// What is not in this.
    After(Position),
    /// What is not older than this.
    Since(Timestamp),
}

/// Reads the updates of a log in order, as far as they are durable.
pub(crate) struct UlogReader {
    ulog: Arc<Ulog>,
    at: Place,
    /// What the reader has.
    has: Position,
    /// Updates before this are not asked for.
    since: Timestamp,
    /// Whose updates are left out.
    own: Option<ServerId>,
    /// Where the log is at `at`.
    position: Position,
    /// How far the reader's own updates are in the log, to be said before
    /// anything else is.
    marker: Option<Update>,
}

impl Ulog {
    /// A reader, whose server, if it is one, is `own`.
    pub(crate) fn reader(
        self: &Arc<Self>,
        begin: Begin,
        own: Option<ServerId>,
    ) -> Result<UlogReader> {
        let _pin = self.pins.read();
        let log = &self.core.log;
        let (found, has, since) = match begin {
            Begin::After(has) => {
                self.refuse_other_history(&has)?;
                (self.places.after(log, &has)?, has, Timestamp::default())
            }
            Begin::Since(since) => (self.places.since(log, since)?, Position::default(), since),
        };
        let (at, state) = found.ok_or_else(|| gone(&has))?;
        let marker = own
            .map(|own| nothing(own, state.position.of(own), state.newest))
            .filter(|marker| marker.reach.seq > 0);
        let position = state.position.clone();
        refuse_other_digests(&state, &has)?;
        Ok(UlogReader { ulog: Arc::clone(self), at, has, since, own, position, marker })
    }

    /// An error if a position is not in this history.
    fn refuse_other_history(&self, has: &Position) -> Result<()> {
        let state = self.state();
        let (own, me) = (state.position.of(self.me()), self.me());
        let theirs = has.of(me);
        if theirs.seq > own.seq {
            return Err(other_history(me, theirs.seq).with("newest_here", own.seq));
        }
        refuse_other_digests(&state, has)
    }
}

fn refuse_other_digests(state: &State, has: &Position) -> Result<()> {
    for (server, reach) in has.iter() {
        let here = state.position.of(server);
        if here.seq == reach.seq && here.digest != reach.digest {
            return Err(other_history(server, reach.seq));
        }
    }
    Ok(())
}

fn other_history(server: ServerId, seq: u64) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the histories are not the same: there is another update of this number, or none; one \
         of both has to begin anew from the other's records",
    )
    .with("server", server)
    .with("update", seq)
}

fn gone(has: &Position) -> Error {
    Error::new(
        ErrorKind::VersionGone,
        "the updates after this position are not in the log any more; a snapshot is needed",
    )
    .with("position", has)
}

impl UlogReader {
    /// Where it is in the log.
    pub(crate) fn place(&self) -> Place {
        self.at
    }

    /// Waits for the next updates, and answers some.
    pub(crate) async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        loop {
            let ulog = Arc::clone(&self.ulog);
            // Before it reads, so that it reads all up to here.
            let (closed, durable) = (ulog.is_closed(), ulog.durable().place);
            if let Some(part) = self.read(bytes_max)? {
                return Ok(part);
            }
            let end = ulog.end();
            if durable < end {
                ulog.wait(end).await?;
                continue;
            }
            if closed {
                return Err(Error::new(ErrorKind::Unavailable, "the server stops"));
            }
            let more = || (ulog.end() > end || ulog.is_closed()).then_some(());
            ulog.appended.until(more).await;
        }
    }

    /// The next updates, if there are any that are durable.
    pub(crate) fn read(&mut self, bytes_max: usize) -> Result<Option<FeedPart>> {
        let ulog = Arc::clone(&self.ulog);
        let _pin = ulog.pins.read();
        let durable = ulog.durable();
        let log = &ulog.core.log;
        // What it has read was removed, and perhaps more, or the log begins anew
        // there. Asked after `durable`, below which it does not begin anew then.
        if self.at < log.tail() || self.at <= ulog.places.from() {
            let found = ulog.places.after(log, &self.position)?;
            self.at = found.ok_or_else(|| gone(&self.position))?.0;
            for (server, reach) in self.position.iter() {
                if reach.seq > self.has.of(server).seq {
                    self.has.set(server, reach);
                }
            }
        }
        let mut part =
            FeedPart { head: durable.position, newest: durable.newest, ..FeedPart::default() };
        part.updates.extend(self.marker.take());
        let mut bytes = 0;
        let mut passed = self.at;
        for record in log.records_from(self.at) {
            let record = record?;
            if record.position >= durable.place {
                break;
            }
            if record.kind == UPDATE {
                let head = codec::decode_head(record.key)?;
                let known = self.has.of(head.origin);
                let own = Some(head.origin) == self.own || Some(head.server) == self.own;
                if head.reach.seq == known.seq && head.reach.digest != known.digest {
                    return Err(other_history(head.origin, known.seq));
                }
                if own {
                    say_nothing(&mut part, head.origin, head.reach, head.time);
                } else if head.reach.seq > known.seq && head.time >= self.since {
                    if bytes > 0 && bytes + record.value.len() > bytes_max {
                        break;
                    }
                    let update = codec::decode(record.key, record.value)?;
                    bytes += bytes_of(&update);
                    part.updates.push(update);
                }
                self.position.set(head.origin, head.reach);
            }
            passed = record.position + record.bytes;
            if bytes >= bytes_max {
                break;
            }
        }
        self.at = passed;
        part.position = self.position.clone();
        Ok((!part.updates.is_empty()).then_some(part))
    }
}

fn nothing(origin: ServerId, reach: Reach, time: Timestamp) -> Update {
    Update { time, origin, reach, server: origin, what: What::Nothing }
}

/// Says that the reader's own updates are in the log so far, once for several.
fn say_nothing(part: &mut FeedPart, origin: ServerId, reach: Reach, time: Timestamp) {
    if let Some(last) = part.updates.last_mut()
        && last.what == What::Nothing
        && last.origin == origin
    {
        last.reach = reach;
        last.time = time;
        return;
    }
    part.updates.push(nothing(origin, reach, time));
}

/// What an update counts.
fn bytes_of(update: &Update) -> usize {
    match &update.what {
        What::Records { effects, .. } => effects.iter().map(Effect::bytes).sum(),
        _ => Effect::OVERHEAD_BYTES,
    }
}
