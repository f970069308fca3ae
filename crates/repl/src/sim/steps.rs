//! What happens, step by step.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo_traits::{ErrorKind, FollowState, Replicator};

use super::world::{Checked, Crash, Shape, World, name};

impl World {
    /// Everything.
    pub(super) fn go(&mut self, steps: u64) -> Checked {
        for index in 0..self.machines.len() {
            self.start(index)?;
        }
        for _ in 0..steps {
            self.step()?;
            let time = match self.dice.below(20) {
                0 => 3_000_000,
                1..=4 => 200_000,
                _ => 5_000,
            };
            let time = self.dice.below(time);
            self.run(time)?;
            self.check()?;
        }
        self.come_to_rest()
    }

    fn step(&mut self) -> Checked {
        let all = self.machines.len() as u64;
        let any = self.dice.below(all) as usize;
        let other = (any + 1 + self.dice.below(all - 1) as usize) % all as usize;
        match self.dice.below(100) {
            0..=49 => {
                let writer = match self.shape {
                    _ if self.dice.one_in(12) => any,
                    Shape::Tree => self.master,
                    Shape::Dual => any.min(1),
                };
                for _ in 0..1 + self.dice.below(4) {
                    self.ask(writer);
                }
                Ok(())
            }
            50..=53 => {
                let crash = self.draw_crash(any);
                if self.machines[any].up.is_some() {
                    self.crash(any, crash);
                }
                Ok(())
            }
            54..=58 => {
                self.arm(any);
                Ok(())
            }
            59..=66 => match self.machines[any].up {
                None => self.start(any),
                Some(_) => Ok(()),
            },
            67..=69 => {
                self.note(format!("cut {} {}", name(any), name(other)));
                self.net.cut(any, other);
                Ok(())
            }
            70..=73 => {
                self.net.heal(any, other);
                Ok(())
            }
            74..=76 => {
                self.net.drop_connections(any, other);
                Ok(())
            }
            77..=79 => {
                let jump = self.dice.below(20_000_000) as i64 - 10_000_000;
                self.machines[any].ambient.skew.store(jump, Ordering::SeqCst);
                Ok(())
            }
            80..=83 => {
                self.checkpoint(any);
                Ok(())
            }
            84..=87 => {
                self.note(format!("prune {}", name(any)));
                self.prune(any)
            }
            88..=90 if self.shape == Shape::Tree => self.promote_best(),
            91..=93 if self.shape == Shape::Tree => {
                if any != self.master && !self.follows(other, any) {
                    self.want[any] = Some(other);
                }
                Ok(())
            }
            94 if self.shape == Shape::Tree && any != self.master => self.wipe(any),
            _ => self.put_in_order(),
        }
    }

    fn draw_crash(&self, index: usize) -> Crash {
        let fixed = self.shape == Shape::Dual && index < 2;
        if fixed || self.dice.one_in(2) { Crash::Kill } else { Crash::Power }
    }

    /// A crash in the midst of things.
    fn arm(&mut self, index: usize) {
        let crash = self.draw_crash(index);
        let machine = &self.machines[index];
        if machine.up.is_none() {
            return;
        }
        let at = machine.disk.operations() + 1 + self.dice.below(40);
        match crash {
            Crash::Kill => machine.disk.kill_at(at),
            Crash::Power => machine.disk.crash_at(at, self.dice.number()),
        }
        self.armed[index] = Some(crash);
    }

    /// Whether one follows another, or who follows it.
    fn follows(&self, index: usize, whom: usize) -> bool {
        let mut at = Some(index);
        for _ in 0..self.machines.len() {
            match at {
                Some(at) if at == whom => return true,
                Some(next) => at = self.want[next],
                None => return false,
            }
        }
        true
    }

    /// What an operator does when the master is to be another one.
    fn promote_best(&mut self) -> Checked {
        let old = self.master;
        let others: Vec<usize> = (0..self.machines.len()).filter(|i| *i != old).collect();
        for &index in &others {
            if self.machines[index].up.is_none() {
                self.start(index)?;
            }
        }
        self.check()?;
        if !others.iter().all(|index| self.is_whole(*index)) {
            return Ok(());
        }
        // Nobody acknowledges anything to the old one any more.
        if self.dice.one_in(2) && self.machines[old].up.is_some() {
            let crash = self.draw_crash(old);
            self.crash(old, crash);
        } else {
            others.iter().for_each(|index| self.net.cut(*index, old));
        }
        self.run(1000)?;
        if others.iter().any(|index| self.machines[*index].up.is_none() || !self.is_whole(*index)) {
            return Ok(());
        }
        // Who has most of the newest reign has all that was acknowledged.
        let has = |index: &usize| -> (Option<usize>, u64) {
            let position = &self.machines[*index].watch.position;
            let reign = self.reigns.iter().rposition(|(id, reach)| {
                let here = position.of(*id);
                here.seq > reach.seq || here == *reach
            });
            (reign, position.iter().map(|(_, reach)| reach.seq).sum())
        };
        let best = others.iter().copied().max_by_key(|index| has(index)).expect("there are others");
        self.note(format!("promote {} at {}", name(best), self.machines[best].watch.position));
        let repl = Arc::clone(&self.machines[best].up.as_ref().expect("it is up").repl);
        let answer = self.call(best, async move { repl.promote().await })?;
        let Some(answer) = answer else {
            // Whatever became of it, it is wanted.
            self.note("it crashed meanwhile".to_owned());
            return self.promote_again(best);
        };
        match answer {
            Ok(epoch) => {
                self.note(format!("{} is the master of epoch {epoch}", name(best)));
                self.promoted(best)
            }
            Err(error) => Err(format!("{} is not promoted: {error}", name(best))),
        }
    }

