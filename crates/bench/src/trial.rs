//! One workload on one target, once.

use std::fs;
use std::path::PathBuf;

use hozo::Registry;
use hozo::traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, SystemClock};
use crate::driver::{Load, drive};
use crate::report::{Loaded, Measured};
use crate::subject::{Source, Subject};
use crate::usage::Memory;
use crate::workload::{Parameters, Workload};

/// What is to be measured. It can be written down, so that each trial runs in a
/// process of its own: then memory and processor time are its own, no cache is
/// warm from another, and no store outlives its turn.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// The workload's name.
    pub workload: String,
    /// How the target is opened.
    pub source: Source,
    /// What the workload runs with.
    pub parameters: Parameters,
    /// How long it runs before it is measured.
    pub warm_up_seconds: f64,
    /// How long it is measured.
    pub seconds: f64,
    /// For all that is random.
    pub seed: u64,
    /// A directory that is there and empty.
    pub dir: PathBuf,
}

/// What a trial is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Filling the store.
    Load,
    /// Applying the load.
    Run,
}

impl Trial {
    /// Runs it, here.
    ///
    /// The workloads that travel turn this process's page cache off. A stack
    /// that was connected to stays open while the process lives.
    pub fn run(
        &self,
        registry: &Registry,
        progress: &mut dyn FnMut(Phase, f64),
    ) -> Result<Measured> {
        let workload = Workload::find(&self.workload).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is no such workload")
                .with("workload", &self.workload)
        })?;
        let resident_before = Memory::now().resident;
        let subject = Subject::open(&self.source, &self.dir, registry)?;
        let measured = self.measure(workload, &subject, progress);
        let cleaned = subject.clean_up();
        let mut measured = measured?;
        cleaned?;
        measured.resident_before_bytes = resident_before;
        Ok(measured)
    }

    fn measure(
        &self,
        workload: &Workload,
        subject: &Subject,
        progress: &mut dyn FnMut(Phase, f64),
    ) -> Result<Measured> {
        let clock = SystemClock::new();
        let prepared = workload.prepare(subject, &self.parameters, self.seed, &mut |done| {
            progress(Phase::Load, done);
        })?;
        let loaded = Loaded {
            count: prepared.loaded,
            seconds: clock.now() as f64 / 1e9,
            disk_bytes: subject.disk_bytes()?,
        };
        // What is resident at most from here on, where the kernel can tell.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let load = Load {
            threads: self.parameters.threads,
            rate: self.parameters.rate,
            warm_up_nanos: nanos(self.warm_up_seconds),
            nanos: nanos(self.seconds),
        };
        let driven = drive(&clock, load, &|thread| prepared.bed.worker(thread), &mut |done| {
            progress(Phase::Run, done);
        })?;
        if driven.ops == 0 {
            return Err(Error::new(
                ErrorKind::TimedOut,
                "no operation began in the measured time; give it more seconds",
            ));
        }
        let memory = Memory::now();
        Ok(Measured {
            loaded,
            ops: driven.ops,
            throughput: driven.throughput,
            unstarted: driven.unstarted,
            retries: driven.retries,
            latency: driven.recorder.latency(),
            cpu_ns_per_op: driven.usage.cpu_nanos as f64 / driven.ops as f64,
            written_bytes: driven.usage.written_bytes,
            disk_bytes: subject.disk_bytes()?,
            resident_before_bytes: None,
            resident_bytes: memory.resident,
            peak_bytes: memory.peak,
        })
    }
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
