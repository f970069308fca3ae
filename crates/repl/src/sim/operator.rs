//! What an operator does: promotes, and has everybody follow the right one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo_traits::{ErrorKind, FollowState, Reach, Replicator, Result, Role, ServerId};

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
        // Who has nothing of the newest reign is promoted only if nothing is lost.
        // So is one whose numbers may be those of an earlier life.
        let again = |(id, _): &(ServerId, Reach)| self.renumbered.contains(id);
        let newest = has(&best).0.map_or(0, |reign| reign + 1) == self.reigns.len()
            && !self.reigns.last().is_some_and(again);
        if !newest && !self.acked.iter().all(|acked| self.has(best, acked)) {
            return Ok(());
        }
        self.note(format!("promote {} at {}", name(best), self.machines[best].watch.position));
        let answer = self.ask_to_promote(best)?;
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

    fn ask_to_promote(&mut self, index: usize) -> Checked<Option<Result<u64>>> {
        let up = self.machines[index].up.as_ref().expect("it is up");
        let (repl, life) = (Arc::clone(&up.repl), Arc::clone(&up.life));
        self.call(index, async move {
            life.told.store(false, Ordering::SeqCst);
            let promoted = repl.promote().await;
            // What it was told meanwhile, it has surpassed.
            life.told.store(false, Ordering::SeqCst);
            promoted
        })
    }

    fn promote_again(&mut self, best: usize) -> Checked {
        for _ in 0..20 {
            if self.machines[best].up.is_none() {
                self.start(best)?;
            }
            if let Some(answer) = self.ask_to_promote(best)? {
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
        let old = std::mem::replace(&mut self.master, best);
        for index in 0..self.machines.len() {
            self.want[index] = (index != best).then_some(best);
            if self.dice.one_in(2) {
                self.net.heal(index, old);
            }
        }
        let machine = &self.machines[best];
        self.reigns.push((machine.id, machine.watch.position.of(machine.id)));
        match self.acked.iter().find(|acked| !self.has(best, acked)) {
            None => Ok(()),
            Some((origin, seq, _)) => Err(format!(
                "{} was promoted, and has not {origin}:{seq}, which was acknowledged",
                name(best)
            )),
        }
    }

    /// Whether a server has what was acknowledged.
    fn has(&self, index: usize, (origin, seq, digest): &(ServerId, u64, u32)) -> bool {
        let here = self.machines[index].watch.position.of(*origin);
        here.seq > *seq || (here.seq == *seq && here.digest == *digest)
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
        match self.ask_to_promote(master)? {
            Some(Ok(epoch)) => {
                self.note(format!("{} is the master of epoch {epoch}", name(master)));
                self.promoted(master)
            }
            Some(Err(error)) => Err(format!("{}: promote: {error}", name(master))),
            None => Ok(()),
        }
    }

    /// An operator's mistake: a follower is given a master that is none any more,
    /// and clients go there, too.
    pub(super) fn follow_wrong(&mut self, index: usize) -> Checked {
        let is_wrong = |at: &usize| {
            let up = self.machines[*at].up.as_ref();
            *at != self.master && up.is_some_and(|up| up.repl.status().role == Role::Master)
        };
        let wrong = (0..self.machines.len()).find(is_wrong).filter(|wrong| *wrong != index);
        let (Some(wrong), Some(up)) = (wrong, &self.machines[index].up) else { return Ok(()) };
        if index == self.master {
            return Ok(());
        }
        let (repl, source) = (Arc::clone(&up.repl), name(wrong));
        self.note(format!("{} follows {source}, by mistake", name(index)));
        self.net.heal(index, wrong);
        if let Some(Err(error)) = self.call(index, async move { repl.follow(&source, 0).await })? {
            return Err(format!("{}: follow: {error}", name(index)));
        }
        for _ in 0..6 {
            self.run(20_000)?;
            self.ask(wrong);
        }
        Ok(())
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
            // Nobody thinks of everything, and least of who is gone.
            let forgotten = if status.role == Role::Follower { 4 } else { 2 };
            if self.dice.one_in(forgotten) && !self.net.calm.load(Ordering::SeqCst) {
                continue;
            }
            if status.source.as_ref().map(|source| &source.address) != Some(&source) {
                let (repl, life) = (Arc::clone(&up.repl), Arc::clone(&up.life));
                self.note(format!("{} follows {source}", name(index)));
                let follow = async move {
                    life.told.store(false, Ordering::SeqCst);
                    repl.follow(&source, 0).await
                };
                match self.call(index, follow)? {
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