    fn promote_again(&mut self, best: usize) -> Checked {
        for _ in 0..20 {
            if self.machines[best].up.is_none() {
                self.start(best)?;
            }
            let repl = Arc::clone(&self.machines[best].up.as_ref().expect("it is up").repl);
            if let Some(answer) = self.call(best, async move { repl.promote().await })? {
                return match answer {
                    Ok(_) => self.promoted(best),
                    // It lost its records in the crash.
                    Err(error) if error.kind() == ErrorKind::Busy => Ok(()),
                    Err(error) => Err(format!("{} is not promoted: {error}", name(best))),
                };
            }
        }
        Err(format!("{} cannot be promoted", name(best)))
    }

    fn promoted(&mut self, best: usize) -> Checked {
        self.count("promotions");
        self.master = best;
        for index in 0..self.machines.len() {
            self.want[index] = (index != best).then_some(best);
        }
        let machine = &self.machines[best];
        self.reigns.push((machine.id, machine.watch.position.of(machine.id)));
        for (origin, seq, digest) in &self.acked {
            let has = machine.watch.position.of(*origin);
            if has.seq < *seq || (has.seq == *seq && has.digest != *digest) {
                return Err(format!(
                    "{} was promoted, and has not {origin}:{seq}, which was acknowledged",
                    name(best)
                ));
            }
        }
        Ok(())
    }

    /// Somebody may have been promoted before the master, and nobody knew of it:
    /// then the master is promoted once more.
    fn promote_past_others(&mut self) -> Checked {
        let epoch = |index: usize| {
            let up = self.machines[index].up.as_ref();
            up.map_or(0, |up| up.repl.status().epoch)
        };
        let master = self.master;
        let newest = (0..self.machines.len()).map(epoch).max().unwrap_or(0);
        let Some(up) = &self.machines[master].up else { return Ok(()) };
        if newest <= epoch(master) && up.repl.status().fenced.is_none() {
            return Ok(());
        }
        let repl = Arc::clone(&up.repl);
        match self.call(master, async move { repl.promote().await })? {
            Some(Ok(epoch)) => {
                self.note(format!("{} is the master of epoch {epoch}", name(master)));
                self.promoted(master)
            }
            Some(Err(error)) => Err(format!("{}: promote: {error}", name(master))),
            None => Ok(()),
        }
    }

    /// What an operator does from time to time: has everybody follow whom he
    /// is to follow.
    fn put_in_order(&mut self) -> Checked {
        if self.shape == Shape::Dual {
            return Ok(());
        }
        self.promote_past_others()?;
        for index in 0..self.machines.len() {
            let Some(up) = &self.machines[index].up else { continue };
            let Some(source) = self.want[index].map(name) else { continue };
            let status = up.repl.status();
            if status.source.as_ref().map(|source| &source.address) != Some(&source) {
                let repl = Arc::clone(&up.repl);
                self.note(format!("{} follows {source}", name(index)));
                match self.call(index, async move { repl.follow(&source, 0).await })? {
                    Some(Err(error)) => return Err(format!("{}: follow: {error}", name(index))),
                    _ => continue,
                }
            }
            if index == self.master {
                continue;
            }
            if let Some((FollowState::Stopped, why)) = self.state_of(index) {
                self.note(format!("{} has stopped: {why}", name(index)));
                self.count("stopped");
                self.wipe(index)?;
            }
        }
        Ok(())
    }

    /// No more accidents: in the end all have the same.
    fn come_to_rest(&mut self) -> Checked {
        self.note("no more accidents".to_owned());
        self.net.calm.store(true, Ordering::SeqCst);
        self.net.heal_all();
        for _ in 0..60 {
            for index in 0..self.machines.len() {
                self.machines[index].disk.forget_crash();
                if self.machines[index].up.is_none() {
                    self.start(index)?;
                }
            }
            self.put_in_order()?;
            self.run(2_000_000)?;
            self.check()?;
            if self.all_equal() {
                return self.at_rest();
            }
        }
        let mut said = String::new();
        for index in 0..self.machines.len() {
            let machine = &self.machines[index];
            let Some(up) = &machine.up else { continue };
            said += &format!(
                "\n{}: {} known {} quiet {} {:?} epoch {} fenced {:?}",
                machine.name,
                machine.watch.position,
                machine.watch.known,
                up.is_quiet(),
                self.state_of(index),
                up.repl.status().epoch,
                up.repl.status().fenced,
            );
        }
        Err(format!("the servers do not become equal:{said}"))
    }

    fn all_equal(&self) -> bool {
        let first = &self.machines[self.master].watch;
        self.machines.iter().all(|machine| {
            let Some(up) = &machine.up else { return false };
            machine.watch.known && up.is_quiet() && machine.watch.position == first.position
        })
    }

    fn at_rest(&mut self) -> Checked {
        let first = self.machines[self.master].up.as_ref().expect("it is up").records();
        for machine in &self.machines {
            if machine.up.as_ref().expect("all are up").records() != first {
                return Err(format!("{} has other records in the end", machine.name));
            }
            for (origin, seq, _) in &self.acked {
                if machine.watch.position.of(*origin).seq < *seq {
                    return Err(format!("{origin}:{seq} was acknowledged, and is gone"));
                }
            }
        }
        Ok(())
    }
}
