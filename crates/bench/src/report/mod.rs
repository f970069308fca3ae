//! What was measured, as it is written down.

use std::path::Path;

use hozo::traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::machine::Machine;
use crate::workload::{Asked, Over, Parameters};

pub mod html;
pub mod summary;
pub mod table;

#[cfg(test)]
mod tests;

/// What a report says it is.
const KIND: &str = "hozo bench report";
/// The version of a report's form. A reader refuses every other.
pub const SCHEMA: u32 = 1;

/// A run of `hozo bench`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Says that it is one of ours.
    pub kind: String,
    /// See [`SCHEMA`].
    pub schema: u32,
    /// When it began, as RFC 3339.
    pub started: String,
    /// How long it took.
    pub took_seconds: f64,
    /// On what.
    pub machine: Machine,
    /// With what.
    pub settings: Settings,
    /// What was measured, the first the one that others are compared with.
    pub targets: Vec<TargetInfo>,
    /// In which ways.
    pub workloads: Vec<WorkloadInfo>,
    /// Every trial, in the order in which they were made.
    pub trials: Vec<Tried>,
}

/// What a run was asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// For the workloads.
    pub asked: Asked,
    /// How long each trial was measured.
    pub seconds: f64,
    /// How long each ran before.
    pub warm_up_seconds: f64,
    /// How many trials of each workload on each target.
    pub repeat: u32,
    /// For all that is random.
    pub seed: u64,
}

/// A target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// Its backend's.
    pub backend: String,
    /// Whether it is SQLite on a plain file.
    pub yardstick: bool,
    /// Whether it is a store that was there, with what else it holds.
    pub existing: bool,
}

/// A workload.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WorkloadInfo {
    /// Its name.
    pub name: String,
    /// What happens in it.
    pub about: String,
    /// On what.
    pub over: Over,
    /// With what.
    pub parameters: Parameters,
}

/// A trial that was made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The workload's name.
    pub workload: String,
    /// The target's name.
    pub target: String,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a trial ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Well.
    Measured(Box<Measured>),
    /// The target cannot do this; why.
    Unsupported(String),
    /// It failed; why.
    Failed(String),
}

/// What a trial measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Filling the store.
    pub loaded: Loaded,
    /// Operations that were done.
    pub ops: u64,
    /// Operations a second.
    pub throughput: f64,
    /// Of an open loop: operations that arrived and never began. Their waiting
    /// is among the latencies.
    pub unstarted: u64,
    /// How often operations were tried again after a conflict.
    pub retries: u64,
    /// How long operations took; in an open loop from when they should have
    /// begun.
    pub latency: Latency,
    /// Processor time of the process, in user mode and in the kernel.
    pub cpu_ns_per_op: f64,
    /// Bytes that the process caused to be written to storage, where the
    /// kernel tells.
    pub written_bytes: Option<u64>,
    /// Bytes on disk at the end; `None` if it is not on a disk.
    pub disk_bytes: Option<u64>,
    /// Memory before the store was opened.
    pub resident_before_bytes: Option<u64>,
    /// Memory at the end.
    pub resident_bytes: Option<u64>,
    /// Memory at most, while the load was applied.
    pub peak_bytes: Option<u64>,
}

/// What filling a store came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// Records or rows.
    pub count: u64,
    /// How long it took, with what the workload needs besides.
    pub seconds: f64,
    /// Bytes on disk afterwards; `None` if it is not on a disk.
    pub disk_bytes: Option<u64>,
}

impl Report {
    /// One without trials.
    pub fn new(
        started: String,
        machine: Machine,
        settings: Settings,
        targets: Vec<TargetInfo>,
        workloads: Vec<WorkloadInfo>,
    ) -> Self {
        Report {
            kind: KIND.to_owned(),
            schema: SCHEMA,
            started,
            took_seconds: 0.0,
            machine,
            settings,
            targets,
            workloads,
            trials: Vec::new(),
        }
    }

    /// Reads one back; `name` is what errors call it.
    pub fn from_json(name: &str, text: &str) -> Result<Self> {
        let invalid = |why: String| Error::new(ErrorKind::Invalid, why).with("file", name);
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|e| invalid("it is not JSON".to_owned()).caused_by(e))?;
        if value["kind"] != KIND {
            let what = "it is not a report of `hozo bench` (its \"kind\" is another)";
            return Err(invalid(what.to_owned()));
        }
        if value["schema"] != SCHEMA {
            return Err(invalid(format!(
                "the report has the form {}, and this version of hozo reads form {SCHEMA}; \
                 measure again, or use the version that wrote it",
                value["schema"]
            )));
        }
        serde_json::from_value(value)
            .map_err(|e| invalid("the report is incomplete or damaged".to_owned()).caused_by(e))
    }

    /// Reads a file.
    pub fn from_file(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| {
            let kind = match e.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, "the report cannot be read").with("file", &name).caused_by(e)
        })?;
        Self::from_json(&name, &text)
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has a JSON form");
        text.push('\n');
        text
    }

    /// The trials of a workload on a target that went well, by repetition.
    pub fn measured(&self, workload: &str, target: &str) -> Vec<&Measured> {
        let trials = self.trials.iter().filter(|t| t.workload == workload && t.target == target);
        trials
            .filter_map(|tried| match &tried.outcome {
                Outcome::Measured(measured) => Some(&**measured),
                _ => None,
            })
            .collect()
    }

    /// Why there is nothing of a workload on a target, if there is nothing and
    /// it was tried; and whether it is a failure.
    pub fn why_not(&self, workload: &str, target: &str) -> Option<(&str, bool)> {
        let trials = self.trials.iter().filter(|t| t.workload == workload && t.target == target);
        trials
            .filter_map(|tried| match &tried.outcome {
                Outcome::Measured(_) => None,
                Outcome::Unsupported(why) => Some((&**why, false)),
                Outcome::Failed(why) => Some((&**why, true)),
            })
            .next()
    }
}
