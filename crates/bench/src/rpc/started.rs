//! Our own server as a process of its own, over a store that is gone afterwards.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use hozo::Registry;
use hozo::traits::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process};
use toml::{Table, Value};

use super::replication::Replication;
use super::server::{Access, Address, Server};
use crate::subject::{Source, Target};

#[cfg(test)]
mod tests;

/// Until it says where it listens.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to finish what it accepted, in seconds.
const STOP_MAX_SECONDS: i64 = 5;
/// How much of what it says is kept, for who asks why it does not start.
const SAID_LINES_MAX: usize = 20;
/// Where it listens: on a port that the system chooses.
const LISTEN: &str = "127.0.0.1:0";
/// What begins the address in what it says.
const HOST: &str = "127.0.0.1";
/// The directory of the server that follows, in that of the one that it follows.
const FOLLOWER_DIR: &str = "follower";

/// What the store and the server are like.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The backend, with what it does if nothing is set.
    pub backend: String,
    /// Whether an update waits until it is on stable storage.
    pub durable: bool,
    /// Threads of the server; one for each core if not given.
    pub threads: Option<u32>,
    /// Where updates go besides the store.
    pub replication: Replication,
}

/// A server that runs, with the one that follows it, if there is to be one.
/// Dropping it stops both.
pub struct Started {
    child: Child,
    server: Server,
    follower: Option<Box<Started>>,
}

impl Started {
    /// Starts one: `command` makes `hozo serve`, and `dir` is an empty directory of
    /// its own for the config and the store.
    pub fn new(
        command: &dyn Fn() -> Command,
        wanted: &Wanted,
        registry: &Registry,
        dir: &Path,
    ) -> Result<Self> {
        let mut started = Self::start(command(), wanted, registry, dir, None)?;
        if wanted.replication.has_follower() {
            let dir = dir.join(FOLLOWER_DIR);
            fs::create_dir(&dir).map_err(not_started)?;
            let source = Some(&started.server.address);
            let follower = Self::start(command(), wanted, registry, &dir, source)
                .map_err(|e| e.with("follower of", &started.server.name))?;
            started.server.follower = Some(Box::new(follower.server.clone()));
            started.follower = Some(Box::new(follower));
        }
        Ok(started)
    }

    fn start(
        command: Command,
        wanted: &Wanted,
        registry: &Registry,
        dir: &Path,
        follows: Option<&Address>,
    ) -> Result<Self> {
        Self::begin(command, wanted, registry, dir, follows)
            .map_err(|e| e.with("backend", &wanted.backend))
    }

    fn begin(
        mut command: Command,
        wanted: &Wanted,
        registry: &Registry,
        dir: &Path,
        follows: Option<&Address>,
    ) -> Result<Self> {
        let file = dir.join("hozo.toml");
        fs::write(&file, config(wanted, registry, follows)?).map_err(not_started)?;
        // Both outputs in one, as it is not said here which of them tells what.
        let (reader, writer) = std::io::pipe().map_err(not_started)?;
        command.arg("--config").arg(&file);
        command.stdin(std::process::Stdio::null());
        // An interrupt at the terminal is for the one who measures, who stops it.
        command.process_group(0);
        command.stdout(writer.try_clone().map_err(not_started)?).stderr(writer);
        let child = command.spawn().map_err(not_started)?;
        // The ends that it writes to are its own from here on.
        drop(command);
        let pid = child.id();
        let lines = lines_of(reader);
        let mut started = Started {
            child,
            server: Server {
                name: wanted.replication.name(&wanted.backend),
                address: Address::Tcp { host: HOST.to_owned(), port: 0, tls: false },
                access: Access::default(),
                dbm_index: 0,
                pid: Some(pid),
                against: None,
                follower: None,
            },
            follower: None,
        };
        started.server.address = listening(&lines)?;
        Ok(started)
    }

    /// Where it is.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // First who follows, which would go on to look for its source.
        self.follower = None;
        // It may have ended by itself; nobody needs to know here.
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(pid)
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn not_started(e: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "a server cannot be started").caused_by(e)
}

/// A config with this store, one DBM in it, and a server.
fn config(wanted: &Wanted, registry: &Registry, follows: Option<&Address>) -> Result<String> {
    let target = Target::of_backend(&wanted.backend, registry)?;
    let Source::Fresh { config } = target.source else {
        return Err(Error::new(ErrorKind::Internal, "a backend gave no store of its own"));
    };
    let broken = |e| Error::new(ErrorKind::Internal, "the config is not TOML").caused_by(e);
    let mut config: Table = config.parse().map_err(|e: toml::de::Error| broken(e))?;
    // A backend without databases refuses them.
    config.remove("namespace");
    let mut dbm = Table::new();
    dbm.insert("name".to_owned(), "bench".into());
    let durability = if wanted.durable { "durable" } else { "sequenced" };
    dbm.insert("durability".to_owned(), durability.into());
    config.insert("dbm".to_owned(), Value::from(vec![Value::from(dbm)]));
    let mut frontend = Table::new();
    frontend.insert("kind".to_owned(), "rpc".into());
    frontend.insert("listen".to_owned(), LISTEN.into());
    frontend.insert("stop_timeout_s".to_owned(), STOP_MAX_SECONDS.into());
    if let Some(threads) = wanted.threads {
        frontend.insert("threads".to_owned(), i64::from(threads).into());
    }
    config.insert("frontend".to_owned(), Value::from(vec![Value::from(frontend)]));
    wanted.replication.add_to(&mut config, follows);
    Ok(config.to_string())
}

/// What it says, line by line, for as long as it lives: one that is not
/// listened to would stand still.
fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).lines() {
            let Ok(line) = line else { break };
            // After it has started nobody listens any more.
            let _ = send.send(line);
        }
    });
    lines
}

/// Waits until it says where it listens.
fn listening(lines: &Receiver<String>) -> Result<Address> {
    let mut said: Vec<String> = Vec::new();
    loop {
        let why = match lines.recv_timeout(START_MAX) {
            Ok(line) => {
                if let Some(port) = port_in(&line) {
                    return Ok(Address::Tcp { host: HOST.to_owned(), port, tls: false });
                }
                said.push(line);
                if said.len() > SAID_LINES_MAX {
                    said.remove(0);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => "the server ended before it served",
            Err(RecvTimeoutError::Timeout) => "the server does not say where it listens",
        };
        let said = if said.is_empty() { "nothing".to_owned() } else { said.join("\n") };
        return Err(Error::new(ErrorKind::Unavailable, why).with("it said", said));
    }
}

/// The port of an address in a line.
fn port_in(line: &str) -> Option<u16> {
    line.match_indices(HOST).find_map(|(at, host)| {
        let port = line[at + host.len()..].strip_prefix(':')?;
        let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        port[..end].parse().ok().filter(|port| *port != 0)
    })
}
