//! Running programs so that a test cannot hang and says all when it fails.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// No program of a test takes longer than this on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program to be run.
pub struct Run {
    command: Command,
    input: Vec<u8>,
    shown: String,
}

impl Run {
    /// A program, with nothing on its standard input.
    pub fn new(program: impl AsRef<OsStr>) -> Run {
        let shown = program.as_ref().to_string_lossy().into_owned();
        Run { command: Command::new(program), input: Vec::new(), shown }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.shown.push(' ');
        self.shown.push_str(&format!("{:?}", arg.as_ref().to_string_lossy()));
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Run {
        args.into_iter().fold(self, |run, arg| run.arg(arg))
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(key, value);
        self
    }

    /// Runs it there.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Run {
        self.command.current_dir(dir);
        self
    }

    /// What it reads on its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Run {
        self.input = input.into();
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it does not start, or does not end in time: it is killed then.
    pub fn run(self) -> Ran {
        self.start().finish()
    }

    /// Runs it, expects success, and gives its standard output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ok(self) -> String {
        self.run().ok()
    }

    /// Starts it, with its standard input held open until it is ended.
    pub fn held_open(self) -> Running {
        self.begin(true)
    }

    /// Starts it; the caller reads its lines, or ends it.
    pub fn start(self) -> Running {
        self.begin(false)
    }

    fn begin(mut self, hold: bool) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            self.command.spawn().unwrap_or_else(|e| panic!("{} did not start: {e}", self.shown));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = self.input;
        let (send_held, held) = channel();
        thread::spawn(move || {
            // A program that ends before it reads everything is no failure of ours.
            drop(stdin.write_all(&input));
            if hold {
                drop(send_held.send(stdin));
            }
        });
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let (send_errors, errors) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            drop(stderr.read_to_end(&mut text));
            drop(send_errors.send(text));
        });
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let lines = lines_of(stdout);
        Running { child, lines, errors, held: Some(held), read: String::new(), shown: self.shown }
    }
}

fn lines_of(mut stdout: BufReader<ChildStdout>) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    lines
}

/// A program that runs. It is killed when this is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<Vec<u8>>,
    /// Its standard input, where it is to stay open: closed when this goes.
    held: Option<Receiver<ChildStdin>>,
    read: String,
    shown: String,
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of its standard output that has `word`, and gives it.
    ///
    /// # Panics
    /// If it ends, or stays silent for too long, before that.
    #[track_caller]
    pub fn wait_for(&mut self, word: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.read.push_str(&line);
                    if line.contains(word) {
                        return line.trim_end().to_owned();
                    }
                }
                Err(e) => {
                    drop(self.child.kill());
                    let errors = self.errors.recv_timeout(PATIENCE).unwrap_or_default();
                    let errors = String::from_utf8_lossy(&errors);
                    panic!("{}: no {word:?} ({e}):\n{}{errors}", self.shown, self.read);
                }
            }
        }
    }

    /// Ends it as a power cut would: SIGKILL, no last words.
    pub fn kill(mut self) -> Ran {
        self.child.kill().expect("a child can be killed");
        self.finish()
    }

    /// Ends its standard input and waits for its own end.
    ///
    /// # Panics
    /// If it is silent for too long before its end: it is killed then.
    pub fn finish(mut self) -> Ran {
        drop(self.held.take());
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.read.push_str(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    drop(self.child.kill());
                    panic!("{} was silent for {PATIENCE:?}:\n{}", self.shown, self.read);
                }
            }
        }
        let status = self.child.wait().expect("a child can be waited for");
        let errors = self.errors.recv_timeout(PATIENCE).unwrap_or_default();
        Ran {
            code: status.code(),
            stdout: std::mem::take(&mut self.read),
            stderr: String::from_utf8_lossy(&errors).into_owned(),
            shown: std::mem::take(&mut self.shown),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How a program ended.
pub struct Ran {
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    shown: String,
}

impl Ran {
    /// Expects success and gives the standard output.
    ///
    /// # Panics
    /// If it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.stdout
    }

    /// Whether it succeeded, with no thread that panicked meanwhile; all that it said
    /// if not.
    ///
    /// # Errors
    /// If it failed, was killed, or a thread of it panicked.
    pub fn well(self) -> Result<String, Ran> {
        match self.code == Some(0) && !self.stderr.contains("panicked") {
            true => Ok(self.stdout),
            false => Err(self),
        }
    }

    /// Expects a failure that is explained with each of these words.
    ///
    /// # Panics
    /// If it succeeded, was killed by a signal, or says something else.
    #[track_caller]
    pub fn fails(self, words: &[&str]) -> Ran {
        assert!(self.code.is_some_and(|code| code != 0), "should have failed: {self}");
        let said = format!("{}{}", self.stdout, self.stderr).to_lowercase();
        for word in words {
            assert!(said.contains(&word.to_lowercase()), "{word:?} is not in: {self}");
        }
        assert!(!said.contains("panicked"), "{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.shown)?;
        writeln!(f, "exit code {:?}, stdout:\n{}", self.code, self.stdout)?;
        write!(f, "stderr:\n{}", self.stderr)
    }
}
