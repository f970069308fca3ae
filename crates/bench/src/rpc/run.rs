//! A whole run: every case on every server, several times.

use std::sync::Arc;

use hozo::pages::format_time;
use hozo::traits::{Ambient, Error, ErrorKind, Result};

use super::case::Case;
use super::drive::{Load, drive};
use super::inspect;
use super::probe;
use super::process;
use super::records::Records;
use super::report::{Measured, Outcome, Report, Settings, TargetInfo, Tried};
use super::requests::Requests;
use super::server::Server;
use super::stock;
use crate::clock::{Clock, SystemClock};
use crate::machine::Machine;
use crate::random::Random;

/// How long a server may take to end what the load before left it with.
const REST_MAX_NANOS: u64 = 10_000_000_000;
/// How often that is looked at.
const REST_LOOK_NANOS: u64 = 100_000_000;
/// What a server that is at rest may use of a processor in that time.
const REST_CPU_NANOS: u64 = 10_000_000;

/// What to measure.
pub struct Run {
    /// The servers, each with a name of its own. The last is what the others
    /// are compared with, but those that say with which.
    pub servers: Vec<Server>,
    /// In which ways; those with values of one size are neighbours.
    pub cases: Vec<Case>,
    /// With what.
    pub settings: Settings,
}

/// Where a run is.
pub struct At<'a> {
    /// The trial, from 0.
    pub trial: usize,
    /// Of so many.
    pub trials: usize,
    /// The case.
    pub case: &'a Case,
    /// The server's name.
    pub server: &'a str,
    /// Which fraction of the records is there, while they are put in.
    pub filled: Option<f64>,
}

impl Run {
    /// How many trials there are.
    pub fn trials(&self) -> usize {
        self.cases.len() * self.servers.len() * self.settings.rounds as usize
    }

