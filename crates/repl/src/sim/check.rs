//! What has to hold, after each step and after each crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use hozo_traits::{Effect, Position, Reach, Update, What};

use super::client::Report;
use super::machine::{Machine, Promise};
use super::store::Map;
use super::world::{Checked, Shape, World};

impl World {
    /// Looks at a server's log.
    pub(super) fn observe(&mut self, index: usize) -> Checked<Vec<Update>> {
        let machine = &mut self.machines[index];
        let Some(up) = &machine.up else { return Ok(Vec::new()) };
        let shared = Arc::clone(&up.repl.shared);
        let goes_on = up.life.goes_on();
        let was_known = machine.watch.known;
        let updates = machine.watch.read(&machine.name, &shared, &mut self.known)?;
        if goes_on {
            let durable = shared.ulog.durable().position;
            if was_known && machine.watch.known && !durable.covers(&machine.durable) {
                let name = &machine.name;
                return Err(format!("{name} goes back from {} to {durable}", machine.durable));
            }
            machine.durable = durable;
        }
        Ok(updates)
    }

    /// A server has an update: its origin has it durably, and nobody has
    /// another one of this number.
    pub(super) fn foreign(&self, index: usize, update: &Update) -> Checked {
        let (origin, Reach { seq, digest }) = (update.origin, update.reach);
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
    pub(super) fn promised(&mut self, report: Report) -> Checked {
        let index = report.index;
        let name = self.machines[index].name.clone();
        let promise = report.outcome.map_err(|what| format!("{name}: {what}"))?;
        self.count(match promise {
            Promise::None => "fenced",
            Promise::Made => "made",
            Promise::Durable => "durable",
            Promise::Acked => "acked",
        });
        let alive =
            self.machines[index].up.as_ref().is_some_and(|up| Arc::ptr_eq(&up.life, &report.life));
        if promise == Promise::None || report.seq == 0 || !alive {
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
                if self.wiped.of(id).seq >= seq {
                    return Ok(());
                }
                return Err(format!("{name} answered {seq}, and no follower has it"));
            }
            if self.shape == Shape::Tree && index == self.master {
                self.acked.push((id, seq, digest));
            }
        }
        Ok(())
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
            let position = machine.watch.position.clone();
            if position != Position::default() {
                self.known.state(&machine.name, &position, &records)?;
                machine.watch.begin(&up.repl.shared, records, true);
                machine.wiped = false;
            }
        }
        Ok(())
    }
}

/// Whether records are what a log says, and if not, whether its lost end says
/// it.
pub(super) fn plausible(
    name: &str,
    expected: &[Map],
    records: &[Map],
    lost: &[Update],
    exact: bool,
) -> Checked {
    if exact {
        return same(name, &Position::default(), expected, records);
    }
    for (dbm, (expected, records)) in expected.iter().zip(records).enumerate() {
        let keys: BTreeSet<_> = expected.keys().chain(records.keys()).collect();
        for key in keys {
            let is = records.get(key);
            let said = |update: &Update| match &update.what {
                What::Records { dbm: at, effects, .. } if *at as usize == dbm => {
                    effects.iter().any(|effect| match effect {
                        Effect::Set { key: k, value } => k == key && Some(value) == is,
                        Effect::Remove { key: k } => k == key && is.is_none(),
                        Effect::Clear => is.is_none(),
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

pub(super) fn same(name: &str, position: &Position, expected: &[Map], records: &[Map]) -> Checked {
    for (dbm, (expected, records)) in expected.iter().zip(records).enumerate() {
        let keys: BTreeSet<_> = expected.keys().chain(records.keys()).collect();
        for key in keys {
            let (is, should) = (records.get(key), expected.get(key));
            if is != should {
                return Err(format!(
                    "{name} at {position}: dbm {dbm} {key:?} is {:.50?}, and has to be {:.50?}",
                    is, should
                ));
            }
        }
    }
    Ok(())
}
