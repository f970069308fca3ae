//! On what it was measured.

use std::fs;
use std::path::Path;
use std::thread;

use hozo_embedded::rusqlite;
use serde::{Deserialize, Serialize};

/// What decides figures besides the code. Nothing that names the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub cpu: String,
    /// How many of its threads a process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// The kernel and its version.
    pub kernel: String,
    /// The type of the file system that stores were on.
    pub filesystem: String,
    /// Versions of programs by name.
    pub versions: Vec<(String, String)>,
}

impl Machine {
    /// This one; stores are below `dir`.
    pub fn here(dir: &Path) -> Self {
        let uname = rustix::system::uname();
        let text = |c: &std::ffi::CStr| c.to_string_lossy().into_owned();
        Machine {
            cpu: value("/proc/cpuinfo", "model name").unwrap_or_else(|| text(uname.machine())),
            cores: thread::available_parallelism().map_or(1, |cores| cores.get()),
            memory_bytes: memory_bytes(),
            kernel: format!("{} {}", text(uname.sysname()), text(uname.release())),
            filesystem: filesystem(dir),
            versions: vec![
                ("hozo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                ("SQLite".to_owned(), rusqlite::version().to_owned()),
            ],
        }
    }

    /// Whether its stores are in memory, where a durable write costs nothing.
    pub fn stores_in_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&&*self.filesystem)
    }

    /// In what it differs from another, for people.
    pub fn differences(&self, other: &Machine) -> Vec<String> {
        let pairs = [
            ("processor", self.cpu.clone(), other.cpu.clone()),
            ("cores", self.cores.to_string(), other.cores.to_string()),
            ("kernel", self.kernel.clone(), other.kernel.clone()),
            ("file system", self.filesystem.clone(), other.filesystem.clone()),
        ];
        let differ = pairs.into_iter().filter(|(_, a, b)| a != b);
        differ.map(|(what, a, b)| format!("{what}: {a} and {b}")).collect()
    }
}

/// The value of the first line `name : value`.
fn value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn memory_bytes() -> u64 {
    let kib = value("/proc/meminfo", "MemTotal").and_then(|text| {
        text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok())
    });
    kib.unwrap_or_default() * 1024
}

/// The type of the mount that the directory is on: the deepest that contains it.
fn filesystem(dir: &Path) -> String {
    let unknown = || "unknown".to_owned();
    let Ok(dir) = fs::canonicalize(dir) else { return unknown() };
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return unknown() };
    let found = mounts.lines().filter_map(|line| {
        let mount = line.split(' ').nth(4)?;
        let kind = line.split(" - ").nth(1)?.split(' ').next()?;
        dir.starts_with(mount).then_some((mount.len(), kind))
    });
    found.max_by_key(|(depth, _)| *depth).map_or_else(unknown, |(_, kind)| kind.to_owned())
}
