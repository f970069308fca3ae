//! Stores that are deliberately broken, under the concurrent workloads.

use std::sync::Arc;

use hozo_traits::{Ambient, PageStore};
use tempfile::TempDir;

use crate::checker::{Anomaly, Drive, Guarding, Setup, Violation, bank, list_append};
use crate::flaws::{Flaw, FlawedFixture};
use crate::{Fixture, TestAmbient};

/// Another seed is tried so often before a flaw counts as not seen: what is
/// wrong only between two threads need not show in every run.
const TRIES: u64 = 5;

type Workload = fn(&Arc<dyn PageStore>, &Arc<dyn Ambient>, &Setup) -> Result<(), Violation>;

const WORKLOADS: [(&str, Workload); 2] = [
    ("bank", |store, ambient, setup| bank(store, ambient, setup).map(drop)),
    ("list_append", |store, ambient, setup| list_append(store, ambient, setup).map(drop)),
];

fn run(flaw: Flaw, workload: Workload, setup: &Setup) -> Result<(), Violation> {
    let dir = TempDir::with_prefix("hozo-checker-").expect("a scratch directory");
    let ambient: Arc<dyn Ambient> = Arc::new(TestAmbient::new(setup.seed));
    let fixture = FlawedFixture::new(flaw);
    let store = fixture.open(dir.path(), ambient.clone()).expect("the model opens");
    workload(&store, &ambient, setup)
}

/// What the workloads see of a flaw, with commits guarded in one way.
fn seen(flaw: Flaw, guarding: Guarding, namespaces: usize) -> Vec<(&'static str, Drive, Anomaly)> {
    let mut seen = Vec::new();
    for (name, workload) in WORKLOADS {
        for drive in [Drive::Threads, Drive::Polled] {
            let violation = (1..=TRIES).find_map(|seed| {
                let setup =
                    Setup { workers: 6, transactions: 60, namespaces, guarding, drive, seed };
                let violation = run(flaw, workload, &setup).err();
                violation.filter(|v| v.anomaly != Anomaly::Inconclusive)
            });
            seen.extend(violation.map(|v| (name, drive, v.anomaly)));
        }
    }
    seen
}

/// That either workload sees the flaw, however its clients run.
#[track_caller]
fn expect_seen(flaw: Flaw, guarding: Guarding, namespaces: usize) {
    let found = seen(flaw, guarding, namespaces);
    assert_eq!(found.len(), 4, "{flaw:?} under {guarding:?} was seen by {found:?} only");
}

#[test]
fn the_right_store_is_accepted() {
    for guarding in [Guarding::Pages, Guarding::Namespaces] {
        for namespaces in [1, 2] {
            for (name, workload) in WORKLOADS {
                for drive in [Drive::Threads, Drive::Polled] {
                    let (workers, transactions, seed) = (6, 80, 3);
                    let setup = Setup { workers, transactions, namespaces, guarding, drive, seed };
                    if let Err(violation) = run(Flaw::None, workload, &setup) {
                        panic!("{name} {setup:?}: {violation}");
                    }
                }
            }
        }
    }
}

#[test]
fn page_conditions_that_are_ignored() {
    expect_seen(Flaw::IgnoresPages, Guarding::Pages, 1);
}

#[test]
fn namespace_conditions_that_are_ignored() {
    expect_seen(Flaw::IgnoresNamespaces, Guarding::Namespaces, 1);
}

#[test]
fn conditions_of_the_second_namespace_that_are_ignored() {
    expect_seen(Flaw::IgnoresTheSecondNamespace, Guarding::Pages, 2);
    expect_seen(Flaw::IgnoresTheSecondNamespace, Guarding::Namespaces, 2);
}

#[test]
fn conditions_judged_against_the_durable_state() {
    expect_seen(Flaw::JudgesTheDurable, Guarding::Pages, 1);
    expect_seen(Flaw::JudgesTheDurable, Guarding::Namespaces, 2);
}

#[test]
fn conditions_judged_before_the_commit() {
    expect_seen(Flaw::JudgesTooEarly, Guarding::Pages, 1);
    expect_seen(Flaw::JudgesTooEarly, Guarding::Namespaces, 2);
}

#[test]
fn one_namespace_before_the_other() {
    expect_seen(Flaw::SplitsNamespaces, Guarding::Pages, 2);
    expect_seen(Flaw::SplitsNamespaces, Guarding::Namespaces, 2);
}

#[test]
fn a_commit_that_is_lost() {
    expect_seen(Flaw::LosesWrites, Guarding::Pages, 1);
    expect_seen(Flaw::LosesWrites, Guarding::Namespaces, 2);
}

#[test]
fn writes_that_are_seen_and_taken_back() {
    expect_seen(Flaw::ShowsUncommitted, Guarding::Pages, 1);
    expect_seen(Flaw::ShowsUncommitted, Guarding::Namespaces, 2);
}

#[test]
fn reads_of_two_versions() {
    expect_seen(Flaw::ReadsFractured, Guarding::Pages, 1);
}

#[test]
fn a_commit_id_that_happens_twice() {
    expect_seen(Flaw::RunsTwice, Guarding::Pages, 1);
}

#[test]
fn a_head_that_lags_is_not_linearizable() {
    let found = seen(Flaw::WatermarksAreLate, Guarding::Pages, 1);
    let lists = found.iter().filter(|(name, _, _)| *name == "list_append").count();
    assert_eq!(lists, 2, "{found:?}");
}
