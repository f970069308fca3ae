//! What a process uses: processor time, memory, disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

/// What this process has used so far, or between two moments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Processor time of all its threads, in user mode and in the kernel.
    pub cpu_nanos: u64,
    /// Bytes that it caused to be written to storage, where the kernel tells.
    pub written_bytes: Option<u64>,
}

impl Usage {
    /// Until now.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Usage {
            cpu_nanos: time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs(),
            written_bytes: field("/proc/self/io", "write_bytes:"),
        }
    }

    /// Between `before` and this.
    pub fn since(&self, before: &Usage) -> Self {
        Usage {
            cpu_nanos: self.cpu_nanos.saturating_sub(before.cpu_nanos),
            written_bytes: self
                .written_bytes
                .zip(before.written_bytes)
                .map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// Bytes of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Resident now.
    pub resident: Option<u64>,
    /// Resident at most since the process began.
    pub peak: Option<u64>,
}

impl Memory {
    /// This process's.
    pub fn now() -> Self {
        let kib = |name| field("/proc/self/status", name).map(|kib| kib * 1024);
        Memory { resident: kib("VmRSS:"), peak: kib("VmHWM:") }
    }
}

/// The number that comes after `name` at the beginning of a line.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes that the files below a directory take on disk. Files that vanish
/// meanwhile are not counted.
pub fn disk_bytes(path: &Path) -> io::Result<u64> {
    let gone = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if gone(&e) => return Ok(0),
        Err(e) => return Err(e),
    };
    // Blocks are of 512 bytes, whatever the file system has.
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(e) if gone(&e) => return Ok(0),
            Err(e) => return Err(e),
        };
        for entry in entries {
            bytes += disk_bytes(&entry?.path())?;
        }
    }
    Ok(bytes)
}
