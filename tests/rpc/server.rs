//! `hozo serve` as a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use hozo_tests::{Ran, Running, Scratch};
use rustix::process::{Pid, Signal, kill_process};

/// The backends that a served DBM is proven over: all, or the one that
/// `HOZO_TEST_STORE` names.
pub(crate) fn backends() -> Vec<&'static str> {
    let named = std::env::var("HOZO_TEST_STORE");
    let wanted = |backend: &&str| named.as_ref().map_or(true, |named| named == backend);
    ["memory", "hashdbm", "sled", "rocksdb"].into_iter().filter(wanted).collect()
}

/// A DBM of a config: its name, its store, and more lines of its section.
pub(crate) struct Dbm<'a> {
    pub(crate) name: &'a str,
    pub(crate) backend: &'a str,
    pub(crate) more: &'a str,
}

impl<'a> Dbm<'a> {
    /// A DBM named as its backend.
    pub(crate) fn of(backend: &'a str) -> Dbm<'a> {
        Dbm { name: backend, backend, more: "" }
    }
}

/// A config with a store for each backend that a DBM names, and a frontend on
/// loopback with a port of the system's choice. `frontend` is more of its section.
pub(crate) fn config(dbms: &[Dbm<'_>], frontend: &str) -> String {
    let mut text = String::new();
    let mut made: Vec<&str> = Vec::new();
    for Dbm { backend, .. } in dbms {
        if !made.contains(backend) {
            made.push(backend);
            let path = match *backend {
                "memory" => String::new(),
                _ => format!("path = \"{backend}\"\n"),
            };
            writeln!(text, "[store.{backend}]\nbackend = \"{backend}\"\n{path}")
                .expect("to memory");
        }
    }
    for Dbm { name, backend, more } in dbms {
        writeln!(text, "[[dbm]]\nname = \"{name}\"\nstore = \"{backend}\"\n{more}\n")
            .expect("to memory");
    }
    text + "[[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:0\"\n" + frontend
}

/// `hozo serve` in a scratch directory, killed when this is dropped.
pub(crate) struct Server {
    running: Running,
    address: String,
}

impl Server {
    /// Starts it over the directory's config, which listens on loopback.
    pub(crate) fn start(scratch: &Scratch) -> Server {
        let mut running = scratch.hozo(&["serve"]).start();
        let line = running.wait_for("127.0.0.1:");
        let (_, rest) = line.split_once("127.0.0.1:").expect("the line has it");
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Server { running, address: format!("127.0.0.1:{port}") }
    }

    /// The same over a config that is written first.
    pub(crate) fn over(scratch: &Scratch, dbms: &[Dbm<'_>], frontend: &str) -> Server {
        scratch.write("hozo.toml", &config(dbms, frontend));
        Server::start(scratch)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks it to end and waits until it has: what it accepted is finished.
    pub(crate) fn stop(self) -> Ran {
        let id = i32::try_from(self.running.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process has an id"), Signal::TERM).expect("a child can be told");
        self.running.finish()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) -> Ran {
        self.running.kill()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    /// Bytes of memory that it has.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.id())
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.running.id());
        fs::read_dir(path).expect("a child that runs can be looked at").count()
    }

    /// Waits until it has at most so many descriptors open; what it still has
    /// after a long time.
    pub(crate) fn descriptors_down_to(&self, most: usize) -> usize {
        eventually(|| self.descriptors() <= most);
        self.descriptors()
    }
}

/// Bytes of memory that a process has, as the kernel counts them.
pub(crate) fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status"));
    let status = status.expect("a child that runs can be looked at");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    1024 * kib.unwrap_or(0_u64)
}

/// Whether something that has no other sign came to be so within half a minute.
pub(crate) fn eventually(mut so: impl FnMut() -> bool) -> bool {
    for _ in 0..600 {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
