//! What was measured, as it is written down.

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::lag::Lag;
pub use super::tally::ErrorCount;
use crate::latency::Latency;
use crate::machine::Machine;

/// What a report says it is.
const KIND: &str = "hozo bench rpc report";
/// The version of a report's form.
pub const SCHEMA: u32 = 1;

/// A run of `hozo bench rpc`.
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
    /// On what the client ran, and the servers if they were here.
    pub machine: Machine,
    /// With what.
    pub settings: Settings,
    /// What was measured.
    pub targets: Vec<TargetInfo>,
    /// In which ways.
    pub cases: Vec<Case>,
    /// Every trial, in the order in which they were made.
    pub trials: Vec<Tried>,
}

/// What a run was asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Records that are there.
    pub records: u64,
    /// What their keys begin with.
    pub key_prefix: String,
    /// Whether they stay in a server that was there before.
    pub keep: bool,
    /// How long each trial is measured.
    pub seconds: f64,
    /// How long each runs before.
    pub warm_up_seconds: f64,
    /// Trials of each case on each server.
    pub rounds: u32,
    /// Requests a second over all connections, in an open loop; `None` is a
    /// closed loop.
    pub rate: Option<f64>,
    /// Threads of the client.
    pub threads: usize,
    /// For all that is random.
    pub seed: u64,
}

/// A server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// What it says that it is.
    pub version: Option<String>,
    /// Whether another is compared with it.
    pub baseline: bool,
    /// The name of the one that it is compared with.
    #[serde(default)]
    pub against: Option<String>,
}

/// A trial that was made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// In which way.
    pub case: Case,
    /// The server's name.
    pub target: String,
    /// Which round, from 0.
    pub round: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a trial ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There are figures.
    Measured(Box<Measured>),
    /// It failed; why.
    Failed(String),
}

/// What a trial measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Right answers that came in the measured time.
    pub answers: u64,
    /// Right answers a second.
    pub throughput: f64,
    /// How long right answers took; in an open loop from when the request should
    /// have been sent. Requests without an answer count with what they waited.
    pub latency: Latency,
    /// Processor time of the server for one answer, in user mode and in the
    /// kernel, where its process is known.
    pub server_cpu_ns: Option<f64>,
    /// The same of the client.
    pub client_cpu_ns: f64,
    /// Of an open loop: requests that arrived and were never sent. Their waiting
    /// is among the latencies.
    pub unstarted: u64,
    /// Connections that broke.
    pub lost_connections: u64,
    /// What went wrong, wrong values included.
    pub errors: Vec<ErrorCount>,
    /// How far the server's follower was behind, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
}

impl Report {
    /// One without trials.
    pub fn new(
        started: String,
        machine: Machine,
        settings: Settings,
        targets: Vec<TargetInfo>,
        cases: Vec<Case>,
    ) -> Self {
        Report {
            kind: KIND.to_owned(),
            schema: SCHEMA,
            started,
            took_seconds: 0.0,
            machine,
            settings,
            targets,
            cases,
            trials: Vec::new(),
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has a JSON form");
        text.push('\n');
        text
    }

    /// The trials of a case on a server that have figures, by round.
    pub fn measured(&self, case: &Case, target: &str) -> Vec<(u32, &Measured)> {
        let trials = self.trials.iter().filter(|t| t.case == *case && t.target == target);
        trials
            .filter_map(|tried| match &tried.outcome {
                Outcome::Measured(measured) => Some((tried.round, &**measured)),
                Outcome::Failed(_) => None,
            })
            .collect()
    }

    /// Why there is nothing of a case on a server, if a trial failed.
    pub fn why_not(&self, case: &Case, target: &str) -> Option<&str> {
        let mut trials = self.trials.iter().filter(|t| t.case == *case && t.target == target);
        trials.find_map(|tried| match &tried.outcome {
            Outcome::Failed(why) => Some(&**why),
            Outcome::Measured(_) => None,
        })
    }

    /// Whether everything was answered, and rightly.
    pub fn is_flawless(&self) -> bool {
        self.trials.iter().all(|tried| match &tried.outcome {
            Outcome::Measured(measured) => measured.errors.is_empty(),
            Outcome::Failed(_) => false,
        })
    }
}
