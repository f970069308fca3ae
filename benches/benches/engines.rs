//! What the engines' own operations cost, for each backend of this build.
//! `HOZO_BENCH_BACKENDS=a,b` chooses among them, `HOZO_BENCH_DIR` the disk.

use std::hint::black_box;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use hozo::traits::exec::block_on;
use hozo::traits::{Durability, ErrorKind, KvScan, KvStoreExt as _};
use hozo_benches::Scratch;
use hozo_benches::engines::{PAGES, Pages, backends, fill, key, open};

/// How deep the old version of a page lies that is compared with the head.
const DEPTH: u64 = 10_000;
/// Records that are there before.
const RECORDS: u64 = 100_000;
/// Bytes of small values and of large ones.
const VALUES: [usize; 2] = [8, 1024];
/// Records that a scan answers.
const SCAN: usize = 100;

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let scratch = Scratch::new();
    for durability in [Durability::Sequenced, Durability::Durable] {
        commits(&mut criterion, &scratch, durability);
    }
    reads(&mut criterion, &scratch);
    for bytes in VALUES {
        records(&mut criterion, &scratch, bytes);
    }
    criterion.final_summary();
}

/// A commit of one page of which eight bytes changed.
fn commits(criterion: &mut Criterion, scratch: &Scratch, durability: Durability) {
    let name = match durability {
        Durability::Sequenced => "page_commit_sequenced",
        Durability::Durable => "page_commit_durable",
    };
    let mut group = criterion.benchmark_group(name);
    for backend in backends() {
        let subject = open(&backend, &scratch.directory());
        let Some(store) = there(subject.pages()) else { continue };
        let mut pages = Pages::new(store);
        let mut page = 0;
        group.bench_function(&backend, |b| {
            b.iter(|| {
                page = page % PAGES + 1;
                pages.change(page, durability)
            })
        });
    }
    group.finish();
}

/// A page at the head, and as it was many versions before.
fn reads(criterion: &mut Criterion, scratch: &Scratch) {
    let mut group = criterion.benchmark_group("page_read");
    for backend in backends() {
        let subject = open(&backend, &scratch.directory());
        let Some(store) = there(subject.pages()) else { continue };
        let mut pages = Pages::new(store);
        let first = pages.change(1, Durability::Sequenced);
        let mut head = first;
        for _ in 0..DEPTH {
            head = pages.change(1, Durability::Sequenced);
        }
        pages.change(2, Durability::Durable);
        for (name, at) in [("head", head), ("deep", first)] {
            group.bench_function(format!("{backend}/{name}"), |b| {
                b.iter(|| black_box(pages.read(1, at)))
            });
        }
    }
    group.finish();
}

/// The operations on one record, and a scan.
fn records(criterion: &mut Criterion, scratch: &Scratch, value_bytes: usize) {
    let mut group = criterion.benchmark_group(format!("record_{value_bytes}"));
    for backend in backends() {
        let subject = open(&backend, &scratch.directory());
        let Some(store) = there(subject.records()) else { continue };
        fill(&*store, RECORDS, value_bytes);
        let value = Bytes::from(vec![b'w'; value_bytes]);
        // Far from each other, so that it is not always the same part of the store.
        let mut number = 0;
        let mut next = move || {
            number = (number + 7_919) % RECORDS;
            key(number)
        };
        each(&mut group, &backend, "get", || {
            let found = block_on(store.get(&next())).unwrap();
            assert!(black_box(found).is_some());
        });
        each(&mut group, &backend, "set", || {
            block_on(store.set(next(), value.clone(), true, Durability::Sequenced)).unwrap();
        });
        each(&mut group, &backend, "append", || {
            block_on(store.append(next(), Bytes::new(), b"", Durability::Sequenced)).unwrap();
        });
        let mut fresh = RECORDS;
        each(&mut group, &backend, "insert_and_remove", || {
            fresh += 1;
            block_on(store.set(key(fresh), value.clone(), false, Durability::Sequenced)).unwrap();
            block_on(store.remove(key(fresh), Durability::Sequenced)).unwrap();
        });
        each(&mut group, &backend, "scan_100", || {
            let start = next();
            let scan = KvScan {
                start: Bound::Included(&start),
                end: Bound::Unbounded,
                reverse: false,
                limit: SCAN,
                bytes_max: usize::MAX,
                values: true,
            };
            black_box(block_on(store.scan(scan)).unwrap());
        });
    }
    group.finish();
}

fn each(
    group: &mut BenchmarkGroup<'_, WallTime>,
    backend: &str,
    name: &str,
    mut operation: impl FnMut(),
) {
    group.bench_function(format!("{backend}/{name}"), |b| b.iter(&mut operation));
}

/// What a store has; `None` if it has no such thing.
fn there<T>(found: hozo::traits::Result<T>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(e) if e.kind() == ErrorKind::Unsupported => None,
        Err(e) => panic!("{e}"),
    }
}
