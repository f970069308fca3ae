//! What this binary does when a trial starts it again.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use hozo_backend_hashdbm::Config;

use super::kit::{self, History};

const TASK: &str = "HOZO_HASHDBM_TASK";
const STORE: &str = "HOZO_HASHDBM_STORE";

/// What a child is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Opens the store and holds it until its input ends.
    Hold,
    /// Opens the store and says what came of it.
    Open,
    /// Opens the store, forks, and says what the forked process can do with it.
    Fork,
    /// Checks the store and says what came of it.
    Check,
}

impl Task {
    const ALL: [(Task, &'static str); 4] =
        [(Task::Hold, "hold"), (Task::Open, "open"), (Task::Fork, "fork"), (Task::Check, "check")];
}

impl Task {
    /// Gives a command the task.
    pub(crate) fn tell(self, store: &Path, command: &mut Command) {
        let name = Task::ALL.iter().find(|(task, _)| *task == self).map(|(_, name)| name);
        command.env(TASK, name.unwrap()).env(STORE, store);
    }
}

/// Does the task that this process was started for; false if there is none.
pub(crate) fn run() -> bool {
    let (Ok(task), Some(store)) = (env::var(TASK), env::var_os(STORE)) else { return false };
    let config = Config { lock_timeout_ms: 0, ..Config::new(PathBuf::from(store)) };
    match Task::ALL.iter().find(|(_, name)| *name == task).map(|(task, _)| task) {
        Some(Task::Hold) => hold(&config),
        Some(Task::Open) => match kit::open_all(&config) {
            Ok(_) => say("opened"),
            Err(error) => say(&format!("{:?} {error}", error.kind())),
        },
        Some(Task::Fork) => fork(&config),
        Some(Task::Check) => match kit::check(&config) {
            Ok(findings) => say(if findings.is_clean() { "clean" } else { "damaged" }),
            Err(error) => say(&format!("{:?} {error}", error.kind())),
        },
        None => panic!("no task {task}"),
    }
    true
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).expect("the parent listens");
}

fn hold(config: &Config) {
    let store = kit::open(config).expect("the store opens");
    say("opened");
    let _ = std::io::stdin().lines().next();
    drop(store);
}

fn fork(config: &Config) {
    let store = kit::open_all(config).expect("the store opens");
    let mut history = History::default();
    history.commits(&store, 3);
    // SAFETY: this process has no threads but this one and the store's, which
    // hold no lock that what follows needs: the allocator's are reset by fork.
    let forked = unsafe { libc::fork() };
    assert!(forked >= 0, "no fork");
    if forked == 0 {
        for error in [kit::refused(config), kit::check(config).expect_err("nor is it checked")] {
            say(&format!("{:?} {error}", error.kind()));
        }
        for (what, error) in kit::misused(store) {
            say(&format!("{what}: {:?} {error}", error.kind()));
        }
        say("end");
        // Not through the parent's exit handlers.
        // SAFETY: `_exit` ends the process and does nothing else.
        unsafe { libc::_exit(0) }
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call, which writes one integer to it.
    let waited = unsafe { libc::waitpid(forked, &raw mut status, 0) };
    assert!(waited == forked && status == 0, "the forked process failed: {status}");
    assert!(history.missing(&store, false).is_nothing(), "the parent's store is as it was");
    history.commits(&store, 3);
    assert!(history.missing(&store, false).is_nothing(), "and goes on");
    say("parent goes on");
}

/// A child that is running.
pub(crate) struct Running {
    pub(crate) process: Child,
    lines: Box<dyn Iterator<Item = String>>,
    _input: Option<ChildStdin>,
}

impl Running {
    /// Starts this binary for a task, with a name that errors will show.
    pub(crate) fn start(task: Task, store: &Path, customize: impl FnOnce(&mut Command)) -> Running {
        let mut command = Command::new(env::current_exe().unwrap());
        command.arg("a-child-of-the-test").stdin(Stdio::piped()).stdout(Stdio::piped());
        task.tell(store, &mut command);
        customize(&mut command);
        Running::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Running {
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        Running { process, lines: Box::new(lines), _input: input }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("the child says something")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
