//! Servers, what happens to them, and what has to hold.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hozo_log::disk::sim::SimDisk;
use hozo_traits::{
    Durability, FollowState, Position, Reach, Replicator, Role, ServerId, Timestamp, exec,
};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::client::{Client, Op, Report};
use super::machine::{Machine, Odd};
use super::net::Net;
use super::tasks::{Dice, Tasks, Time};
use super::watch::{Known, Watch};
use crate::Config;
use crate::loading::Loading;

/// So often something goes on within one step, at most.
const POLLS_MAX: u64 = 500_000;
/// Events that are shown when something went wrong.
const EVENTS_KEPT: usize = 60;

pub(super) type Checked<T = ()> = Result<T, String>;

/// Which servers there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// One master, and the others follow it, or each other.
    Tree,
    /// The first two are masters of each other; others follow one of them.
    Dual,
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Crash {
    Kill,
    Power,
}

pub(super) struct World {
    pub(super) shape: Shape,
    pub(super) dice: Arc<Dice>,
    pub(super) time: Arc<Time>,
    pub(super) tasks: Tasks,
    pub(super) net: Arc<Net>,
    pub(super) machines: Vec<Machine>,
    pub(super) known: Known,
    /// Who is to be the master of a tree.
    pub(super) master: usize,
    /// Whom each is to follow.
    pub(super) want: Vec<Option<usize>>,
    /// What crash is to come by itself.
    pub(super) armed: Vec<Option<Crash>>,
    pub(super) last_crash: Vec<Option<Crash>>,
    pub(super) acked: Vec<(ServerId, u64, u32)>,
    /// Who numbered its updates from 1 again; others may have those before.
    pub(super) renumbered: BTreeSet<ServerId>,
    /// What servers had that were wiped.
    pub(super) wiped: Position,
    /// Who was promoted, and with which update that began.
    pub(super) reigns: Vec<(ServerId, Reach)>,
    pub(super) reports: Arc<Mutex<Vec<Report>>>,
    pub(super) events: VecDeque<String>,
    pub(super) ops: u64,
    /// Whether all that happens is printed.
    pub(super) shows: bool,
    /// Over all that happened: the same for the same seed.
    pub(super) trace: u64,
    pub(super) counts: std::collections::BTreeMap<&'static str, u64>,
}

fn mix(before: u64, what: &[u64]) -> u64 {
    let bytes: Vec<u8> = what.iter().flat_map(|number| number.to_le_bytes()).collect();
    xxh3_64_with_seed(&bytes, before)
}

fn at_index(index: usize) -> ServerId {
    ServerId::new(index as u32 + 1).expect("a number")
}

