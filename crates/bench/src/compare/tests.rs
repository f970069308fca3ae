//! Verdicts on reports that nobody measured.

use super::*;
use crate::example::Example;

fn row<'c>(comparison: &'c Comparison, workload: &str, target: &str, metric: &str) -> &'c Compared {
    let mut rows = comparison.rows.iter();
    rows.find(|r| r.workload == workload && r.target == target && r.metric == metric).unwrap()
}

fn with_memory(speed: f64, seed: u64) -> Report {
    let targets = vec![("sqlite", 1.0), ("memory", speed)];
    Example { targets, seed, ..Example::default() }.report()
}

#[test]
fn what_did_not_change_is_the_same() {
    let comparison = Comparison::of(&with_memory(3.0, 1), &with_memory(3.0, 2)).unwrap();
    assert_eq!(comparison.rows.len(), 2 * 2 * METRICS.len());
    for row in &comparison.rows {
        assert_eq!(row.verdict, Verdict::Same, "{row:?}");
        assert_eq!(row.worse_percent(), 0.0);
    }
    assert_eq!(comparison.failures(0.0).count(), 0);
    assert_eq!(comparison.remarks, Vec::<String>::new());
}

#[test]
fn a_slower_target_is_worse_and_only_it() {
    let comparison = Comparison::of(&with_memory(3.0, 1), &with_memory(2.4, 2)).unwrap();
    let throughput = row(&comparison, "ycsb-a", "memory", "throughput");
    assert_eq!(throughput.verdict, Verdict::Worse);
    assert!((throughput.change_percent() + 20.0).abs() < 3.0, "{throughput:?}");
    assert!((15.0..20.5).contains(&throughput.worse_percent()), "{throughput:?}");
    assert_eq!(row(&comparison, "ycsb-a", "memory", "CPU per op").verdict, Verdict::Worse);
    assert_eq!(row(&comparison, "ycsb-a", "memory", "disk").verdict, Verdict::Better);
    assert_eq!(row(&comparison, "ycsb-a", "sqlite", "throughput").verdict, Verdict::Same);
    assert!(comparison.failures(10.0).all(|failure| failure.target == "memory"));
    assert!(comparison.failures(10.0).count() >= 2);
    assert_eq!(comparison.failures(50.0).count(), 0);
}

#[test]
fn a_faster_target_is_better_and_fails_nothing() {
    let comparison = Comparison::of(&with_memory(3.0, 1), &with_memory(6.0, 2)).unwrap();
    let throughput = row(&comparison, "ycsb-a", "memory", "throughput");
    assert_eq!((throughput.verdict, throughput.worse_percent()), (Verdict::Better, 0.0));
    let failed: Vec<&str> = comparison.failures(5.0).map(|failure| failure.metric).collect();
    assert_eq!(failed, ["disk", "disk"], "twice the speed is twice the disk in this example");
}

#[test]
fn few_repetitions_say_so() {
    let few = |seed| Example { repeat: 3, seed, ..Example::default() }.report();
    let comparison = Comparison::of(&few(1), &few(2)).unwrap();
    assert!(comparison.rows.iter().all(|row| row.verdict == Verdict::TooFew));
    assert!(comparison.remarks.iter().any(|r| r.contains("--repeat 5")), "{comparison:?}");
    assert_eq!(comparison.failures(0.0).count(), 0);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let base = Example::default();
    let larger = Example::default();
    let mut asked = larger.asked.clone();
    asked.records = 2000;
    let larger = Example { asked, ..larger };
    let error = Comparison::of(&base.report(), &larger.report()).unwrap_err().to_string();
    assert!(error.contains("ycsb-a was run with 1000 records in the first and 2000"), "{error}");

    let mut asked = base.asked.clone();
    asked.rate = Some(500.0);
    let open = Example { asked, ..Example::default() };
    let error = Comparison::of(&base.report(), &open.report()).unwrap_err().to_string();
    assert!(error.contains("500 operations a second"), "{error}");

    let other = Example { workloads: vec!["ycsb-c"], ..Example::default() };
    let error = Comparison::of(&base.report(), &other.report()).unwrap_err().to_string();
    assert!(error.contains("no workload in common"), "{error}");

    let other = Example { targets: vec![("tape", 1.0)], ..Example::default() };
    let error = Comparison::of(&base.report(), &other.report()).unwrap_err().to_string();
    assert!(error.contains("no target in common") && error.contains("tape"), "{error}");
}

#[test]
fn what_only_one_has_and_other_machines_are_remarked() {
    let mut a = Example::default().report();
    let b = Example { targets: vec![("memory", 3.0)], ..Example::default() }.report();
    a.machine.cpu = "A slow one".to_owned();
    let comparison = Comparison::of(&a, &b).unwrap();
    let remarks = comparison.remarks.join("\n");
    assert!(remarks.contains("only the first report has sqlite"), "{remarks}");
    assert!(remarks.contains("processor: A slow one and A <fast>"), "{remarks}");
}
