//! A server that replicates, in a directory of its own.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use hozo_tests::{Ran, Run, Running, Scratch, free_port};
use serde_json::Value;

/// Nothing that is waited for takes longer on a slow machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// One server. Its socket is a file, so that it is found again where it was.
pub(super) struct Server {
    scratch: Scratch,
    id: u32,
    /// More of its `[replication.main]`.
    more: String,
    /// Where it listens besides, for those who know no sockets that are files.
    port: Option<u16>,
    running: Option<Running>,
}

impl Server {
    /// A server that has never run.
    pub(super) fn new(id: u32, more: &str) -> Server {
        Server { scratch: Scratch::empty(), id, more: more.to_owned(), port: None, running: None }
    }

    /// One that listens on a port of loopback as well.
    pub(super) fn with_port(id: u32) -> Server {
        Server { port: Some(free_port()), ..Server::new(id, "") }
    }

    /// The address with that port.
    pub(super) fn at_port(&self) -> String {
        format!("127.0.0.1:{}", self.port.expect("it has one"))
    }

    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.scratch.path("dbm.sock").display())
    }

    /// Starts it as a master, or as what `follow` says: keys of its section.
    pub(super) fn start(&mut self, follow: &str) {
        let mut listen = vec!["unix:dbm.sock".to_owned()];
        listen.extend(self.port.map(|_| self.at_port()));
        let config = format!(
            "[store.main]\nbackend = \"hashdbm\"\npath = \"data\"\n\n[[dbm]]\nname = \"casket\"\n\n\
             [replication.main]\nkind = \"ulog\"\nserver_id = {}\ndir = \"ulog\"\nsegment_bytes = \
             65536\n{}\n{follow}\n\n[[frontend]]\nkind = \"rpc\"\nlisten = {listen:?}\n",
            self.id, self.more
        );
        self.scratch.write("hozo.toml", &config);
        let mut running = self.scratch.hozo(&["serve", "--log-level", "warn"]).start();
        running.wait_for("rpc on unix:");
        self.running = Some(running);
    }

    /// Starts it as a follower, whatever it was told while it ran.
    pub(super) fn start_following(&mut self, source: &Server) {
        let role = self.scratch.path("ulog/role");
        if role.exists() {
            fs::remove_file(role).expect("a file of the scratch directory can be removed");
        }
        self.start(&format!("follow = {:?}", source.address()));
    }

    /// Removes all that it has.
    pub(super) fn wipe(&self) {
        for dir in ["data", "ulog"] {
            fs::remove_dir_all(self.scratch.path(dir)).expect("a server has both");
        }
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.over(Running::kill);
    }

    /// Ends it in order.
    pub(super) fn stop(&mut self) {
        self.signal("TERM");
        let ran = self.over(Running::finish);
        assert_eq!(ran.code, Some(0), "{ran}");
    }

    #[track_caller]
    fn over(&mut self, end: impl FnOnce(Running) -> Ran) -> Ran {
        let ran = end(self.running.take().expect("it runs"));
        assert!(!ran.stderr.contains("panicked"), "{ran}");
        ran
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.running.as_ref().expect("it runs").id().to_string();
        Run::new("kill").args([&format!("-{name}"), &id]).ok();
    }

    pub(super) fn repl(&self, args: &[&str]) -> Ran {
        self.scratch.hozo(&["repl"]).args(args).args(["--address", &self.address()]).run()
    }

    pub(super) fn status(&self) -> Value {
        let ran = self.repl(&["status", "--json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran}"))
    }

    /// Waits until it has all that its source has, and so many followers all that it
    /// has.
    #[track_caller]
    pub(super) fn settled(&self, followers: u32) {
        let followers = followers.to_string();
        let wait = PATIENCE.as_secs().to_string();
        self.repl(&["status", "--wait", &wait, "--followers", &followers]).ok();
    }

    /// Waits until its status is so.
    #[track_caller]
    pub(super) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if holds(&status) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "server {}: not {what}: {status:#}", self.id);
        }
    }

    /// Its log, once it does not run, has no update twice and none changed.
    pub(super) fn verify_log(&self) {
        self.scratch.hozo(&["ulog", "verify"]).ok();
    }

    pub(super) fn dbm(&self, args: &[&str]) -> Run {
        self.scratch.hozo(&["dbm", "--address", &self.address()]).args(args)
    }
}

/// Waits until it is so.
#[track_caller]
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        thread::yield_now();
    }
}
