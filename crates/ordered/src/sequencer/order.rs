//! What the critical section is about: versions, times, and steps made final.

use std::collections::HashMap;

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, Result, Timestamp, Version};

use super::recent::Recent;
use crate::{Clock, Floor, LocalEngine, Numbering, Op, Template, WriteOp};

/// Floors that are remembered so that a commit need not look for its own. When
/// there are more, all are forgotten and read again when they are needed.
const FLOORS_MAX: usize = 4096;

/// What the critical section is about.
pub(super) struct Order {
    pub(super) newest: Version,
    /// The newest times, by where they are read.
    floors: HashMap<Floor, Timestamp>,
    pub(super) recent: Recent,
}

impl Order {
    /// Goes on after this version.
    pub(super) fn after(newest: Version) -> Self {
        Order { newest, floors: HashMap::new(), recent: Recent::default() }
    }

    pub(super) fn next(&self, numbering: Numbering) -> Result<Version> {
        match numbering {
            Numbering::None => Ok(self.newest),
            Numbering::Next => match self.newest.seq().checked_add(1) {
                Some(seq) => Ok(Version::from_seq(seq)),
                None => Err(Error::new(ErrorKind::TooLarge, "the store has used up its versions")),
            },
            Numbering::At(version) if version > self.newest => Ok(version),
            Numbering::At(version) => Err(Error::new(
                ErrorKind::Invalid,
                "the chosen version is not above all that the store has",
            )
            .with("chosen", version)
            .with("newest", self.newest)),
        }
    }

    pub(super) fn time<E: LocalEngine>(&self, engine: &E, clock: &Clock) -> Result<Timestamp> {
        let mut time = clock.at_least;
        for floor in &clock.floors {
            let known = match self.floors.get(floor) {
                Some(known) => *known,
                None => read_floor(engine, floor)?,
            };
            time = time.max(known);
        }
        Ok(time)
    }

    pub(super) fn remember(&mut self, floors: Vec<Floor>, time: Timestamp) {
        for floor in floors {
            if self.floors.len() >= FLOORS_MAX {
                self.floors.clear();
            }
            self.floors.insert(floor, time);
        }
    }
}

fn read_floor<E: LocalEngine>(engine: &E, floor: &Floor) -> Result<Timestamp> {
    let start = &floor.prefix;
    // The time and the version that may follow it are 18 bytes.
    let end = [start.as_slice(), &[0xff; 18]].concat();
    let Some((key, _)) = engine.last_in(floor.space, start, &end)? else {
        return Ok(Timestamp::default());
    };
    match key.get(start.len()..).and_then(|rest| rest.first_chunk()) {
        Some(time) => Ok(Timestamp::from_micros(u64::from_be_bytes(*time))),
        None => Err(Error::new(ErrorKind::Corrupt, "a key that should have a time is too short")
            .with("space", floor.space.name())),
    }
}

/// Puts version and time where they belong.
pub(super) fn fill(ops: Vec<WriteOp>, version: Version, time: Timestamp) -> Result<Vec<Op>> {
    let fill_one = |template: Template| {
        if template.version_at.is_none() && template.time_at.is_none() {
            return Ok(template.bytes);
        }
        // Takes the buffer over if nobody else has it.
        let mut bytes = Vec::from(template.bytes);
        let mut put = |at: Option<usize>, what: &[u8]| {
            let Some(at) = at else { return Some(()) };
            bytes.get_mut(at..at.checked_add(what.len())?)?.copy_from_slice(what);
            Some(())
        };
        put(template.version_at, version.as_bytes())
            .and_then(|()| put(template.time_at, &time.as_micros().to_be_bytes()))
            .ok_or_else(|| {
                Error::new(ErrorKind::Invalid, "what is filled in does not fit there")
            })?;
        Ok(Bytes::from(bytes))
    };
    // One more for the version that the sequencer adds.
    let mut filled = Vec::with_capacity(ops.len() + 1);
    for op in ops {
        filled.push(match op {
            WriteOp::Put { space, key, value } => {
                Op::Put { space, key: fill_one(key)?, value: fill_one(value)? }
            }
            WriteOp::Delete { space, key } => Op::Delete { space, key },
            WriteOp::DeleteRange { space, start, end } => Op::DeleteRange { space, start, end },
        });
    }
    Ok(filled)
}
