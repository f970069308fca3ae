//! A simulated server: a disk, a clock, and what runs on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use hozo_traits::{Ambient, KvStore, Result, ServerId, Timestamp};

use super::net::Life;
use super::store::{Map, Store};
use super::tasks::{Dice, Time};
use super::watch::{DBMS, Watch};
use crate::clock::Clock;
use crate::repl::{Open, Repl};
use crate::shared::Running;
use crate::{Config, loading::Loading};

/// A clock that is wrong, and random numbers that are not random.
pub(super) struct Odd {
    time: Arc<Time>,
    pub(super) skew: AtomicI64,
    dice: Dice,
}

impl Odd {
    pub(super) fn new(time: &Arc<Time>, dice: &Dice) -> Odd {
        let skew = dice.below(4_000_000) as i64 - 2_000_000;
        Odd { time: Arc::clone(time), skew: AtomicI64::new(skew), dice: Dice::new(dice.number()) }
    }
}

impl Ambient for Odd {
    fn now(&self) -> Timestamp {
        let now = 1_000_000_000 + self.time.now() as i64 + self.skew.load(Ordering::SeqCst);
        Timestamp::from_micros(now.max(0) as u64)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.dice.below(256) as u8;
        }
    }
}

/// What a client was promised of an update.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Promise {
    /// It was refused, since another server was promoted.
    None,
    /// It is there after a crash of the process.
    Made,
    /// It is there after a power cut.
    Durable,
    /// A follower has it.
    Acked,
}

pub(super) struct Machine {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) id: ServerId,
    pub(super) disk: Arc<SimDisk>,
    pub(super) boot: u8,
    pub(super) ambient: Arc<Odd>,
    pub(super) config: Config,
    pub(super) up: Option<Up>,
    pub(super) watch: Watch,
    /// How far the log was on stable storage when that was last seen.
    pub(super) durable: hozo_traits::Position,
    /// The last of its updates of which so much was promised.
    pub(super) promised: [(u64, u32); 2],
    /// It was wiped, and has not all records yet.
    pub(super) wiped: bool,
}

/// One run.
pub(super) struct Up {
    pub(super) repl: Arc<Repl>,
    pub(super) dbms: Vec<Arc<dyn KvStore>>,
    pub(super) stores: Vec<Arc<Store>>,
    pub(super) life: Arc<Life>,
}

impl Up {
    pub(super) fn records(&self) -> Vec<Map> {
        self.stores.iter().map(|store| store.records.lock().clone()).collect()
    }

    /// Whether nothing is between the log and the records.
    pub(super) fn is_quiet(&self) -> bool {
        let shared = &self.repl.shared;
        shared.inflight.is_idle()
            && shared.unsettled.from().is_none()
            && matches!(Loading::read(shared.ulog.disk()), Ok(None))
    }
}

pub(super) fn names() -> Vec<String> {
    (0..DBMS).map(|dbm| format!("dbm{dbm}")).collect()
}

impl Machine {
    pub(super) fn open(&self, time: &Arc<Time>, dice: &Arc<Dice>) -> Result<Up> {
        let subdir = |name: &str| self.disk.subdir(name);
        let mut stores = Vec::new();
        for name in names() {
            stores.push(Arc::new(Store::open(subdir(&name)?, Arc::clone(time), Arc::clone(dice))?));
        }
        let records: Vec<(String, Arc<dyn KvStore>)> = names()
            .into_iter()
            .zip(&stores)
            .map(|(name, store)| (name, Arc::clone(store) as Arc<dyn KvStore>))
            .collect();
        let running = Running {
            clock: Clock::Counted(Arc::clone(&time.micros)),
            patience: Duration::ZERO,
            boot: [self.boot + 1; 16],
            thread: false,
        };
        let ambient: Arc<dyn Ambient> = Arc::clone(&self.ambient) as Arc<dyn Ambient>;
        let (disk, config) = (subdir("ulog")?, self.config.clone());
        let Open { repl, dbms } =
            time.in_hurry(|| Repl::open_on(disk, config, records, ambient, running, None))?;
        let life = Life {
            disk: Arc::clone(&self.disk),
            over: AtomicBool::new(false),
            told: AtomicBool::new(false),
        };
        Ok(Up { repl, dbms, stores, life: Arc::new(life) })
    }
}
