//! How an update and the state of a log look in bytes; `docs/formats/ulog.md`.

use bytes::Bytes;
use hozo_traits::{
    Effect, Error, ErrorKind, Position, Reach, Result, ServerId, Timestamp, Update, What,
};

/// The kind of record in the log that is an update.
pub(crate) const UPDATE: u8 = 2;
/// The kind that says what all before it comes to.
pub(crate) const STATE: u8 = 3;

const RECORDS: u8 = 0;
const NOTHING: u8 = 1;
const EPOCH: u8 = 2;
const RESET: u8 = 3;
/// The low bits of an update's first byte are what it did.
const WHAT: u8 = 0x0f;
/// The server that made it follows: it is not the origin.
const OTHER_SERVER: u8 = 0x10;
/// Effects were left out.
const REDUCED: u8 = 0x20;

const SET: u8 = 0;
const REMOVE: u8 = 1;
const CLEAR: u8 = 2;

/// Servers that a position can name.
pub(crate) const SERVERS_MAX: usize = 1024;
/// DBMs that a log can be of, as many as the DBM service serves.
pub(crate) const DBMS_MAX: usize = 1024;

/// The value of an update's record: what it did.
pub(crate) fn encode_what(what: &What) -> Vec<u8> {
    match what {
        What::Records { effects, .. } => {
            let bytes = effects.iter().map(Effect::bytes).sum();
            let mut to = Vec::with_capacity(bytes);
            for effect in effects {
                match effect {
                    Effect::Set { key, value } => {
                        to.push(SET);
                        put_varint(&mut to, key.len() as u64);
                        put_varint(&mut to, value.len() as u64);
                        to.extend_from_slice(key);
                        to.extend_from_slice(value);
                    }
                    Effect::Remove { key } => {
                        to.push(REMOVE);
                        put_varint(&mut to, key.len() as u64);
                        to.extend_from_slice(key);
                    }
                    Effect::Clear => to.push(CLEAR),
                }
            }
            to
        }
        What::Nothing | What::Reset => Vec::new(),
        What::Epoch(epoch) => {
            let mut to = Vec::with_capacity(10);
            put_varint(&mut to, *epoch);
            to
        }
    }
}

fn kind_of(what: &What) -> u8 {
    match what {
        What::Records { .. } => RECORDS,
        What::Nothing => NOTHING,
        What::Epoch(_) => EPOCH,
        What::Reset => RESET,
    }
}

/// The digest of an update that comes after one with this digest: over all that
/// it says but how it came here; `value` is its [`checksum`].
pub(crate) fn digest(
    before: u32,
    seq: u64,
    time: Timestamp,
    server: ServerId,
    what: &What,
    value: u32,
) -> u32 {
    let dbm = match what {
        What::Records { dbm, .. } => *dbm,
        _ => 0,
    };
    let mut said = [0; 33];
    said[..4].copy_from_slice(&before.to_le_bytes());
    said[4..12].copy_from_slice(&seq.to_le_bytes());
    said[12..20].copy_from_slice(&time.as_micros().to_le_bytes());
    said[20..24].copy_from_slice(&server.get().to_le_bytes());
    said[24..28].copy_from_slice(&dbm.to_le_bytes());
    said[28] = kind_of(what);
    said[29..].copy_from_slice(&value.to_le_bytes());
    hozo_log::crc32c(&said)
}

/// The checksum of an update's [value](encode_what), which its digest is over.
pub(crate) fn checksum(value: &[u8]) -> u32 {
    hozo_log::crc32c(value)
}

/// What the digest of an update has to be.
pub(crate) fn digest_of(before: u32, update: &Update) -> u32 {
    let value = encode_what(&update.what);
    let value = checksum(&value);
    digest(before, update.reach.seq, update.time, update.server, &update.what, value)
}

