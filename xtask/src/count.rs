//! Runs all tests and adds up what each test binary counted.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What the closing lines of the test binaries say, together.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// Adds a line of output, if it is a closing line:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let counts = rest.split_once(". ").map_or("", |(_verdict, counts)| counts);
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Runs `cargo test` over the workspace, showing its output as it comes.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let child = Command::new(cargo)
        .args(["test", "--release", "--workspace", "--locked", "--no-fail-fast"])
        .args(arguments)
        .current_dir(root)
        // What tests need to start is built by now; see tests/src/lib.rs.
        .env("HOZO_TESTS_BUILT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            eprintln!("xtask: cargo test did not start: {e}");
            return ExitCode::FAILURE;
        }
    };
    let mut counts = Counts::default();
    let mut skipped = Vec::new();
    let output = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        counts.add(&line);
        if line.starts_with("test [skipped") {
            skipped.push(line.to_string());
        }
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    let ok = matches!(child.wait(), Ok(status) if status.success());
    for line in &skipped {
        println!("{line}");
    }
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.ignored);
    if ok && counts.failed == 0 && counts.passed > 0 {
        ExitCode::SUCCESS
    } else {
        eprintln!("xtask: the tests did not all pass, or did not all run; see above");
        ExitCode::FAILURE
    }
}
