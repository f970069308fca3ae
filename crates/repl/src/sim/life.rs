//! How servers start and end, and what a crash may leave of one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hozo_log::disk::Disk;
use hozo_log::disk::sim::SimDisk;
use hozo_traits::{Reach, Role};

use super::check::plausible;
use super::machine::Up;
use super::net::Wire;
use super::watch::Watch;
use super::world::{Checked, Crash, World, name};
use crate::keeper::Rounds;
use crate::loading::Loading;

impl World {
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
        match crash {
            Some(crash) => self.after_crash(index, crash, &up)?,
            None => machine.watch.begin(&shared, up.records(), !machine.wiped),
        }
        let machine = &mut self.machines[index];
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

    /// What a crash has left has to be what was promised, and log and records
    /// have to agree on it.
    fn after_crash(&mut self, index: usize, crash: Crash, up: &Up) -> Checked {
        let shared = &up.repl.shared;
        let machine = &mut self.machines[index];
        let name = machine.name.clone();
        let (position, records) = (shared.ulog.state().position, up.records());
        let takes_writes = shared.standing.lock().role.takes_writes();
        let loading = Loading::read(shared.ulog.disk()).map_err(|e| e.to_string())?.is_some();
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
            let durable = &machine.durable;
            return Err(format!("{name} had {durable} on stable storage, and is at {position}"));
        }
        let mut left = position.clone();
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
        let Some((expected, lost)) = found.filter(|_| !loading) else {
            machine.watch.begin(shared, records, false);
            return Ok(());
        };
        // A master's records may have what its log lost, if that says so.
        let exact = crash == Crash::Kill || !takes_writes;
        plausible(&name, &expected, &records, &lost, exact)?;
        if !exact && expected != records && left == position {
            return Err(format!("{name} has records that its log does not tell"));
        }
        machine.watch.begin(shared, records, true);
        self.known.state(&name, &machine.watch.position, &machine.watch.records)
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

    pub(super) fn end(&mut self, index: usize, image: SimDisk, crash: Crash) {
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
    /// Not while another one loads records, perhaps its own: that one cannot know
    /// that the server of this id is not the same any more.
    pub(super) fn wipe(&mut self, index: usize) -> Checked {
        for other in self.machines.iter().filter(|other| other.index != index) {
            let disk = other.disk.subdir("ulog").map_err(|e| e.to_string())?;
            if Loading::read(&disk).map_err(|e| e.to_string())?.is_some() {
                return Ok(());
            }
        }
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
        for (id, reach) in std::mem::take(&mut machine.durable).iter() {
            if reach.seq > self.wiped.of(id).seq {
                self.wiped.set(id, reach);
            }
        }
        machine.promised = [(0, 0); 2];
        machine.wiped = true;
        machine.config.role = Role::Follower;
        machine.config.follow = source;
        // It numbers its updates from 1 again.
        let id = self.machines[index].id;
        self.renumbered.insert(id);
        self.reigns.retain(|(who, _)| *who != id);
        let others = &self.machines;
        self.acked.retain(|(origin, seq, _)| {
            others.iter().any(|other| {
                other.index != index && other.id != *origin && other.durable.of(*origin).seq >= *seq
            })
        });
        self.start(index)
    }
}
