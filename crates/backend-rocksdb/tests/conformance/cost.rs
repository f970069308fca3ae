//! What a durable commit asks of the system: one write and one fdatasync.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hozo_conformance::libtest_mimic::{Completion, Failed, Trial};
use tempfile::TempDir;

use super::child::{COMMITS, Task};

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::ignorable_test("cost/one_write_and_one_fdatasync", trial)]
}

/// How often a program that makes so many commits called `write` and
/// `fdatasync`; `None` where that cannot be seen.
fn calls(dir: &Path, commits: usize) -> Option<(usize, usize)> {
    let trace = dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=write,fdatasync", "-o"]).arg(&trace);
    command.arg(std::env::current_exe().ok()?).stdout(Stdio::null()).stderr(Stdio::null());
    Task::Commit.tell(&dir.join("store"), &mut command);
    if !command.env(COMMITS, commits.to_string()).status().ok()?.success() {
        return None;
    }
    let trace = fs::read_to_string(trace).ok()?;
    // A call that was interrupted has two lines, of which one names it so.
    let count = |call: &str| trace.lines().filter(|line| line.contains(call)).count();
    Some((count(" write("), count(" fdatasync(")))
}

fn trial() -> Result<Completion, Failed> {
    const COMMITS: usize = 300;
    // What else may come: of writes, a second one where RocksDB's buffer is
    // full in the middle of a batch; and of both, the tables that are written
    // when the store closes.
    const OTHERS: [usize; 2] = [60, 30];
    let dir = TempDir::with_prefix("hozo-cost-")?;
    let (Some(_), Some(none)) = (calls(dir.path(), 0), calls(dir.path(), 0)) else {
        return Ok(Completion::ignored_with("strace is missing or may not trace"));
    };
    let some = calls(dir.path(), COMMITS).ok_or("strace worked before")?;
    let added = [some.0.saturating_sub(none.0), some.1.saturating_sub(none.1)];
    for (what, (added, others)) in ["writes", "fdatasyncs"].iter().zip(added.iter().zip(OTHERS)) {
        assert!((COMMITS..=COMMITS + others).contains(added), "{COMMITS} commits, {added} {what}");
    }
    Ok(Completion::Completed)
}
