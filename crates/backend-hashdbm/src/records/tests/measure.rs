//! What the hot paths cost. Not run with the others: it says nothing that a
//! machine could judge.
//!
//! `cargo test --release -p hozo-backend-hashdbm records::tests::measure -- --ignored --nocapture`

use std::sync::Arc;
use std::time::Instant;

use hozo_log::disk::RealDisk;
use hozo_traits::SystemAmbient;

use crate::records::{Records, RecordsOptions, SyncMode};

const RECORDS: u64 = 1_000_000;

fn mixed(n: u64) -> u64 {
    // A permutation: keys in no order.
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ n >> 29
}

/// Processor time of the process in seconds; the system counts hundredths.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = &stat[stat.rfind(')').unwrap()..];
    let ticks = after_name.split_whitespace().skip(12).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    println!("    anon {} MB, file {} MB", line("RssAnon"), line("RssFile"));
    line("VmRSS")
}

fn time(what: &str, threads: u64, records: u64, work: impl Fn(u64) + Sync) {
    let (begin, used) = (Instant::now(), cpu());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || (thread..records).step_by(threads as usize).for_each(work));
        }
    });
    let (wall, used) = (begin.elapsed().as_secs_f64(), cpu() - used);
    let per = |seconds: f64| seconds * 1e9 / records as f64;
    println!("{what:9} {threads} threads: {:6.0} ns wall, {:6.0} ns cpu", per(wall), per(used));
}

fn run(threads: u64, records: u64, value_bytes: usize) {
    println!("-- {threads} threads, {records} records, values of {value_bytes} bytes");
    let dir =
        tempfile::tempdir_in(std::env::var("HOZO_MEASURE_DIR").unwrap_or("/tmp".into())).unwrap();
    let disk = Arc::new(RealDisk::open(dir.path()).unwrap());
    let options = RecordsOptions { sync: SyncMode::System, ..RecordsOptions::default() };
    let dbm = Records::open(disk, options, &SystemAmbient).unwrap();
    let value = vec![b'v'; value_bytes];
    time("set", threads, records, |n| {
        dbm.set(&mixed(n).to_be_bytes(), &value).unwrap();
    });
    println!("    rss {} MB", rss_mb());
    time("get", threads, records, |n| {
        let len = dbm.get(&mixed(n * 7 % records).to_be_bytes(), <[u8]>::len).unwrap();
        assert_eq!(len, Some(value_bytes));
    });
    time("get miss", threads, records, |n| {
        assert!(dbm.get(&mixed(n + records).to_be_bytes(), <[u8]>::len).unwrap().is_none());
    });
    let seen = std::sync::atomic::AtomicU64::new(0);
    let (begin, used) = (Instant::now(), cpu());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut count = 0;
                dbm.for_each(|_, value| {
                    count += 1;
                    value.len() == value_bytes
                })
                .unwrap();
                seen.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
            });
        }
    });
    assert_eq!(seen.into_inner(), records * threads);
    let per = |seconds: f64| seconds * 1e9 / (records * threads) as f64;
    println!(
        "iterate   {threads} threads: {:6.0} ns wall, {:6.0} ns cpu",
        per(begin.elapsed().as_secs_f64()),
        per(cpu() - used)
    );
    time("overwrite", threads, records, |n| {
        assert!(dbm.set(&mixed(n * 7 % records).to_be_bytes(), &value).unwrap());
    });
    println!("    rss {} MB, log {} MB", rss_mb(), dbm.volume.log_bytes() >> 20);
    time("remove", threads, records, |n| {
        assert!(dbm.remove(&mixed(n * 11 % records).to_be_bytes()).unwrap());
    });
    assert_eq!(dbm.count(), 0);
    println!("    rss {} MB", rss_mb());
}

#[test]
#[ignore = "measures, and judges nothing"]
fn measure() {
    for value_bytes in [8, 1024] {
        for threads in [1, 2] {
            let records = if value_bytes == 8 { RECORDS } else { RECORDS / 4 };
            run(threads, records, value_bytes);
        }
    }
}
