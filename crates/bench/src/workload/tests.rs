//! YCSB over a double that counts, and the list of workloads.

mod double;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo::traits::KvStore;

use self::double::Double;
use super::*;
use crate::clock::SystemClock;
use crate::driver::{Load, drive};
use crate::example::Example;
use crate::latency::Op;

const SEED: u64 = 20_261_122;
const RECORDS: u64 = 1_000;
const STEPS: u64 = 4_000;

fn parameters(name: &str) -> Parameters {
    let mut asked = Example::default().asked;
    asked.records = RECORDS;
    Workload::find(name).unwrap().parameters(&asked)
}

fn records(name: &str, store: &Arc<Double>) -> Result<Records> {
    let What::Ycsb(mix) = Workload::find(name).unwrap().what else { panic!("not on records") };
    let store: Arc<dyn KvStore> = store.clone();
    Records::load(store, mix, &parameters(name), SEED, &mut |_| ())
}

/// Runs a workload and counts its operations, in percent.
fn percents(name: &str, store: &Arc<Double>) -> [(Op, f64); 5] {
    let bed = records(name, store).unwrap();
    let mut worker = bed.worker(0).unwrap();
    let mut counts =
        [Op::Read, Op::Update, Op::Insert, Op::Scan, Op::ReadModifyWrite].map(|op| (op, 0.0));
    for _ in 0..STEPS {
        let step = worker.step().unwrap();
        let (_, count) = counts.iter_mut().find(|(op, _)| *op == step.op).unwrap();
        *count += 100.0 / STEPS as f64;
    }
    counts
}

#[test]
fn mixes_are_those_of_ycsb() {
    for (name, wanted) in [
        ("ycsb-a", [50.0, 50.0, 0.0, 0.0, 0.0]),
        ("ycsb-b", [95.0, 5.0, 0.0, 0.0, 0.0]),
        ("ycsb-c", [100.0, 0.0, 0.0, 0.0, 0.0]),
        ("ycsb-d", [95.0, 0.0, 5.0, 0.0, 0.0]),
        ("ycsb-e", [0.0, 0.0, 5.0, 95.0, 0.0]),
        ("ycsb-f", [50.0, 0.0, 0.0, 0.0, 50.0]),
    ] {
        let store = Arc::new(Double::default());
        let found = percents(name, &store);
        for ((op, found), wanted) in found.iter().zip(wanted) {
            let exact = wanted == 0.0 || wanted == 100.0;
            let near = if exact { 1e-6 } else { 3.0 };
            assert!((found - wanted).abs() < near, "{name}: {op:?} {found} % instead of {wanted}");
        }
        let inserted = found[2].1 / 100.0 * STEPS as f64;
        assert_eq!(store.len() as u64, RECORDS + inserted.round() as u64, "{name}");
    }
}

#[test]
fn keys_are_those_of_ycsb_and_values_as_long_as_asked() {
    let store = Arc::new(Double::default());
    records("ycsb-c", &store).unwrap();
    assert!(store.has("user6284781860667377211"), "the first record");
    assert_eq!(store.value_bytes(), 100 * RECORDS as usize);
}

#[test]
fn the_same_seed_does_the_same() {
    let run = |seed| {
        let store = Arc::new(Double::default());
        let mut bed = records("ycsb-a", &store).unwrap();
        bed.seed = seed;
        let mut worker = bed.worker(0).unwrap();
        (0..100).for_each(|_| assert_eq!(worker.step().unwrap().retries, 0));
        store.content()
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

#[test]
fn durability_is_as_asked() {
    let store = Arc::new(Double::default());
    let mut bed = records("ycsb-a", &store).unwrap();
    let steps = |bed: &Records| {
        let mut worker = bed.worker(0).unwrap();
        (0..100).for_each(|_| assert_eq!(worker.step().unwrap().retries, 0));
        store.durable.swap(0, Ordering::Relaxed)
    };
    assert_eq!(steps(&bed), 0);
    bed.parameters.durable = Some(true);
    assert!(steps(&bed) > 20);
}

#[test]
fn threads_insert_side_by_side() {
    let store = Arc::new(Double::default());
    let bed = records("ycsb-d", &store).unwrap();
    let load = Load { threads: 4, rate: None, warm_up_nanos: 0, nanos: 50_000_000 };
    let driven =
        drive(&SystemClock::new(), load, &|thread| bed.worker(thread), &mut |_| ()).unwrap();
    let latency = driven.recorder.latency();
    let inserts = latency.by_op.get(&Op::Insert).map_or(0, |quantiles| quantiles.count);
    assert_eq!(store.len() as u64, RECORDS + inserts);
}

#[test]
fn a_store_that_loses_records_is_found_out() {
    let store = Arc::new(Double::default());
    let bed = records("ycsb-c", &store).unwrap();
    store.lose_all();
    let error = bed.worker(0).unwrap().step().unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");
}

#[test]
fn who_cannot_scan_in_order_says_so() {
    let store = Arc::new(Double::unordered());
    let error = records("ycsb-e", &store).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("ordered"), "{error}");
    assert!(records("ycsb-a", &store).is_ok());
}

#[test]
fn workloads_are_found_by_name_and_by_group() {
    let names = |asked: &[&str]| -> Vec<&str> {
        Workload::named(asked).unwrap().iter().map(|workload| workload.name).collect()
    };
    assert_eq!(names(&["ycsb-b", "ycsb-a", "ycsb-b"]), ["ycsb-a", "ycsb-b"]);
    assert_eq!(names(&["travel"]), ["travel-head", "travel-deep"]);
    assert_eq!(names(&["all"]).len(), WORKLOADS.len());
    let error = Workload::named(&["ycsb-z"]).unwrap_err().to_string();
    assert!(error.contains("no workload `ycsb-z`; did you mean `ycsb-"), "{error}");
    assert!(Workload::named(&[""]).is_err() && Workload::named(&["sqlite-"]).is_err());
}

#[test]
fn what_a_workload_is_about_cannot_be_changed() {
    let asked = Asked { threads: Some(3), ..Example::default().asked };
    let threads = |name| Workload::find(name).unwrap().parameters(&asked).threads;
    assert_eq!((threads("sqlite-commit-1"), threads("sqlite-commit-8")), (1, 8));
    assert_eq!((threads("sqlite-point"), threads("ycsb-a")), (3, 3));
}