pub(super) fn name(index: usize) -> String {
    format!("s{}", index + 1)
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let dice = Arc::new(Dice::new(seed));
        let time = Arc::new(Time::default());
        let shape = if dice.one_in(4) { Shape::Dual } else { Shape::Tree };
        let servers = 2 + dice.below(2) as usize + usize::from(dice.one_in(8));
        let net = Arc::new(Net::new(Arc::clone(&time), Arc::clone(&dice)));
        let ack = dice.below(2) as u32;
        let keep_bytes = match shape {
            Shape::Tree => *dice.pick(&[1 << 16, 1 << 18, 1 << 30]),
            // One that cannot follow by the log any more stops for good.
            Shape::Dual => 1 << 30,
        };
        let chain = dice.one_in(2);
        let mut want = vec![None; servers];
        let mut machines = Vec::new();
        for (index, wanted) in want.iter_mut().enumerate() {
            let (role, source) = match (shape, index) {
                (Shape::Tree, 0) => (Role::Master, None),
                (Shape::Dual, 0) => (Role::DualMaster, Some(1)),
                (Shape::Dual, 1) => (Role::DualMaster, Some(0)),
                _ if chain => (Role::Follower, Some(index - 1)),
                _ => (Role::Follower, Some(0)),
            };
            *wanted = source;
            let mut config = Config::new(at_index(index), "sim");
            config.role = role;
            config.follow = source.map(name);
            config.segment_bytes = 1 << 16;
            config.sync_lag = Duration::MAX;
            config.ack = ack;
            config.ack_timeout = Duration::from_millis(500);
            config.keep_bytes = keep_bytes;
            machines.push(Machine {
                index,
                name: name(index),
                id: at_index(index),
                disk: Arc::new(SimDisk::new()),
                boot: 0,
                ambient: Arc::new(Odd::new(&time, &dice)),
                config,
                up: None,
                watch: Watch::default(),
                durable: Position::default(),
                promised: [(0, 0); 2],
                wiped: false,
            });
        }
        World {
            shape,
            dice,
            time,
            tasks: Tasks::default(),
            net,
            machines,
            known: Known::default(),
            master: 0,
            want,
            armed: vec![None; servers],
            last_crash: vec![None; servers],
            acked: Vec::new(),
            renumbered: BTreeSet::new(),
            wiped: Position::default(),
            reigns: Vec::new(),
            reports: Arc::default(),
            events: VecDeque::new(),
            ops: 0,
            shows: std::env::var_os("HOZO_SIM_TRACE").is_some(),
            trace: seed,
            counts: Default::default(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        let what = format!("{:>9} {}", self.time.now(), what.into());
        if self.shows {
            eprintln!("{what}");
        }
        self.events.push_back(what);
        if self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, micros: u64) -> Checked {
        let until = self.time.now() + micros;
        let mut polls = 0;
        // What was done beside the tasks.
        self.look()?;
        loop {
            if let Some(task) = self.tasks.poll_one(&self.dice) {
                polls += 1;
                self.trace = mix(self.trace, &[task, self.time.now(), self.dice.state()]);
                if polls > POLLS_MAX {
                    return Err("everybody is busy for ever".to_owned());
                }
                self.look()?;
                continue;
            }
            match self.time.next() {
                Some(at) if at <= until => self.time.pass_to(at),
                _ => {
                    self.time.pass_to(until);
                    return Ok(());
                }
            }
        }
    }

    /// Looks at what has happened.
    fn look(&mut self) -> Checked {
        let mut updates = Vec::new();
        for index in 0..self.machines.len() {
            updates.push(self.observe(index)?);
        }
        for (index, updates) in updates.iter().enumerate() {
            updates.iter().try_for_each(|update| self.foreign(index, update))?;
        }
        for index in 0..self.machines.len() {
            if let Some(image) = self.machines[index].disk.image() {
                let crash = self.armed[index].take().unwrap_or(Crash::Power);
                self.end(index, image, crash);
            }
        }
        let reports = std::mem::take(&mut *self.reports.lock());
        reports.into_iter().try_for_each(|report| self.promised(report))
    }

    pub(super) fn ask(&mut self, index: usize) {
        let Some(up) = &self.machines[index].up else { return };
        self.ops += 1;
        let op = Op::draw(&self.dice, self.ops);
        let durability = match self.dice.below(3) {
            0 => Durability::Durable,
            _ => Durability::Sequenced,
        };
        let client = Client {
            index,
            life: Arc::clone(&up.life),
            shared: Arc::clone(&up.repl.shared),
            dbm: Arc::clone(self.dice.pick(&up.dbms)),
            reports: Arc::clone(&self.reports),
        };
        if self.shows {
            eprintln!("{:>9} ask {} {op:?} {durability:?}", self.time.now(), name(index));
        }
        self.tasks.spawn(index, client.ask(op, durability));
    }

    /// Has somebody done at a server; `None` if it crashed meanwhile.
    pub(super) fn call<T: 'static>(
        &mut self,
        index: usize,
        what: impl Future<Output = T> + 'static,
    ) -> Checked<Option<T>> {
        let slot = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&slot);
        self.tasks.spawn(index, async move {
            let said = what.await;
            *answer.lock() = Some(said);
        });
        for _ in 0..5000 {
            self.run(1000)?;
            if self.machines[index].up.is_none() {
                return Ok(None);
            }
            if let Some(said) = slot.lock().take() {
                return Ok(Some(said));
            }
        }
        Err(format!("{} does not answer", name(index)))
    }

    pub(super) fn checkpoint(&mut self, index: usize) {
        if let Some(up) = &self.machines[index].up {
            // Busy while something is under way.
            let _ = self.time.in_hurry(|| up.repl.shared.checkpoint_now());
        }
    }

    pub(super) fn prune(&mut self, index: usize) -> Checked {
        let Some(up) = &self.machines[index].up else { return Ok(()) };
        let has = |other: &Machine| other.watch.position.covers(&self.machines[index].durable);
        if self.shape == Shape::Dual && !self.machines.iter().all(has) {
            return Ok(());
        }
        let before = Timestamp::from_micros(u64::MAX / 2);
        match self.time.in_hurry(|| exec::block_on(up.repl.prune(before))) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == hozo_traits::ErrorKind::Busy => Ok(()),
            Err(error) => Err(format!("{}: prune: {error}", name(index))),
        }
    }

    /// Whether a server has not all its records.
    pub(super) fn is_whole(&self, index: usize) -> bool {
        let machine = &self.machines[index];
        let Some(up) = &machine.up else { return false };
        machine.watch.known && matches!(Loading::read(up.repl.shared.ulog.disk()), Ok(None))
    }

    pub(super) fn state_of(&self, index: usize) -> Option<(FollowState, String)> {
        let up = self.machines[index].up.as_ref()?;
        let source = up.repl.status().source?;
        Some((source.state, source.error.unwrap_or_default()))
    }
}
