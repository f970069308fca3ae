use crate::latency::{Op, Recorder};
use crate::machine::Machine;
use crate::rpc::lag::{Lags, Probe};
use crate::rpc::report::{ErrorCount, Outcome, Settings, TargetInfo, Tried};

use super::*;

fn case(connections: usize) -> Case {
    Case { workload: Workload::Get, value_bytes: 8, mode: Mode::Unary, connections, pipeline: 1 }
}

fn measured(throughput: f64, server_cpu_ns: f64) -> Measured {
    let mut recorder = Recorder::default();
    (1..=100).for_each(|n| recorder.record(Op::Read, n * 1_000));
    Measured {
        answers: 100,
        throughput,
        latency: recorder.latency(),
        server_cpu_ns: Some(server_cpu_ns),
        client_cpu_ns: 5_000.0,
        unstarted: 0,
        lost_connections: 0,
        errors: Vec::new(),
        lag: None,
    }
}

/// Two servers, three rounds; `ours` is twice as quick, and takes half.
fn report() -> Report {
    let settings = Settings {
        records: 100,
        key_prefix: "p".to_owned(),
        keep: false,
        seconds: 3.0,
        warm_up_seconds: 0.5,
        rounds: 3,
        rate: None,
        threads: 1,
        seed: 7,
    };
    let target = |name: &str, baseline, against: Option<&str>| TargetInfo {
        name: name.to_owned(),
        address: "127.0.0.1:1".to_owned(),
        version: Some("9.9".to_owned()),
        baseline,
        against: against.map(str::to_owned),
    };
    let targets = vec![target("ours", false, Some("theirs")), target("theirs", true, None)];
    let started = "2026-11-22T00:00:00Z".to_owned();
    let cases = vec![case(1), case(8)];
    let mut report = Report::new(started, Machine::default(), settings, targets, cases);
    for round in 0..3 {
        let drift = f64::from(round + 1);
        for (target, quick) in [("ours", 2.0), ("theirs", 1.0)] {
            report.trials.push(Tried {
                case: case(1),
                target: target.to_owned(),
                round,
                outcome: Outcome::Measured(Box::new(measured(
                    10_000.0 * quick * drift,
                    20_000.0 / quick,
                ))),
            });
        }
    }
    report
}

#[test]
fn ratios_are_taken_round_by_round() {
    let text = table(&report(), false);
    // The drift is as large as what is to be seen, and hits both alike.
    let row = text.lines().find(|line| line.contains("ours")).unwrap();
    assert_eq!(row.matches("2.00× (2.00–2.00)").count(), 1, "{text}");
    assert_eq!(row.matches("0.50× (0.50–0.50)").count(), 1, "{text}");
    for word in ["40,000", "50 %", "50.0 µs", "10.0 µs", "5.00 µs"] {
        assert!(row.contains(word), "no {word} in {row}");
    }
    assert!(text.contains("get, values of 8 bytes · unary · one request at a time"), "{text}");
    assert!(text.contains("seed 7") && text.contains("version 9.9"), "{text}");
}

#[test]
fn errors_are_told_and_so_is_what_failed() {
    let mut report = report();
    if let Outcome::Measured(measured) = &mut report.trials[0].outcome {
        let (kind, example) = ("wrong value".to_owned(), "it has 3 bytes".to_owned());
        measured.errors.push(ErrorCount { kind, count: 1_234, example });
        measured.unstarted = 5;
    }
    report.trials.push(Tried {
        case: case(8),
        target: "theirs".to_owned(),
        round: 0,
        outcome: Outcome::Failed("no route".to_owned()),
    });
    let text = table(&report, false);
    for line in [
        "ours with 1 connection, round 1: 1,234 × wrong value, such as: it has 3 bytes",
        "ours with 1 connection could not keep up: 5 requests arrived and never began",
        "theirs with 8 connections failed: no route",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert!(!report.is_flawless());
}

#[test]
fn one_server_is_compared_with_none() {
    let mut report = report();
    report.targets = vec![TargetInfo { against: None, ..report.targets[0].clone() }];
    report.trials.retain(|tried| tried.target == "ours");
    let text = table(&report, false);
    assert!(!text.contains("ratio") && text.contains("40,000"), "{text}");
    assert!(report.is_flawless());
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let report = report();
    assert_eq!(serde_json::from_str::<Report>(&report.to_json()).unwrap(), report);
}

#[test]
fn each_is_compared_with_its_own_and_lag_is_told_of_what_has_a_follower() {
    let mut report = report();
    let plain = table(&report, false);
    assert!(!plain.contains("lag") && !plain.contains("caught up"), "{plain}");
    let mut lags = Lags::default();
    for millis in 1..=100u64 {
        let answered = millis * 2_000_000;
        let found = answered + millis * 1_000_000;
        lags.add(Probe { sent: answered - 1_000_000, answered, found }, 100_000_000);
    }
    // Two of whatever is quicker by half, each with a baseline of its own.
    for name in ["ours", "theirs"] {
        let of = report.targets.iter().find(|target| target.name == name).unwrap().clone();
        let (own, against) = (format!("{name} + follower"), Some(name.to_owned()));
        report.targets.push(TargetInfo { name: own.clone(), baseline: false, against, ..of });
        for round in 0..3 {
            let drift = f64::from(round + 1);
            let quick = if name == "ours" { 2.0 } else { 1.0 };
            let mut trial = measured(10_000.0 * quick * drift * 0.5, 20_000.0);
            trial.lag = Some(lags.figures(1_234, 5_000_000));
            let outcome = Outcome::Measured(Box::new(trial));
            report.trials.push(Tried { case: case(1), target: own.clone(), round, outcome });
        }
    }
    let text = table(&report, false);
    for name in ["ours + follower", "theirs + follower"] {
        let row = text.lines().find(|line| line.contains(name)).unwrap();
        for word in ["0.50× (0.50–0.50)", "50.0 ms", "99.0 ms", "100 ms", "1,234", "5.00 ms"] {
            assert!(row.contains(word), "no {word} in {row}");
        }
        assert!(row.contains("50.0 ms, 100 ms"), "the first half and the second: {row}");
    }
    assert!(text.contains("ours + follower to ours, theirs + follower to theirs"), "{text}");
    assert_eq!(serde_json::from_str::<Report>(&report.to_json()).unwrap(), report);
}
