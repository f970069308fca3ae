//! Trials in processes of their own.
//!
//! The trial goes to the process's standard input; from its standard output
//! come lines of JSON: progress, and at the end what was measured or why not.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use hozo::Registry;
use hozo::traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, SystemClock};
use crate::report::Measured;
use crate::trial::{Phase, Trial};

#[cfg(test)]
mod tests;

/// How often progress is told at most.
const PROGRESS_NANOS: u64 = 50_000_000;
/// How much of what a process says about its end is kept.
const COMPLAINT_BYTES_MAX: usize = 2_000;

/// A line of the answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress { phase: Phase, done: f64 },
    Measured(Box<Measured>),
    Failed { unsupported: bool, message: String },
}

/// What the process does: reads a trial, runs it, and answers.
pub fn serve(registry: &Registry, input: impl Read, output: &mut dyn Write) -> Result<()> {
    let broken = |e| Error::new(ErrorKind::Invalid, "no trial can be read").caused_by(e);
    let trial: Trial = serde_json::from_reader(input).map_err(broken)?;
    let clock = SystemClock::new();
    let mut told = None;
    let ran = trial.run(registry, &mut |phase, done| {
        let now = clock.now();
        if told.is_some_and(|(last, at)| last == phase && now - at < PROGRESS_NANOS) {
            return;
        }
        told = Some((phase, now));
        // Nobody may be listening any more; the end will show.
        let _ = tell(output, &Line::Progress { phase, done });
    });
    let answer = match ran {
        Ok(measured) => Line::Measured(Box::new(measured)),
        Err(e) if e.kind() == ErrorKind::Unsupported => {
            Line::Failed { unsupported: true, message: e.message().to_owned() }
        }
        Err(e) => Line::Failed { unsupported: false, message: e.to_string() },
    };
    tell(output, &answer).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "nobody reads what was measured").caused_by(e)
    })
}

fn tell(output: &mut dyn Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Runs a trial in a process that [`serve`]s it. `stop` is asked whenever it
/// tells of progress; the process is ended then.
pub fn launch(
    mut command: Command,
    trial: &Trial,
    progress: &mut dyn FnMut(Phase, f64),
    stop: &dyn Fn() -> bool,
) -> Result<Measured> {
    let failed = |what: &'static str| {
        move |e: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("the process of a trial {what}"))
                .caused_by(e)
        }
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed("cannot be started"))?;
    let complaint = child.stderr.take().map(|stderr| thread::spawn(move || end_of(stderr)));
    let answer = converse(&mut child, trial, progress, stop);
    if answer.is_err() {
        // Whatever it is doing, nobody waits for it. It may have ended already.
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed("cannot be waited for"))?;
    let complaint = complaint.and_then(|thread| thread.join().ok()).unwrap_or_default();
    match answer? {
        Some(Line::Measured(measured)) => Ok(*measured),
        Some(Line::Failed { unsupported, message }) => {
            let kind = if unsupported { ErrorKind::Unsupported } else { ErrorKind::Internal };
            Err(Error::new(kind, message))
        }
        _ => {
            let said = if complaint.is_empty() { "nothing".to_owned() } else { complaint };
            Err(Error::new(ErrorKind::Internal, "the process of a trial ended without an answer")
                .with("status", status)
                .with("it said", said))
        }
    }
}

/// Tells the process what to do, and answers its last line.
fn converse(
    child: &mut Child,
    trial: &Trial,
    progress: &mut dyn FnMut(Phase, f64),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Line>> {
    let mut input = child.stdin.take().expect("it has a standard input");
    let output = child.stdout.take().expect("it has a standard output");
    let text = serde_json::to_string(trial).expect("a trial has a JSON form");
    // One that ends at once does not read it; that shows below.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let broken = |e| Error::new(ErrorKind::Internal, "a trial's answer is broken").caused_by(e);
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|e| broken(serde_json::Error::io(e)))?;
        match serde_json::from_str(&line).map_err(broken)? {
            Line::Progress { .. } if stop() => {
                return Err(Error::new(ErrorKind::Unavailable, "the trial was stopped"));
            }
            Line::Progress { phase, done } => progress(phase, done),
            last => return Ok(Some(last)),
        }
    }
    Ok(None)
}

/// The end of what a process says, in one line.
fn end_of(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..read]);
        let over = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..over);
    }
    String::from_utf8_lossy(&kept).split_whitespace().collect::<Vec<_>>().join(" ")
}