/// The record of an update whose `value` is [`encode_what`] of it.
pub(crate) fn encode_key(update: &Update) -> Vec<u8> {
    let mut key = Vec::with_capacity(40);
    let mut first = kind_of(&update.what);
    if update.server != update.origin {
        first |= OTHER_SERVER;
    }
    if let What::Records { reduced: true, .. } = update.what {
        first |= REDUCED;
    }
    key.push(first);
    key.extend_from_slice(&update.reach.digest.to_le_bytes());
    put_varint(&mut key, update.origin.get().into());
    put_varint(&mut key, update.reach.seq);
    put_varint(&mut key, update.time.as_micros());
    if update.server != update.origin {
        put_varint(&mut key, update.server.get().into());
    }
    if let What::Records { dbm, .. } = update.what {
        put_varint(&mut key, dbm.into());
    }
    key
}

/// What an update's record says but for what it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) origin: ServerId,
    pub(crate) reach: Reach,
    pub(crate) time: Timestamp,
    pub(crate) server: ServerId,
    first: u8,
    dbm: u32,
}

/// Reads the key of an update's record.
pub(crate) fn decode_head(key: &[u8]) -> Result<Head> {
    let mut from = Cursor { bytes: key };
    let first = from.byte()?;
    if first & WHAT > RESET || first & !(WHAT | OTHER_SERVER | REDUCED) != 0 {
        return Err(unknown("an update of a kind that is not known").with("first", first));
    }
    let digest = u32::from_le_bytes(from.take(4)?.try_into().expect("four bytes"));
    let origin = from.server()?;
    let seq = from.varint()?;
    let time = Timestamp::from_micros(from.varint()?);
    let server = if first & OTHER_SERVER == 0 { origin } else { from.server()? };
    let dbm = if first & WHAT == RECORDS { from.number()? } else { 0 };
    from.ends()?;
    Ok(Head { origin, reach: Reach { seq, digest }, time, server, first, dbm })
}

/// Reads an update's record.
pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Update> {
    let head = decode_head(key)?;
    let what = match head.first & WHAT {
        RECORDS => What::Records {
            dbm: head.dbm,
            effects: decode_effects(value)?,
            reduced: head.first & REDUCED != 0,
        },
        NOTHING => What::Nothing,
        EPOCH => {
            let mut from = Cursor { bytes: value };
            let epoch = from.varint()?;
            from.ends()?;
            What::Epoch(epoch)
        }
        _ => What::Reset,
    };
    let Head { origin, reach, time, server, .. } = head;
    Ok(Update { time, origin, reach, server, what })
}

fn decode_effects(value: &[u8]) -> Result<Vec<Effect>> {
    let mut effects = Vec::new();
    let mut from = Cursor { bytes: value };
    while !from.bytes.is_empty() {
        effects.push(match from.byte()? {
            SET => {
                let (key, value) = (from.varint()?, from.varint()?);
                let key = Bytes::copy_from_slice(from.take(key)?);
                Effect::Set { key, value: Bytes::copy_from_slice(from.take(value)?) }
            }
            REMOVE => {
                let key = from.varint()?;
                Effect::Remove { key: Bytes::copy_from_slice(from.take(key)?) }
            }
            CLEAR => Effect::Clear,
            kind => return Err(unknown("an effect of a kind that is not known").with("kind", kind)),
        });
    }
    Ok(effects)
}

/// What all updates up to a place in the log come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct State {
    /// How far each server's updates are there.
    pub(crate) position: Position,
    /// The time of the newest.
    pub(crate) newest: Timestamp,
    /// The newest epoch.
    pub(crate) epoch: u64,
    /// Records that two masters changed without knowing of each other.
    pub(crate) conflicts: u64,
    /// What the log has below this is not what the records were made of: they
    /// were loaded as a whole since.
    pub(crate) begins: u64,
    /// Up to when the updates of servers that do not number theirs are there.
    pub(crate) foreign: Vec<(ServerId, Timestamp)>,
    /// The names of the DBMs, by their index.
    pub(crate) dbms: Vec<String>,
}

