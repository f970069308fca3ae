//! What an operator does: promotes, and has everybody follow the right one.

use std::sync::Arc;

use hozo_traits::{ErrorKind, FollowState, Replicator};

use super::world::{Checked, Shape, World, name};

impl World {
    /// Whether one follows another, or who follows it.
    pub(super) fn follows(&self, index: usize, whom: usize) -> bool {
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
    pub(super) fn promote_best(&mut self) -> Checked {
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
    pub(super) fn put_in_order(&mut self) -> Checked {
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
}
