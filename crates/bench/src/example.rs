//! A report that nobody measured, for tests.

use crate::latency::{Op, Recorder};
use crate::machine::Machine;
use crate::random::Random;
use crate::report::{Loaded, Measured, Outcome, Report, Settings, TargetInfo, Tried, WorkloadInfo};
use crate::workload::{Asked, Workload};

/// What trials that nobody made have in common.
pub(crate) struct Example {
    pub(crate) workloads: Vec<&'static str>,
    /// With how much faster each is than the first.
    pub(crate) targets: Vec<(&'static str, f64)>,
    pub(crate) repeat: u32,
    /// How far values are from each other.
    pub(crate) noise: f64,
    pub(crate) seed: u64,
    pub(crate) asked: Asked,
}

impl Default for Example {
    fn default() -> Self {
        Example {
            workloads: vec!["ycsb-a", "sqlite-commit-8"],
            targets: vec![("sqlite", 1.0), ("memory", 3.0)],
            repeat: 6,
            noise: 0.05,
            seed: 1,
            asked: Asked {
                records: 1000,
                value_bytes: 100,
                threads: None,
                rate: None,
                durable: false,
                depth: 10,
            },
        }
    }
}

impl Example {
    pub(crate) fn report(&self) -> Report {
        let mut random = Random::new(self.seed);
        let info = |name: &&'static str| {
            let workload = Workload::find(name).unwrap();
            WorkloadInfo {
                name: workload.name.to_owned(),
                about: workload.about.to_owned(),
                over: workload.over,
                parameters: workload.parameters(&self.asked),
            }
        };
        let target = |(name, _): &(&'static str, f64)| TargetInfo {
            name: (*name).to_owned(),
            backend: (*name).to_owned(),
            yardstick: *name == "sqlite",
            existing: false,
        };
        let settings = Settings {
            asked: self.asked.clone(),
            seconds: 1.0,
            warm_up_seconds: 0.5,
            repeat: self.repeat,
            seed: self.seed,
        };
        let machine = Machine {
            cpu: "A <fast> processor & more".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            kernel: "Linux 6".to_owned(),
            filesystem: "ext4".to_owned(),
            versions: vec![("hozo".to_owned(), "0.1.0".to_owned())],
        };
        let mut report = Report::new(
            "2026-11-22T00:00:00Z".to_owned(),
            machine,
            settings,
            self.targets.iter().map(target).collect(),
            self.workloads.iter().map(info).collect(),
        );
        for repetition in 0..self.repeat {
            for workload in &self.workloads {
                for (target, speed) in &self.targets {
                    let speed = speed * (1.0 + self.noise * (random.unit() - 0.5));
                    report.trials.push(Tried {
                        workload: (*workload).to_owned(),
                        target: (*target).to_owned(),
                        repetition,
                        outcome: Outcome::Measured(Box::new(measured(speed, &mut random))),
                    });
                }
            }
        }
        report
    }
}

/// Latencies around 100 µs, divided by `speed`.
fn measured(speed: f64, random: &mut Random) -> Measured {
    let mut recorder = Recorder::default();
    for i in 0..2_000u32 {
        let tail = 1.0 / (1.0 - random.unit() * 0.9999);
        let op = if i % 2 == 0 { Op::Read } else { Op::Update };
        recorder.record(op, (60_000.0 + 40_000.0 * tail / speed) as u64);
    }
    let latency = recorder.latency();
    Measured {
        loaded: Loaded { count: 1000, seconds: 0.1, disk_bytes: Some(200_000) },
        ops: 2_000,
        throughput: 10_000.0 * speed,
        unstarted: 0,
        retries: 0,
        cpu_ns_per_op: 20_000.0 / speed,
        written_bytes: Some(1 << 20),
        disk_bytes: Some((300_000.0 * speed) as u64),
        resident_before_bytes: Some(10 << 20),
        resident_bytes: Some(20 << 20),
        peak_bytes: Some(30 << 20),
        latency,
    }
}
