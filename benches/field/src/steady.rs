//! Overwriting for ever: what one set takes at worst while an engine cleans up
//! behind it, and what it lets its files grow to.

use std::path::Path;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::peers::{Failure, KINDS};
use crate::phases::{disk, key_of};

/// What to measure.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) engine: String,
    pub(crate) records: u64,
    pub(crate) value_bytes: usize,
    /// How often each record is overwritten, on average.
    pub(crate) times: u64,
}

/// What was measured.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) task: Task,
    /// Nanoseconds from the first set to the last, over the sets.
    pub(crate) mean_ns: f64,
    /// Nanoseconds that so many percent of the sets took at most.
    pub(crate) percentiles_ns: Vec<(f64, u64)>,
    /// The largest size of the files on the way, over the bytes of keys and
    /// values.
    pub(crate) amplification_max: f64,
    /// The size at the end, two seconds later.
    pub(crate) amplification_end: f64,
}

/// The percentiles that are told.
pub(crate) const PERCENTILES: [f64; 5] = [50.0, 99.0, 99.9, 99.99, 100.0];
/// How often the files are measured.
const SAMPLES: u64 = 200;

pub(crate) fn measure(task: &Task, dir: &Path) -> Result<Measured, Failure> {
    let kind = KINDS.iter().find(|kind| kind.name == task.engine).ok_or("no such engine")?;
    let dir = tempfile::Builder::new().prefix("hozo-field-").tempdir_in(dir)?;
    let value = vec![b'0'; task.value_bytes];
    let peer = (kind.open)(dir.path(), task.records)?;
    for i in 0..task.records {
        peer.set(&key_of(i), &value)?;
    }
    let live = (task.records * (8 + task.value_bytes as u64)) as f64;
    let sets = task.records * task.times;
    let mut taken = Histogram::<u64>::new(3)?;
    let mut at = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes_max = 0;
    let start = Instant::now();
    let mut outside = 0.0;
    for i in 0..sets {
        // xorshift64: the same numbers for every engine.
        at ^= at << 13;
        at ^= at >> 7;
        at ^= at << 17;
        let key = key_of(at % task.records);
        let before = Instant::now();
        peer.set(&key, &value)?;
        taken.record(u64::try_from(before.elapsed().as_nanos())?)?;
        if i % (sets / SAMPLES).max(1) == 0 {
            let before = Instant::now();
            bytes_max = bytes_max.max(disk(dir.path())?);
            outside += before.elapsed().as_nanos() as f64;
        }
    }
    let mean_ns = (start.elapsed().as_nanos() as f64 - outside) / sets as f64;
    // What goes on behind the writer's back has time to come to its end.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let bytes_end = disk(dir.path())?;
    Ok(Measured {
        task: task.clone(),
        mean_ns,
        percentiles_ns: PERCENTILES.iter().map(|p| (*p, taken.value_at_percentile(*p))).collect(),
        amplification_max: bytes_max.max(bytes_end) as f64 / live,
        amplification_end: bytes_end as f64 / live,
    })
}
