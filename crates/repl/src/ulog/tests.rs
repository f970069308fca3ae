use std::sync::Arc;

use bytes::Bytes;
use hozo_conformance::TestAmbient;
use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use hozo_ordered::GroupSyncConfig;
use hozo_traits::{
    Durability, Effect, Error, Position, Reach, Result, ServerId, Timestamp, Update, What,
};

use super::checkpoint::Checkpoint;
use super::codec;
use super::open::UlogOptions;
use super::{Opened, Ulog};

pub(crate) mod golden;
mod open;
mod places;
mod reader;
mod run;

/// The log of server 1, on segments of 64 KiB, which syncs when it is told to.
pub(crate) fn open(disk: &SimDisk) -> Arc<Ulog> {
    Arc::new(opened(disk, &mut |_| Ok(())).expect("opened").ulog)
}

pub(crate) fn opened(
    disk: &SimDisk,
    replay: &mut dyn FnMut(&Update) -> Result<()>,
) -> Result<Opened> {
    opened_of(disk, &["casket", "second"], replay)
}

pub(crate) fn opened_of(
    disk: &SimDisk,
    dbms: &[&str],
    replay: &mut dyn FnMut(&Update) -> Result<()>,
) -> Result<Opened> {
    let options = UlogOptions {
        me: server(1),
        segment_bytes: 64 << 10,
        sync: GroupSyncConfig { persistent: true, lag: None },
    };
    let dbms: Vec<String> = dbms.iter().map(|name| (*name).to_owned()).collect();
    let disk: Arc<dyn Disk> = Arc::new(disk.again());
    Ulog::open(disk, options, &TestAmbient::new(7), &dbms, replay)
}

pub(crate) fn server(id: u32) -> ServerId {
    ServerId::new(id).expect("a server id")
}

pub(crate) fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(crate) fn set(key: &str, value: impl Into<Bytes>) -> What {
    let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), value.into());
    What::Records { dbm: 0, effects: vec![Effect::Set { key, value }], reduced: false }
}

/// Appends an update of this server's at a time, and answers its number.
pub(crate) fn own(ulog: &Ulog, time: u64, what: What) -> u64 {
    ulog.append_own(what, at(time), Durability::Sequenced).expect("appended").1
}

pub(crate) fn synced(ulog: &Ulog) {
    hozo_traits::exec::block_on(ulog.wait(ulog.end())).expect("synced");
}

/// Updates of this server's, of which some four fill a segment, at 1000 times
/// their number.
pub(crate) fn fill(ulog: &Ulog, count: u64) {
    for _ in 0..count {
        let seq = ulog.reach_of(server(1)).seq + 1;
        assert_eq!(own(ulog, seq * 1000, set(&format!("k{seq}"), vec![seq as u8; 15_000])), seq);
    }
    synced(ulog);
}

/// The updates of another server, which numbers them itself.
pub(crate) struct Other {
    pub(crate) server: ServerId,
    pub(crate) reach: Reach,
}

impl Other {
    pub(crate) fn new(id: u32) -> Other {
        Other { server: server(id), reach: Reach::default() }
    }

    pub(crate) fn made(&mut self, time: u64, what: What) -> Update {
        let (origin, time) = (self.server, at(time));
        let reach = Reach { seq: self.reach.seq + 1, digest: 0 };
        let mut update = Update { time, origin, reach, server: origin, what };
        update.reach.digest = codec::digest_of(self.reach.digest, &update);
        self.reach = update.reach;
        update
    }
}

pub(crate) fn as_disk(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.again())
}

/// Says that the records have everything so far.
pub(crate) fn checkpointed(ulog: &Ulog, disk: &SimDisk) {
    let place = ulog.mark().unwrap();
    synced(ulog);
    Checkpoint { place, boot: [7; 16], closed: false, wrote: true }.write(&as_disk(disk)).unwrap();
}

pub(crate) fn position(reaches: &[(ServerId, Reach)]) -> Position {
    reaches.iter().copied().collect()
}

/// Adds what is given to a list, for replays.
pub(crate) fn to<'a>(list: &'a mut Vec<Update>) -> impl FnMut(&Update) -> Result<()> + use<'a> {
    |update| {
        list.push(update.clone());
        Ok(())
    }
}

pub(crate) fn kind<T>(result: Result<T>) -> hozo_traits::ErrorKind {
    result.err().as_ref().map(Error::kind).expect("an error")
}
