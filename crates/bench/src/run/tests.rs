//! Whole runs, with trials of the tests' own and with real ones.

use hozo::Registry;
use hozo::traits::SystemAmbient;

use super::*;
use crate::clock::SystemClock;
use crate::example::Example;

fn run_of(targets: &[&str], workloads: &[&str], repeat: u32, dir: &Path) -> Run {
    let registry = Registry::builtin();
    let target = |name: &&str| match *name {
        "sqlite" => Target::yardstick(),
        name => Target::of_backend(name, &registry).unwrap(),
    };
    let mut settings = Example { repeat, ..Example::default() }.report().settings;
    (settings.seconds, settings.warm_up_seconds) = (0.05, 0.01);
    Run {
        targets: targets.iter().map(target).collect(),
        workloads: Workload::named(workloads).unwrap(),
        settings,
        dir: dir.to_owned(),
    }
}

#[test]
fn everyone_is_first_as_often() {
    let dir = tempfile::tempdir().unwrap();
    let run =
        run_of(&["memory", "sqlite"], &["sqlite-point", "ycsb-a", "travel-deep"], 4, dir.path());
    let turns: Vec<(&str, &str, u32)> = run
        .turns()
        .iter()
        .map(|turn| (turn.workload.name, &*turn.target.name, turn.repetition))
        .collect();
    assert_eq!(
        turns[..4],
        [
            ("ycsb-a", "memory", 0),
            ("sqlite-point", "memory", 0),
            ("sqlite-point", "sqlite", 0),
            ("travel-deep", "memory", 0)
        ]
    );
    let firsts: Vec<&str> = turns
        .chunks(4)
        .map(|repetition| repetition.iter().find(|t| t.0 == "sqlite-point").unwrap().1)
        .collect();
    assert_eq!(firsts, ["memory", "sqlite", "memory", "sqlite"]);
}

fn nobody(_: At<'_>) {}

#[test]
fn a_failure_is_reported_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_of(&["memory", "sqlite"], &["sqlite-point"], 2, dir.path());
    let mut seeds = Vec::new();
    let mut launch = |trial: &Trial, progress: &mut dyn FnMut(Phase, f64)| {
        seeds.push(trial.seed);
        assert!(trial.dir.is_dir());
        progress(Phase::Run, 1.0);
        match &trial.source {
            Source::PlainFile => Err(Error::new(ErrorKind::Unavailable, "no disk")),
            _ => {
                let report = Example::default().report();
                Ok(report.measured("ycsb-a", "memory")[0].clone())
            }
        }
    };
    let mut fractions = Vec::new();
    let report = run
        .run(
            &SystemClock::new(),
            &SystemAmbient,
            &mut launch,
            &mut |at| fractions.push(at.fraction()),
            &|| false,
        )
        .unwrap();
    assert_eq!(report.measured("sqlite-point", "memory").len(), 2);
    let (why, failed) = report.why_not("sqlite-point", "sqlite").unwrap();
    assert!(failed && why.contains("no disk"), "{why}");
    assert!(fractions.is_sorted() && fractions.last() == Some(&1.0), "{fractions:?}");
    assert_eq!((seeds[0], seeds[2]), (seeds[1], seeds[3]), "all targets do the same");
    assert_ne!(seeds[0], seeds[2]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing stays behind");
}

#[test]
fn who_stops_gets_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_of(&["memory"], &["sqlite-point"], 5, dir.path());
    let made = std::cell::Cell::new(0);
    let mut launch = |_: &Trial, _: &mut dyn FnMut(Phase, f64)| {
        made.set(made.get() + 1);
        match made.get() {
            3 => Err(Error::new(ErrorKind::Unavailable, "interrupted")),
            _ => Ok(Example::default().report().measured("ycsb-a", "memory")[0].clone()),
        }
    };
    let stop = || made.get() >= 3;
    let report =
        run.run(&SystemClock::new(), &SystemAmbient, &mut launch, &mut nobody, &stop).unwrap();
    assert_eq!((report.trials.len(), made.get()), (2, 3), "what was interrupted is left out");
}

#[test]
fn nothing_to_measure_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_of(&["sqlite"], &["ycsb", "travel-deep"], 1, dir.path());
    let mut launch = |_: &Trial, _: &mut dyn FnMut(Phase, f64)| unreachable!();
    let ran = run.run(&SystemClock::new(), &SystemAmbient, &mut launch, &mut nobody, &|| false);
    assert!(ran.unwrap_err().to_string().contains("nothing is to be measured"));
}

#[test]
fn every_workload_finds_what_it_expects() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_of(&["memory", "sqlite"], &["all"], 1, dir.path());
    let registry = Registry::builtin();
    let mut launch =
        |trial: &Trial, progress: &mut dyn FnMut(Phase, f64)| trial.run(&registry, progress);
    let report =
        run.run(&SystemClock::new(), &SystemAmbient, &mut launch, &mut nobody, &|| false).unwrap();
    assert_eq!(report.trials.len(), 6 + 15);
    for tried in &report.trials {
        let Outcome::Measured(measured) = &tried.outcome else { panic!("{tried:?}") };
        assert!(measured.ops > 0 && measured.throughput > 0.0, "{tried:?}");
        assert!(measured.latency.all.count == measured.ops, "{tried:?}");
        assert!(measured.cpu_ns_per_op > 0.0 && measured.peak_bytes > Some(0), "{tried:?}");
        assert_eq!(measured.disk_bytes.is_some(), tried.target == "sqlite");
    }
}
