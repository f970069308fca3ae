//! What one process does with one engine, and what it took.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::peers::{Failure, KINDS, Peer};

/// What to measure.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) engine: String,
    /// Of all threads together.
    pub(crate) records: u64,
    pub(crate) value_bytes: usize,
    pub(crate) threads: u64,
    pub(crate) random: bool,
}

/// What was measured.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) task: Task,
    pub(crate) phases: Vec<Phase>,
    /// Resident memory that the records brought, after all were read: mapped
    /// files as well as the heap.
    pub(crate) memory_bytes: u64,
    /// Of it, what is not a mapped file.
    pub(crate) anonymous_bytes: u64,
    /// The files, after all were set.
    pub(crate) disk_bytes: u64,
}

/// One kind of operation, once for each record.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Nanoseconds from the first operation to the last, over the operations.
    pub(crate) wall_ns: f64,
    /// CPU time of the process, kernel included, over the operations.
    pub(crate) cpu_ns: f64,
}

type Operation = fn(&dyn Peer, &[u8], &[u8]) -> Result<(), Failure>;

pub(crate) fn measure(task: &Task, dir: &Path) -> Result<Measured, Failure> {
    let kind = KINDS.iter().find(|kind| kind.name == task.engine).ok_or("no such engine")?;
    let dir = tempfile::Builder::new().prefix("hozo-field-").tempdir_in(dir)?;
    let value = vec![b'0'; task.value_bytes];
    let before = memory()?;
    let peer = (kind.open)(dir.path(), task.records)?;
    let mut phases =
        vec![each(task, "set", &*peer, &value, |peer, key, value| peer.set(key, value))?];
    let disk_bytes = disk(dir.path())?;
    phases.push(each(task, "get", &*peer, &value, |peer, key, value| match peer.get(key)? {
        Some(size) if size == value.len() => Ok(()),
        _ => Err("a record that was set is not there".into()),
    })?);
    phases.push(iterate(task, &*peer)?);
    let after = memory()?;
    phases.push(each(task, "remove", &*peer, &value, |peer, key, _| peer.remove(key))?);
    if peer.get(&nth_key(task, 0, 0))?.is_some() {
        return Err("a record that was removed is there".into());
    }
    // Once to have them there again, once to be measured.
    each(task, "set again", &*peer, &value, |peer, key, value| peer.set(key, value))?;
    phases.push(each(task, "overwrite", &*peer, &value, |peer, key, value| peer.set(key, value))?);
    Ok(Measured {
        task: task.clone(),
        phases,
        memory_bytes: after.0.saturating_sub(before.0),
        anonymous_bytes: after.1.saturating_sub(before.1),
        disk_bytes,
    })
}

/// Does the operation once for each record; each thread has records of its own.
fn each(
    task: &Task,
    name: &str,
    peer: &dyn Peer,
    value: &[u8],
    operation: Operation,
) -> Result<Phase, Failure> {
    let share = task.records / task.threads;
    timed(name, share * task.threads, || {
        on_threads(task.threads, |thread| {
            for i in 0..share {
                operation(peer, &nth_key(task, thread, i), value)?;
            }
            Ok(())
        })
    })
}

/// Reads all records once on each thread; counted is each record that a thread read.
fn iterate(task: &Task, peer: &dyn Peer) -> Result<Phase, Failure> {
    let there = task.records / task.threads * task.threads;
    timed("iterate", there * task.threads, || {
        on_threads(task.threads, |_| {
            let (records, bytes) = peer.iterate()?;
            if records != there || bytes != there * (8 + task.value_bytes as u64) {
                return Err(format!("{records} records were read, and {there} are there").into());
            }
            Ok(())
        })
    })
}

fn on_threads(
    threads: u64,
    work: impl Fn(u64) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let work = &work;
    std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        started.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread panicked")?)
    })
}

fn timed(
    name: &str,
    operations: u64,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<Phase, Failure> {
    let cpu = cpu_ns()?;
    let start = Instant::now();
    work()?;
    let wall = start.elapsed().as_nanos() as f64;
    let operations = operations as f64;
    Ok(Phase {
        name: name.to_owned(),
        wall_ns: wall / operations,
        cpu_ns: (cpu_ns()? - cpu) / operations,
    })
}

/// The key that a thread uses for its `i`th operation.
fn nth_key(task: &Task, thread: u64, i: u64) -> [u8; 8] {
    let share = task.records / task.threads;
    key_of(thread * share + if task.random { shuffled(i, share) } else { i })
}

/// Eight decimal digits, as Tkrzw's own measurements have them.
pub(crate) fn key_of(record: u64) -> [u8; 8] {
    let mut rest = record;
    let mut key = [b'0'; 8];
    for digit in key.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Where the `i`th of `n` goes in an order without neighbours: a permutation
/// of the next power of two, walked on until it falls below `n`.
fn shuffled(i: u64, n: u64) -> u64 {
    let mask = n.next_power_of_two() - 1;
    let half = mask.count_ones() / 2;
    let mut at = i;
    loop {
        // Each step can be undone, so no two meet.
        at = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask;
        at ^= at >> half;
        at = at.wrapping_mul(0xd6e8_feb8_6659_fd93) & mask;
        at ^= at >> half;
        if at < n {
            return at;
        }
    }
}

/// CPU time of this process so far.
fn cpu_ns() -> Result<f64, Failure> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(time.tv_sec as f64 * 1e9 + time.tv_nsec as f64)
}

/// Resident memory, and how much of it is not a mapped file.
fn memory() -> Result<(u64, u64), Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> Result<u64, Failure> {
        let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such field")?;
        let kib = line.split_whitespace().nth(1).ok_or("no such value")?;
        Ok(kib.parse::<u64>()? * 1024)
    };
    Ok((field("VmRSS:")?, field("RssAnon:")?))
}

/// Bytes that files below a directory take.
pub(crate) fn disk(dir: &Path) -> Result<u64, Failure> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = match entry.metadata() {
            // Removed meanwhile.
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        bytes += if about.is_dir() { disk(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(bytes)
}