    /// Makes them. A trial that fails is told in the report, and the others go
    /// on; `stop` is asked before each.
    pub fn run(
        &self,
        clock: &Arc<SystemClock>,
        ambient: &dyn Ambient,
        machine: Machine,
        watch: &mut dyn FnMut(At<'_>),
        stop: &dyn Fn() -> bool,
    ) -> Result<Report> {
        let targets = self.targets()?;
        let mut report = Report::new(
            format_time(ambient.now()),
            machine,
            self.settings.clone(),
            targets,
            self.cases.clone(),
        );
        let began = clock.now();
        for cases in self.cases.chunk_by(|a, b| a.value_bytes == b.value_bytes) {
            self.fill(clock, cases[0], report.trials.len(), watch, stop)?;
            let ran = self.rounds(clock, cases, &mut report, watch, stop);
            let cleared = self.clear(cases);
            ran.and(cleared)?;
        }
        report.took_seconds = (clock.now() - began) as f64 / 1e9;
        Ok(report)
    }

    /// What the servers say that they are; so each is known to be there.
    fn targets(&self) -> Result<Vec<TargetInfo>> {
        if self.servers.is_empty() {
            let what = "nothing is to be measured: there is no server";
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let info = |server: &Server| {
            let against = self.against(server);
            Ok(TargetInfo {
                name: server.name.clone(),
                address: server.address.to_string(),
                version: inspect::version(server)?,
                baseline: self.servers.iter().any(|o| self.against(o) == Some(&server.name)),
                against: against.map(str::to_owned),
            })
        };
        self.servers.iter().map(info).collect()
    }

    /// With which a server is compared.
    fn against<'s>(&'s self, server: &'s Server) -> Option<&'s str> {
        let last = || self.servers.iter().rfind(|other| other.against.is_none());
        let against = server.against.as_deref().or_else(|| last().map(|last| &*last.name));
        against.filter(|against| *against != server.name)
    }

    fn records(&self, value_bytes: usize) -> Records {
        Records::new(self.settings.records, &self.settings.key_prefix, value_bytes)
    }

    fn fill(
        &self,
        clock: &Arc<SystemClock>,
        case: Case,
        trial: usize,
        watch: &mut dyn FnMut(At<'_>),
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let records = self.records(case.value_bytes);
        for server in self.servers.iter().take_while(|_| !stop()) {
            let at = |filled| At {
                trial,
                trials: self.trials(),
                case: &case,
                server: &server.name,
                filled: Some(filled),
            };
            // One that asks for a follower's acknowledgement has to have it first.
            probe::settle(clock, server, &self.settings.key_prefix)?;
            stock::fill(server, &records, &mut |filled| watch(at(filled)))?;
        }
        Ok(())
    }

    /// Rounds of these cases. In each the servers take turns, and another one
    /// begins, so that whatever drifts hits all alike.
    fn rounds(
        &self,
        clock: &Arc<SystemClock>,
        cases: &[Case],
        report: &mut Report,
        watch: &mut dyn FnMut(At<'_>),
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        for round in 0..self.settings.rounds {
            for case in cases {
                for place in 0..self.servers.len() {
                    if stop() {
                        return Ok(());
                    }
                    let server = &self.servers[(place + round as usize) % self.servers.len()];
                    watch(At {
                        trial: report.trials.len(),
                        trials: self.trials(),
                        case,
                        server: &server.name,
                        filled: None,
                    });
                    let outcome = match self.trial(clock, case, server, round) {
                        Ok(measured) => Outcome::Measured(Box::new(measured)),
                        Err(e) => Outcome::Failed(e.to_string()),
                    };
                    let target = server.name.clone();
                    report.trials.push(Tried { case: *case, target, round, outcome });
                }
            }
        }
        Ok(())
    }

    fn trial(
        &self,
        clock: &Arc<SystemClock>,
        case: &Case,
        server: &Server,
        round: u32,
    ) -> Result<Measured> {
        let settings = &self.settings;
        let requests = Requests::new(case, self.records(case.value_bytes), server.dbm_index);
        let load = Load {
            case: *case,
            threads: settings.threads,
            rate: settings.rate,
            warm_up_nanos: (settings.warm_up_seconds * 1e9) as u64,
            nanos: (settings.seconds * 1e9) as u64,
            // The same for all servers: each does the same operations.
            seed: Random::part(settings.seed, u64::from(round)).next_u64(),
            key_prefix: &settings.key_prefix,
        };
        probe::settle(clock, server, &settings.key_prefix)?;
        rest(&**clock, server);
        if let Some(follower) = &server.follower {
            rest(&**clock, follower);
        }
        let driven = drive(clock, server, &Arc::new(requests), load)?;
        let answers = driven.tally.answers;
        let each = |nanos: u64| nanos as f64 / answers.max(1) as f64;
        Ok(Measured {
            answers,
            throughput: answers as f64 * 1e9 / driven.nanos.max(1) as f64,
            latency: driven.tally.recorder.latency(),
            server_cpu_ns: driven.server_cpu_nanos.map(each),
            client_cpu_ns: each(driven.client_cpu_nanos),
            unstarted: driven.tally.unstarted,
            lost_connections: driven.tally.lost,
            errors: driven.tally.errors(),
            lag: driven.lag,
        })
    }

    /// Takes out of the servers what was put in.
    fn clear(&self, cases: &[Case]) -> Result<()> {
        if self.settings.keep {
            return Ok(());
        }
        let lanes = cases.iter().map(|case| case.connections * case.pipeline).max();
        let records = self.records(cases[0].value_bytes);
        for server in &self.servers {
            stock::clear(server, &records, lanes.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Waits until a server is at rest, where its process is known: a store goes on
/// to tidy up after an update was answered, and that would be counted as the next
/// trial's, which may be of another server.
fn rest(clock: &dyn Clock, server: &Server) {
    let Some(mut before) = server.pid.and_then(process::cpu_nanos) else { return };
    let latest = clock.now() + REST_MAX_NANOS;
    while clock.now() < latest {
        clock.wait_until(clock.now() + REST_LOOK_NANOS);
        let Some(now) = server.pid.and_then(process::cpu_nanos) else { return };
        if now.saturating_sub(before) <= REST_CPU_NANOS {
            return;
        }
        before = now;
    }
}
