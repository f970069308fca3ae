//! Servers, what happens to them, and what has to hold.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hozo_log::disk::sim::SimDisk;
use hozo_traits::{Durability, FollowState, Position, Reach, Replicator, Role, ServerId, Timestamp, exec};
use parking_lot::Mutex;

use super::client::{Client, Op, Report};
use super::machine::{Machine, Odd, Promise};
use super::net::{Net, Wire};
use super::tasks::{Dice, Tasks, Time};
use super::watch::{Known, Watch, sum};
use crate::Config;
use crate::keeper::Rounds;
use crate::loading::Loading;

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
    /// Who was promoted, and with which update that began.
    pub(super) reigns: Vec<(ServerId, Reach)>,
    pub(super) reports: Arc<Mutex<Vec<Report>>>,
    pub(super) events: VecDeque<String>,
    pub(super) ops: u64,
    pub(super) counts: std::collections::BTreeMap<&'static str, u64>,
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
        for index in 0..servers {
            let (role, source) = match (shape, index) {
                (Shape::Tree, 0) => (Role::Master, None),
                (Shape::Dual, 0) => (Role::DualMaster, Some(1)),
                (Shape::Dual, 1) => (Role::DualMaster, Some(0)),
                _ if chain => (Role::Follower, Some(index - 1)),
                _ => (Role::Follower, Some(0)),
            };
            want[index] = source;
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
            reigns: Vec::new(),
            reports: Arc::default(),
            events: VecDeque::new(),
            ops: 0,
            counts: Default::default(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        let what = format!("{:>9} {}", self.time.now(), what.into());
        if std::env::var_os("HOZO_SIM_TRACE").is_some() {
            eprintln!("{what}");
        }
        self.events.push_back(what);
        if self.events.len() > 60 {
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
        loop {
            if self.tasks.poll_one(&self.dice) {
                polls += 1;
                if polls > 500_000 {
                    return Err("everybody is busy for ever".to_owned());
                }
                self.after_poll()?;
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

    fn after_poll(&mut self) -> Checked {
        for index in 0..self.machines.len() {
            self.observe(index)?;
            if let Some(image) = self.machines[index].disk.image() {
                let crash = self.armed[index].take().unwrap_or(Crash::Power);
                self.end(index, image, crash);
            }
        }
        let reports = std::mem::take(&mut *self.reports.lock());
        reports.into_iter().try_for_each(|report| self.promised(report))
    }

    /// Looks at a server's log.
    fn observe(&mut self, index: usize) -> Checked {
        let machine = &mut self.machines[index];
        let Some(up) = &machine.up else { return Ok(()) };
        let shared = Arc::clone(&up.repl.shared);
        let goes_on = up.life.goes_on();
        let was_known = machine.watch.known;
        let updates = machine.watch.read(&machine.name, &shared, &mut self.known)?;
        if was_known && !machine.watch.known {
            machine.watch.until = self.net.loaded.lock().get(&index).cloned().unwrap_or_default();
        }
        if goes_on {
            let durable = shared.ulog.durable().position;
            if was_known && machine.watch.known && !durable.covers(&machine.durable) {
                let name = &machine.name;
                return Err(format!("{name} goes back from {} to {durable}", machine.durable));
            }
            machine.durable = durable;
        }
        for update in &updates {
            self.foreign(index, update.origin, update.reach.seq, update.reach.digest)?;
        }
        Ok(())
    }

    /// A server has an update: its origin has it durably, and nobody has
    /// another one of this number.
    fn foreign(&self, index: usize, origin: ServerId, seq: u64, digest: u32) -> Checked {
        let name = &self.machines[index].name;
        if self.renumbered.contains(&origin) {
            return Ok(());
        }
        for other in &self.machines {
            if other.index == index {
                continue;
            }
            if other.watch.digests.get(&(origin, seq)).is_some_and(|known| *known != digest) {
                let other = &other.name;
                return Err(format!("{name} and {other} have each another update {origin}:{seq}"));
            }
            if other.id == origin && !other.wiped && other.durable.of(origin).seq < seq {
                return Err(format!(
                    "{name} has {origin}:{seq}, which its origin can lose: {}",
                    other.durable
                ));
            }
        }
        Ok(())
    }

    /// Somebody was answered.
    fn promised(&mut self, report: Report) -> Checked {
        let index = report.index;
        let name = self.machines[index].name.clone();
        let promise = report.outcome.map_err(|what| format!("{name}: {what}"))?;
        self.count(match promise {
            Promise::Made => "made",
            Promise::Durable => "durable",
            Promise::Acked => "acked",
        });
        let alive =
            self.machines[index].up.as_ref().is_some_and(|up| Arc::ptr_eq(&up.life, &report.life));
        if report.seq == 0 || !alive {
            return Ok(());
        }
        let machine = &mut self.machines[index];
        let seq = report.seq;
        let Some(digest) = machine.watch.digests.get(&(machine.id, seq)).copied() else {
            return Err(format!("{name} answered what it did not log: {seq}"));
        };
        machine.promised[0] = machine.promised[0].max((seq, digest));
        if promise == Promise::Made {
            return Ok(());
        }
        machine.promised[1] = machine.promised[1].max((seq, digest));
        let id = machine.id;
        if machine.durable.of(id).seq < seq {
            return Err(format!("{name} answered {seq} before it was durable"));
        }
        if promise == Promise::Acked {
            let has = |other: &&Machine| other.index != index && other.durable.of(id).seq >= seq;
            if self.machines.iter().find(has).is_none() {
                return Err(format!("{name} answered {seq}, and no follower has it"));
            }
            if self.shape == Shape::Tree && index == self.master {
                self.acked.push((id, seq, digest));
            }
        }
        Ok(())
    }

    /// Starts a server, and looks at what a crash has left of it.
    pub(super) fn start(&mut self, index: usize) -> Checked {
        self.note(format!("start {}", name(index)));
        let crash = self.last_crash[index].take();
        let machine = &self.machines[index];
        let name = machine.name.clone();
        let up = machine.open(&self.time, &self.dice).map_err(|e| format!("{name}: open: {e}"))?;
        let shared = Arc::clone(&up.repl.shared);
        let position = shared.ulog.state().position;
        let standing = shared.standing.lock().clone();
        self.note(format!(
            "{name} is at {position}, {} of {:?}",
            standing.role.as_str(),
            standing.source
        ));
        let machine = &mut self.machines[index];
        let records = up.records();
        let loading = Loading::read(shared.ulog.disk()).map_err(|e| e.to_string())?.is_some();
        if let Some(crash) = crash {
            let mut left = position.clone();
            let own = position.of(machine.id);
            let (least, digest) = machine.promised[match crash {
                Crash::Kill => 0,
                Crash::Power => 1,
            }];
            if own.seq < least {
                return Err(format!("{name} lost {least}, and is at {position} after {crash:?}"));
            }
            if own.seq == least && own.digest != digest {
                return Err(format!("{name} has another update {least}"));
            }
            if machine.watch.known && !position.covers(&machine.durable) {
                return Err(format!(
                    "{name} had {} on stable storage, and is at {position}",
                    machine.durable
                ));
            }
            let mut found = machine.watch.known.then(|| machine.watch.at(&left)).flatten();
            if found.is_none() && machine.watch.known && crash == Crash::Power {
                // But for what opening said itself.
                let seq = own.seq.saturating_sub(1);
                let digest = machine.watch.digests.get(&(machine.id, seq)).copied();
                let before = Reach { seq, digest: digest.unwrap_or(0) };
                let others = position.iter().filter(|(id, _)| *id != machine.id);
                left = others.chain((seq > 0).then_some((machine.id, before))).collect();
                found = machine.watch.at(&left);
            }
            if machine.watch.known && found.is_none() && !loading {
                return Err(format!("{name} is at {position}, where it never was"));
            }
            machine.watch.digests.retain(|(server, seq), _| *seq <= left.of(*server).seq);
            // What a power cut took, nobody has a right to any more.
            if crash == Crash::Power {
                machine.promised[0] = (own.seq, own.digest);
            }
            match found {
                Some((expected, lost)) if !loading => {
                    let exact = crash == Crash::Kill || !standing.role.takes_writes();
                    plausible(&name, &expected, &records, &lost, exact)?;
                    let known = exact || sum(&expected) == sum(&records) || left != position;
                    machine.watch.begin(&shared, records, known);
                    let watch = &machine.watch;
                    if known {
                        self.known.state(&name, &watch.position, &watch.records)?;
                    } else {
                        return Err(format!("{name} has records that its log does not tell"));
                    }
                }
                _ => {
                    let until = std::mem::take(&mut machine.watch.until);
                    machine.watch.begin(&shared, records, false);
                    machine.watch.until = until;
                }
            }
        } else {
            machine.watch.begin(&shared, records, !machine.wiped);
        }
        machine.durable = shared.ulog.durable().position;
        self.net.join(&name, index, &up.repl, &up.life);
        let wire = Wire { net: Arc::clone(&self.net), index, life: Arc::clone(&up.life) };
        self.tasks.spawn(index, up.repl.follow_all(Arc::new(wire)));
        let (time, mut rounds) = (Arc::clone(&self.time), Rounds::new(&shared));
        let stores = up.stores.clone();
        self.tasks.spawn(index, async move {
            loop {
                time.sleep(Duration::from_millis(20)).await;
                // Another thread's work, which waits for who holds a record.
                if stores.iter().all(|store| store.is_free()) {
                    time.in_hurry(|| rounds.go(&shared));
                }
            }
        });
        self.machines[index].up = Some(up);
        Ok(())
    }

    /// Ends a server as a crash does.
    pub(super) fn crash(&mut self, index: usize, crash: Crash) {
        let disk = &self.machines[index].disk;
        let image = match crash {
            Crash::Kill => disk.killed(),
            Crash::Power => disk.crash(self.dice.number()),
        };
        self.end(index, image, crash);
    }

    fn end(&mut self, index: usize, image: SimDisk, crash: Crash) {
        let machine = &mut self.machines[index];
        let Some(up) = machine.up.take() else { return };
        up.life.over.store(true, Ordering::SeqCst);
        self.armed[index] = None;
        self.last_crash[index] = Some(crash);
        if crash == Crash::Power {
            machine.boot += 1;
        }
        let was = machine.watch.position.clone();
        machine.disk = Arc::new(image);
        self.note(format!("{crash:?} {} at {was}", name(index)));
        self.count("crashes");
        self.net.leave(&name(index));
        self.tasks.end(index);
        drop(up);
    }

    /// Throws away what a server has; it begins anew as a follower.
    pub(super) fn wipe(&mut self, index: usize) -> Checked {
        self.note(format!("wipe {}", name(index)));
        self.count("wipes");
        if self.machines[index].up.is_some() {
            self.crash(index, Crash::Kill);
        }
        self.last_crash[index] = None;
        let source = self.want[index].map(name);
        let machine = &mut self.machines[index];
        machine.disk = Arc::new(SimDisk::new());
        machine.watch = Watch::default();
        machine.durable = Position::default();
        machine.promised = [(0, 0); 2];
        machine.wiped = true;
        machine.config.role = Role::Follower;
        machine.config.follow = source;
        // It numbers its updates from 1 again.
        let id = self.machines[index].id;
        self.renumbered.insert(id);
        self.reigns.retain(|(who, _)| *who != id);
        self.net.loaded.lock().remove(&index);
        let others = &self.machines;
        self.acked.retain(|(origin, seq, _)| {
            others.iter().any(|other| {
                other.index != index && other.id != *origin && other.durable.of(*origin).seq >= *seq
            })
        });
        self.start(index)
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
        if std::env::var_os("HOZO_SIM_TRACE").is_some() {
            eprintln!("{:>9} ask {} {op:.60?} {durability:?}", self.time.now(), name(index));
        }
        self.tasks.spawn(index, client.ask(op, durability));
    }

    /// What has to hold of all servers just now.
    pub(super) fn check(&mut self) -> Checked {
        for machine in &mut self.machines {
            let Some(up) = &machine.up else { continue };
            if !up.is_quiet() {
                continue;
            }
            let records = up.records();
            if machine.watch.known {
                let position = &machine.watch.position;
                same(&machine.name, position, &machine.watch.records, &records)?;
                continue;
            }
            let loaded = self.net.loaded.lock().get(&machine.index).cloned().unwrap_or_default();
            let position = machine.watch.position.clone();
            let covers = position.covers(&machine.watch.until) && position.covers(&loaded);
            if covers && position != Position::default() {
                self.known.state(&machine.name, &position, &records)?;
                machine.watch.begin(&up.repl.shared, records, true);
                machine.wiped = false;
            }
        }
        Ok(())
    }

    /// Whether a server has not all its records.
    pub(super) fn is_whole(&self, index: usize) -> bool {
        let machine = &self.machines[index];
        let Some(up) = &machine.up else { return false };
        machine.watch.known && matches!(Loading::read(up.repl.shared.ulog.disk()), Ok(None))
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

    pub(super) fn state_of(&self, index: usize) -> Option<(FollowState, String)> {
        let up = self.machines[index].up.as_ref()?;
        let source = up.repl.status().source?;
        Some((source.state, source.error.unwrap_or_default()))
    }
}

/// Whether records are what a log says, and if not, whether its lost end says
/// it.
fn plausible(
    name: &str,
    expected: &[super::store::Map],
    records: &[super::store::Map],
    lost: &[hozo_traits::Update],
    exact: bool,
) -> Checked {
    if exact {
        return same(name, &Position::default(), expected, records);
    }
    for (dbm, (expected, records)) in expected.iter().zip(records).enumerate() {
        let keys: std::collections::BTreeSet<_> = expected.keys().chain(records.keys()).collect();
        for key in keys {
            let is = records.get(key);
            let said = |update: &hozo_traits::Update| match &update.what {
                hozo_traits::What::Records { dbm: at, effects, .. } if *at as usize == dbm => {
                    effects.iter().any(|effect| match effect {
                        hozo_traits::Effect::Set { key: k, value } => k == key && Some(value) == is,
                        hozo_traits::Effect::Remove { key: k } => k == key && is.is_none(),
                        hozo_traits::Effect::Clear => is.is_none(),
                    })
                }
                _ => false,
            };
            if is != expected.get(key) && !lost.iter().any(said) {
                return Err(format!("{name} has a value of {key:?} that was never there"));
            }
        }
    }
    Ok(())
}

fn same(
    name: &str,
    position: &Position,
    expected: &[super::store::Map],
    records: &[super::store::Map],
) -> Checked {
    for (dbm, (expected, records)) in expected.iter().zip(records).enumerate() {
        let keys: std::collections::BTreeSet<_> = expected.keys().chain(records.keys()).collect();
        for key in keys {
            let (is, should) = (records.get(key), expected.get(key));
            if is != should {
                return Err(format!(
                    "{name} at {position}: dbm {dbm} {key:?} is {:.30?}, and the log says {:.30?}",
                    is, should
                ));
            }
        }
    }
    Ok(())
}