impl State {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(64);
        put_varint(&mut to, self.newest.as_micros());
        put_varint(&mut to, self.epoch);
        put_varint(&mut to, self.conflicts);
        put_varint(&mut to, self.begins);
        put_varint(&mut to, self.position.iter().count() as u64);
        for (server, reach) in self.position.iter() {
            put_varint(&mut to, server.get().into());
            put_varint(&mut to, reach.seq);
            to.extend_from_slice(&reach.digest.to_le_bytes());
        }
        put_varint(&mut to, self.foreign.len() as u64);
        for (server, time) in &self.foreign {
            put_varint(&mut to, server.get().into());
            put_varint(&mut to, time.as_micros());
        }
        put_varint(&mut to, self.dbms.len() as u64);
        for name in &self.dbms {
            put_varint(&mut to, name.len() as u64);
            to.extend_from_slice(name.as_bytes());
        }
        to
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<State> {
        let mut from = Cursor { bytes };
        let newest = Timestamp::from_micros(from.varint()?);
        let (epoch, conflicts, begins) = (from.varint()?, from.varint()?, from.varint()?);
        let servers = from.count(SERVERS_MAX)?;
        let reach = |from: &mut Cursor<'_>| {
            let (server, seq) = (from.server()?, from.varint()?);
            let digest = u32::from_le_bytes(from.take(4)?.try_into().expect("four bytes"));
            Ok((server, Reach { seq, digest }))
        };
        let position = (0..servers).map(|_| reach(&mut from)).collect::<Result<_>>()?;
        let foreign = from.count(SERVERS_MAX)?;
        let time =
            |from: &mut Cursor<'_>| Ok((from.server()?, Timestamp::from_micros(from.varint()?)));
        let foreign = (0..foreign).map(|_| time(&mut from)).collect::<Result<_>>()?;
        let dbms = from.count(DBMS_MAX)?;
        let name = |from: &mut Cursor<'_>| {
            let bytes = from.varint()?;
            let name = std::str::from_utf8(from.take(bytes)?);
            Ok(name.map_err(|_| unknown("a DBM's name that is no text"))?.to_owned())
        };
        let dbms = (0..dbms).map(|_| name(&mut from)).collect::<Result<_>>()?;
        from.ends()?;
        Ok(State { position, newest, epoch, conflicts, begins, foreign, dbms })
    }

    /// Up to when the updates of a server that does not number them are there.
    pub(crate) fn foreign_of(&self, server: ServerId) -> Option<Timestamp> {
        self.foreign.iter().find(|(one, _)| *one == server).map(|(_, time)| *time)
    }

    /// What it comes to with one more update.
    pub(crate) fn add(&mut self, update: &Update) {
        self.position.set(update.origin, update.reach);
        self.newest = self.newest.max(update.time);
        if let What::Epoch(epoch) = update.what {
            self.epoch = self.epoch.max(epoch);
        }
        if update.server != update.origin {
            match self.foreign.iter_mut().find(|(one, _)| *one == update.server) {
                Some((_, time)) => *time = update.time.max(*time),
                None => self.foreign.push((update.server, update.time)),
            }
        }
    }
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn unknown(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: u64) -> Result<&'a [u8]> {
        let parts = usize::try_from(bytes).ok().and_then(|at| self.bytes.split_at_checked(at));
        let (taken, rest) = parts.ok_or_else(|| unknown("a record in the log ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(unknown("a number in the log has more than 64 bits"))
    }

    fn number(&mut self) -> Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| unknown("a number in the log is too large"))
    }

    fn count(&mut self, most: usize) -> Result<usize> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count > most {
            return Err(unknown("a list in the log is too long").with("most", most));
        }
        Ok(count)
    }

    fn server(&mut self) -> Result<ServerId> {
        let number = self.number()?;
        ServerId::new(number).map_err(|_| unknown("a server id that there cannot be"))
    }

    fn ends(&self) -> Result<()> {
        match self.bytes {
            [] => Ok(()),
            _ => Err(unknown("a record in the log goes on where it should end")),
        }
    }
}

#[cfg(test)]
mod tests;
