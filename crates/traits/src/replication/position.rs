//! Who makes updates, and how far they are somewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use crate::{Error, ErrorKind, Result};

/// Who makes updates: a number from 1 to 2^31 - 1 that no other server has, as
/// on the wire of Tkrzw-RPC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(NonZeroU32);

impl ServerId {
    /// The server `id`; an error unless it is in the range.
    pub fn new(id: u32) -> Result<Self> {
        match NonZeroU32::new(id) {
            Some(some) if id <= i32::MAX as u32 => Ok(ServerId(some)),
            _ => {
                Err(Error::new(ErrorKind::Invalid, "a server id is a number from 1 to 2147483647")
                    .with("given", id))
            }
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far the updates of one server go: how many there were, and a digest of
/// all of them. Two histories of one server with the same number and another
/// digest are not the same history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reach {
    /// The number of the last update; the first has 1.
    pub seq: u64,
    /// A checksum over all updates up to it, each with its content.
    pub digest: u32,
}

/// Where a log, or who follows it, is: for each server how far its updates are
/// there. A server's updates are everywhere applied in their order, so this is
/// all that is to be known, whichever log they came through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position(BTreeMap<ServerId, Reach>);

impl Position {
    /// How far the updates of a server are there; nothing of one not known.
    pub fn of(&self, server: ServerId) -> Reach {
        self.0.get(&server).copied().unwrap_or_default()
    }

    /// From now on the updates of a server are there as far as this.
    pub fn set(&mut self, server: ServerId, reach: Reach) {
        self.0.insert(server, reach);
    }

    /// Whether it has all that `other` has, by number.
    pub fn covers(&self, other: &Position) -> bool {
        other.0.iter().all(|(server, reach)| self.of(*server).seq >= reach.seq)
    }

    /// The servers that made updates, ascending, and how far.
    pub fn iter(&self) -> impl Iterator<Item = (ServerId, Reach)> + '_ {
        self.0.iter().map(|(server, reach)| (*server, *reach))
    }

    /// Updates in `other` that are not here.
    pub fn behind(&self, other: &Position) -> u64 {
        let missing =
            |(server, reach): (ServerId, Reach)| reach.seq.saturating_sub(self.of(server).seq);
        other.iter().map(missing).sum()
    }
}

impl FromIterator<(ServerId, Reach)> for Position {
    fn from_iter<T: IntoIterator<Item = (ServerId, Reach)>>(reaches: T) -> Self {
        Position(reaches.into_iter().collect())
    }
}

impl fmt::Display for Position {
    /// `1:500 2:37`; `0` where there is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("0");
        }
        for (i, (server, reach)) in self.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{server}:{}", reach.seq)?;
        }
        Ok(())
    }
}
