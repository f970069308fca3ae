//! `hozo serve` while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::run::Home;

/// Nothing here takes longer on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A `hozo serve`, killed when this is dropped.
pub(crate) struct Served {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Served {
    /// Starts it in this directory.
    pub(crate) fn start(home: &Home, args: &[&str]) -> Self {
        Served::start_with(home, args, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn start_with(home: &Home, args: &[&str], environment: &[(&str, &str)]) -> Self {
        Served::start_command(home, "serve", args, environment)
    }

    /// The same with another command that serves.
    pub(crate) fn start_command(
        home: &Home,
        command: &str,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hozo"))
            .arg(command)
            .args(args)
            .current_dir(home.path("."))
            .env_remove("HOZO_CONFIG")
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Served { child, out, err }
    }

    /// The next line on its standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).expect("a line comes")
    }

    /// Waits for a line on its standard error that has these words.
    #[track_caller]
    pub(crate) fn logs(&self, words: &str) -> String {
        let mut before = Vec::new();
        while let Ok(line) = self.err.recv_timeout(PATIENCE) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("no {words:?} in {before:#?}");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.unwrap(), signal).unwrap();
    }

    /// Waits for its end: the exit code, and what it wrote that nobody read yet.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String, String) {
        let rest = |from: &Receiver<String>| {
            let mut text = String::new();
            loop {
                match from.recv_timeout(PATIENCE) {
                    Ok(line) => text.push_str(&format!("{line}\n")),
                    Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return text,
                    Err(e) => panic!("it does not end: {e}: {text}"),
                }
            }
        };
        let (out, err) = (rest(&self.out), rest(&self.err));
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
