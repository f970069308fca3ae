//! A whole run: every workload on every target, several times.

use std::fs;
use std::path::{Path, PathBuf};

use hozo::pages::format_time;
use hozo::traits::{Ambient, Error, ErrorKind, Result};

use crate::clock::Clock;
use crate::machine::Machine;
use crate::random::Random;
use crate::report::{Measured, Outcome, Report, Settings, TargetInfo, Tried, WorkloadInfo};
use crate::subject::{Source, Target};
use crate::trial::{Phase, Trial};
use crate::workload::{Over, Workload};

#[cfg(test)]
mod tests;

/// What to measure.
pub struct Run {
    /// The targets; the first is what others are compared with.
    pub targets: Vec<Target>,
    /// The workloads.
    pub workloads: Vec<&'static Workload>,
    /// With what.
    pub settings: Settings,
    /// Where fresh stores are made; it is there.
    pub dir: PathBuf,
}

/// Where a run is.
pub struct At<'a> {
    /// The trial, from 0.
    pub trial: usize,
    /// Of so many.
    pub trials: usize,
    /// The workload.
    pub workload: &'a str,
    /// The target.
    pub target: &'a str,
    /// What it is doing, and which fraction of that is done.
    pub phase: (Phase, f64),
}

impl At<'_> {
    /// How much of the whole run is over, loading being half of a trial.
    pub fn fraction(&self) -> f64 {
        let (phase, done) = self.phase;
        let within = if phase == Phase::Load { done / 2.0 } else { 0.5 + done / 2.0 };
        (self.trial as f64 + within) / self.trials.max(1) as f64
    }
}

/// How a trial is run: here, or in a process of its own.
pub type Launch<'a> = &'a mut dyn FnMut(&Trial, &mut dyn FnMut(Phase, f64)) -> Result<Measured>;

/// One trial of the plan.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The workload.
    pub workload: &'static Workload,
    /// The target.
    pub target: &'a Target,
    /// Which repetition, from 0.
    pub repetition: u32,
}

impl Run {
    /// The trials in their order: a repetition of everything before the next
    /// one, and another target first each time, so that whatever drifts
    /// (temperature, what else the machine does) hits all alike.
    pub fn turns(&self) -> Vec<Turn<'_>> {
        let mut turns = Vec::new();
        for repetition in 0..self.settings.repeat {
            for workload in &self.workloads {
                let targets: Vec<&Target> =
                    self.targets.iter().filter(|target| suits(workload, target)).collect();
                for index in 0..targets.len() {
                    let target = targets[(index + repetition as usize) % targets.len()];
                    turns.push(Turn { workload, target, repetition });
                }
            }
        }
        turns
    }

    /// Makes them. A trial that fails is told in the report, and the others go
    /// on; `stop` is asked before each.
    pub fn run(
        &self,
        clock: &dyn Clock,
        ambient: &dyn Ambient,
        launch: Launch<'_>,
        watch: &mut dyn FnMut(At<'_>),
        stop: &dyn Fn() -> bool,
    ) -> Result<Report> {
        let turns = self.turns();
        if turns.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "nothing is to be measured: none of the targets can do any of the workloads",
            ));
        }
        let mut report = Report::new(
            format_time(ambient.now()),
            Machine::here(&self.dir),
            self.settings.clone(),
            self.targets.iter().map(info).collect(),
            self.workloads.iter().map(|workload| self.workload_info(workload)).collect(),
        );
        let began = clock.now();
        for (index, turn) in turns.iter().enumerate() {
            if stop() {
                break;
            }
            let at = |phase| At {
                trial: index,
                trials: turns.len(),
                workload: turn.workload.name,
                target: &turn.target.name,
                phase,
            };
            watch(at((Phase::Load, 0.0)));
            let dir = self.dir.join(format!("trial-{index}"));
            let trial = self.trial(turn, dir);
            make_empty(&trial.dir)?;
            let measured = launch(&trial, &mut |phase, done| watch(at((phase, done))));
            let removed = remove(&trial.dir);
            let outcome = match measured {
                Ok(measured) => Outcome::Measured(Box::new(measured)),
                Err(e) if e.kind() == ErrorKind::Unsupported => {
                    Outcome::Unsupported(e.message().to_owned())
                }
                Err(e) => Outcome::Failed(e.to_string()),
            };
            // What was interrupted did not fail.
            if !(stop() && matches!(outcome, Outcome::Failed(_))) {
                report.trials.push(Tried {
                    workload: turn.workload.name.to_owned(),
                    target: turn.target.name.clone(),
                    repetition: turn.repetition,
                    outcome,
                });
            }
            removed?;
        }
        report.took_seconds = (clock.now() - began) as f64 / 1e9;
        Ok(report)
    }

    fn trial(&self, turn: &Turn<'_>, dir: PathBuf) -> Trial {
        // The same for all targets: each does the same operations.
        let seed = Random::part(self.settings.seed, u64::from(turn.repetition)).next_u64();
        Trial {
            workload: turn.workload.name.to_owned(),
            source: turn.target.source.clone(),
            parameters: turn.workload.parameters(&self.settings.asked),
            warm_up_seconds: self.settings.warm_up_seconds,
            seconds: self.settings.seconds,
            seed,
            dir,
        }
    }

    fn workload_info(&self, workload: &Workload) -> WorkloadInfo {
        WorkloadInfo {
            name: workload.name.to_owned(),
            about: workload.about.to_owned(),
            over: workload.over,
            parameters: workload.parameters(&self.settings.asked),
        }
    }
}

/// Whether a target takes part in a workload.
fn suits(workload: &Workload, target: &Target) -> bool {
    match target.source {
        Source::PlainFile => workload.suits_plain_sqlite(),
        Source::Fresh { .. } => true,
        // A DBM cannot be taken out of a store again.
        Source::Existing { .. } => workload.over == Over::Sqlite,
    }
}

fn info(target: &Target) -> TargetInfo {
    TargetInfo {
        name: target.name.clone(),
        backend: target.backend.clone(),
        yardstick: target.is_yardstick(),
        existing: matches!(target.source, Source::Existing { .. }),
    }
}

fn make_empty(dir: &Path) -> Result<()> {
    fs::create_dir(dir).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the directory of a trial cannot be made")
            .with("directory", dir.display())
            .caused_by(e)
    })
}

fn remove(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the directory of a trial cannot be removed")
            .with("directory", dir.display())
            .caused_by(e)
    })
}
