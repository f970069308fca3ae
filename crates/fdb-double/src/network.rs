//! The network thread: everything that the cluster is asked happens on it, in the
//! order of asking.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::codes::{self, Code};
use crate::faults;

/// Something to do.
pub(crate) struct Job {
    /// For a commit, where its cluster is in memory. Commits in the same cluster that
    /// follow each other share a version.
    pub(crate) commits_in: Option<usize>,
    /// Whether its transaction has a timeout.
    pub(crate) has_timeout: bool,
    /// Told whether it joins the batch of the commit before, or why it cannot be
    /// done; answers whether it was.
    pub(crate) run: Box<dyn FnOnce(Result<bool, Code>) -> bool + Send>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unset,
    Selected,
    Setup,
    Running,
    Stopped,
}

struct Network {
    phase: Phase,
    jobs: VecDeque<Job>,
    /// Jobs that wait for a network that is cut.
    parked: Vec<Job>,
    /// What is done after so many jobs.
    late: Vec<(u32, Box<dyn FnOnce() + Send>)>,
}

static NETWORK: Mutex<Network> = Mutex::new(Network {
    phase: Phase::Unset,
    jobs: VecDeque::new(),
    parked: Vec::new(),
    late: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();

impl Network {
    /// Counts a job, and answers what was to wait for it.
    fn due(&mut self) -> Vec<Box<dyn FnOnce() + Send>> {
        self.late.iter_mut().for_each(|(left, _)| *left = left.saturating_sub(1));
        self.late.extract_if(.., |(left, _)| *left == 0).map(|(_, late)| late).collect()
    }
}

/// Does something after the job that is being done and so many others.
pub(crate) fn later(jobs: u32, what: Box<dyn FnOnce() + Send>) {
    network().late.push((jobs.saturating_add(1), what));
}

fn network() -> MutexGuard<'static, Network> {
    NETWORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest API version: 730, or what `HOZO_FDB_DOUBLE_API` says.
pub(crate) fn api_version_max() -> i32 {
    let given = std::env::var("HOZO_FDB_DOUBLE_API").ok();
    given.and_then(|version| version.parse().ok()).unwrap_or(730)
}

pub(crate) fn select_api_version(runtime: i32, header: i32) -> Code {
    let mut network = network();
    if network.phase != Phase::Unset {
        return codes::API_VERSION_ALREADY_SET;
    }
    if runtime > header {
        return codes::API_VERSION_INVALID;
    }
    if header > api_version_max() || runtime < 13 {
        return codes::API_VERSION_NOT_SUPPORTED;
    }
    network.phase = Phase::Selected;
    0
}

/// Whether the network can still be configured.
pub(crate) fn check_configurable() -> Code {
    match network().phase {
        Phase::Unset => codes::API_VERSION_UNSET,
        Phase::Selected => 0,
        _ => codes::NETWORK_ALREADY_SETUP,
    }
}

pub(crate) fn set_up() -> Code {
    let code = check_configurable();
    if code == 0 {
        network().phase = Phase::Setup;
    }
    code
}

/// Whether there can be databases.
pub(crate) fn check_set_up() -> Code {
    match network().phase {
        Phase::Unset => codes::API_VERSION_UNSET,
        Phase::Selected => codes::NETWORK_NOT_SETUP,
        _ => 0,
    }
}

/// Runs what there is to do until the network is stopped.
pub(crate) fn run() -> Code {
    let mut network = network();
    match network.phase {
        Phase::Setup => network.phase = Phase::Running,
        Phase::Stopped => return codes::NETWORK_CANNOT_RESTART,
        Phase::Running => return codes::NETWORK_ALREADY_SETUP,
        _ => return codes::NETWORK_NOT_SETUP,
    }
    // Of which cluster the last batch can still be joined: nothing was read since.
    let mut open = None;
    while network.phase == Phase::Running {
        let Some(job) = network.jobs.pop_front() else {
            network = CHANGED.wait(network).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let told = match faults::unreachable(job.has_timeout) {
            Some(Ok(())) => {
                network.parked.push(job);
                continue;
            }
            Some(Err(code)) => Err(code),
            None => Ok(job.commits_in.is_some() && job.commits_in == open),
        };
        let joins = told == Ok(true);
        drop(network);
        let done = (job.run)(told);
        open = job.commits_in.filter(|_| done || joins);
        for late in self::network().due() {
            late();
            open = None;
        }
        network = self::network();
    }
    0
}

pub(crate) fn stop() -> Code {
    let mut network = network();
    if !matches!(network.phase, Phase::Running | Phase::Setup) {
        return codes::NETWORK_NOT_SETUP;
    }
    network.phase = Phase::Stopped;
    drop(network);
    CHANGED.notify_all();
    0
}

/// Does something on the network thread, once it comes to it.
pub(crate) fn submit(job: Job) {
    network().jobs.push_back(job);
    CHANGED.notify_all();
}

/// Cuts the network, or joins it again and goes on with what waited.
pub(crate) fn cut(cut: bool) {
    faults::cut(cut);
    if !cut {
        let mut network = network();
        let parked = std::mem::take(&mut network.parked);
        network.jobs.extend(parked);
        drop(network);
        CHANGED.notify_all();
    }
}
