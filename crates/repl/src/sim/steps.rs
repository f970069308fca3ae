//! What happens, step by step.

use std::sync::atomic::Ordering;

use hozo_traits::Replicator;

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
                    _ if self.dice.one_in(6) => any,
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
            76 => {
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
            74 | 75 if self.shape == Shape::Tree => self.follow_wrong(any),
            94 if self.shape == Shape::Tree && any != self.master => self.wipe(any),
            _ => self.put_in_order(),
        }
    }

    pub(super) fn draw_crash(&self, index: usize) -> Crash {
        let fixed = self.shape == Shape::Dual && index < 2;
        if fixed || self.dice.one_in(2) { Crash::Kill } else { Crash::Power }
    }

    /// A crash in the midst of things.
    fn arm(&mut self, index: usize) {
        let crash = self.draw_crash(index);
        let machine = &self.machines[index];
        // One that has happened is not yet known.
        if machine.up.is_none() || machine.disk.has_image() {
            return;
        }
        let at = machine.disk.operations() + 1 + self.dice.below(40);
        match crash {
            Crash::Kill => machine.disk.kill_at(at),
            Crash::Power => machine.disk.crash_at(at, self.dice.number()),
        }
        self.armed[index] = Some(crash);
    }

    /// No more accidents: in the end all have the same.
    fn come_to_rest(&mut self) -> Checked {
        self.note("no more accidents".to_owned());
        self.net.calm.store(true, Ordering::SeqCst);
        self.net.heal_all();
        for round in 0..60 {
            for index in 0..self.machines.len() {
                // One that loads records of a server that has stopped waits for that
                // one, which is not wiped meanwhile.
                if round > 20 && self.shape == Shape::Tree {
                    self.want[index] = (index != self.master).then_some(self.master);
                }
                self.machines[index].disk.forget_crash();
                if self.machines[index].up.is_none() {
                    self.start(index)?;
                }
            }
            self.put_in_order()?;
            self.run(2_000_000)?;
            self.check()?;
            if self.all_equal() {
                // Whoever waits for an acknowledgement has it, or it is too late.
                self.run(2_000_000)?;
                self.check()?;
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
        // Each server follows, and has its rounds; whoever asked was answered.
        let waiting = self.tasks.count() - 2 * self.machines.len();
        if waiting > 0 {
            return Err(format!("{waiting} clients wait for ever"));
        }
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
