//! What the log costs. Not run with the tests; it asserts nothing:
//!
//! ```text
//! cargo test --release -p hozo-log measure -- --ignored --nocapture --test-threads=1
//! ```

use std::time::Instant;

use super::*;
use crate::disk::RealDisk;

const RECORDS: u64 = 5_000_000;

fn log(segment_bytes: u64) -> (tempfile::TempDir, Arc<Log>) {
    let base = std::env::var_os("HOZO_MEASURE_DIR").unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(base).expect("a directory");
    let disk = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let log = Log::create(disk, LogOptions { segment_bytes, volume_id: 42 }).expect("a log");
    (dir, Arc::new(log))
}

/// What the clock and this thread's processor time say since it was made.
struct Since(Instant, f64);

impl Since {
    fn new() -> Since {
        Since(Instant::now(), on_cpu())
    }

    fn report(&self, what: &str, count: u64) {
        let (cpu, wall) = (on_cpu() - self.1, self.0.elapsed().as_nanos() as f64);
        let count = count as f64;
        println!(
            "{what:<40} {:>9.1} ns wall {:>9.1} ns on the processor",
            wall / count,
            cpu / count
        );
    }
}

/// Nanoseconds that this thread was on a processor.
fn on_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number")
}

#[test]
#[ignore = "measures"]
fn measure_appends_and_reads() {
    for round in 0..3 {
        let (_dir, log) = log(64 << 20);
        let mut positions = Vec::with_capacity(RECORDS as usize);
        let since = Since::new();
        for i in 0..RECORDS {
            let key = i.to_le_bytes();
            positions.push(log.append(2, &key, &key).expect("appended"));
        }
        since.report("append 8+8, one thread", RECORDS);
        let since = Since::new();
        let mut sum = 0u64;
        for position in &positions {
            sum = sum.wrapping_add(u64::from(log.read(*position).expect("read").value[0]));
        }
        since.report("read 8+8, in order", RECORDS);
        let since = Since::new();
        for _ in 0..100 {
            for position in &positions[..RECORDS as usize / 100] {
                sum = sum.wrapping_add(u64::from(log.read(*position).expect("read").value[0]));
            }
        }
        since.report("read 8+8, warm", RECORDS);
        std::hint::black_box(sum);
        if round > 0 {
            let since = Instant::now();
            log.sync().expect("synced");
            println!("sync of all: {:?}", since.elapsed());
        }
    }
    let (_dir, log) = log(64 << 20);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let since = Since::new();
                for i in 0..RECORDS {
                    let key = i.to_le_bytes();
                    log.append(2, &key, &key).expect("appended");
                }
                since.report("append 8+8, each of two threads", RECORDS);
            });
        }
    });
    let value = vec![1; 1024];
    let since = Since::new();
    for i in 0..200_000u64 {
        log.append(2, &i.to_le_bytes(), &value).expect("appended");
    }
    since.report("append 8+1024, one thread", 200_000);
    let value = vec![1; 1 << 20];
    let since = Since::new();
    for i in 0..200u64 {
        log.append(2, &i.to_le_bytes(), &value).expect("appended");
    }
    since.report("append 8+1 MiB, one thread", 200);
}

#[test]
#[ignore = "measures"]
fn measure_durable_commits() {
    for ahead in [false, true] {
        let (_dir, log) = log(64 << 20);
        let mut each = Vec::new();
        for i in 0..5000u64 {
            if ahead {
                log.prepare_ahead().expect("prepared");
            }
            let since = Instant::now();
            log.append(2, &i.to_le_bytes(), &[0; 80]).expect("appended");
            log.sync().expect("synced");
            each.push(since.elapsed());
        }
        each.sort();
        println!(
            "commit, ahead {ahead}: p1 {:?} p10 {:?} p50 {:?} p99 {:?} max {:?}",
            each[50], each[500], each[2500], each[4950], each[4999]
        );
    }
}
