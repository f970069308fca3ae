//! What people see.

use super::*;
use crate::example::Example;
use crate::report::Outcome;

#[test]
fn a_table_has_all_targets_with_their_ratios() {
    let text = table(&Example::default().report(), false);
    assert!(text.contains("ycsb-a  50 % reads, 50 % updates, zipfian"), "{text}");
    assert!(text.contains("1,000 records of 100 B · 1 thread · closed loop"), "{text}");
    let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(line("sqlite ").contains(" 1.00×"), "{text}");
    let ours = line("memory ");
    assert!(["2.9", "3.0", "3.1"].iter().any(|r| ours.contains(&format!(" {r}"))), "{text}");
    assert!(ours.contains("██████████") && !line("sqlite ").contains("████"), "{text}");
    assert!(!text.contains('\x1b'), "no colours unless asked for");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
}

#[test]
fn columns_are_aligned_with_colours_and_without() {
    let report = Example::default().report();
    let (plain, colored) = (table(&report, false), table(&report, true));
    assert!(colored.contains("\x1b[32m"), "a certain gain is green");
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        stripped += before;
        rest = after.split_once('m').unwrap().1;
    }
    stripped += rest;
    assert_eq!(stripped, plain);
}

#[test]
fn noise_failures_and_who_cannot_keep_up_are_said() {
    let targets = vec![("sqlite", 1.0), ("memory", 1.0), ("tape", 1.0)];
    let mut report = Example { targets, ..Example::default() }.report();
    for tried in &mut report.trials {
        match (&*tried.target, &mut tried.outcome) {
            ("tape", outcome) => *outcome = Outcome::Failed("the tape tore".to_owned()),
            ("memory", Outcome::Measured(measured)) => measured.unstarted = measured.ops,
            _ => {}
        }
    }
    let text = table(&report, false);
    assert!(text.contains("×~"), "{text}");
    assert!(text.contains("tape: failed: the tape tore"), "{text}");
    assert!(text.contains("memory could not keep up: 50.0 %"), "{text}");
}

#[test]
fn a_comparison_says_what_changed_and_what_did_not() {
    let a = Example::default().report();
    let targets = vec![("sqlite", 1.0), ("memory", 2.0)];
    let b = Example { targets, seed: 2, ..Example::default() }.report();
    let text = comparison(&Comparison::of(&a, &b).unwrap(), false);
    assert!(text.contains("ycsb-a on sqlite: no difference beyond noise"), "{text}");
    assert!(text.contains("ycsb-a on memory\n  throughput"), "{text}");
    assert!(text.contains("worse") && text.contains("between -3"), "{text}");
    assert!(text.contains("otherwise no difference beyond noise"), "{text}");
}
