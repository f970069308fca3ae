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

/// What runs again over another store than the one that tests use by themselves:
/// the store, and the test binaries that ask `HOZO_TEST_STORE` for it. Some of
/// them are over hashdbm by themselves, some in memory or over a model. Over
/// what is not the default store processes are killed less often.
const AGAIN: [(&str, &[&str]); 2] = [
    ("hashdbm", &["connect", "stack", "vfs"]),
    ("rocksdb", &["command", "connect", "e2e", "loadable", "programs", "stack", "vfs"]),
];

/// Runs `cargo test` with these arguments, then over each further store, and
/// shows its output as it comes.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let mut seen = Seen::default();
    let mut ok = cargo_test(root, arguments, None, &mut seen);
    for (store, binaries) in AGAIN {
        println!("\n== over {store}");
        let binaries = binaries.iter().flat_map(|binary| ["--test", binary]);
        let arguments: Vec<&str> = arguments.iter().copied().chain(binaries).collect();
        ok &= cargo_test(root, &arguments, Some(store), &mut seen);
    }
    for line in &seen.skipped {
        println!("{line}");
    }
    let Counts { passed, failed, ignored } = seen.counts;
    println!("{passed} passed, {failed} failed, {ignored} skipped");
    if ok && failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        eprintln!("xtask: the tests did not all pass, or did not all run; see above");
        ExitCode::FAILURE
    }
}

/// Unless somebody asks for more.
fn fewer_rounds(store: Option<&str>) -> Option<(&'static str, &'static str)> {
    let asked = std::env::var_os("HOZO_CRASH_ROUNDS").is_some();
    (store.is_some() && !asked).then_some(("HOZO_CRASH_ROUNDS", "10"))
}

/// What the test binaries said.
#[derive(Default)]
struct Seen {
    counts: Counts,
    /// The lines of tests that this machine cannot run, which say why.
    skipped: Vec<String>,
}

/// Whether `cargo test` succeeded.
fn cargo_test(root: &Path, arguments: &[&str], store: Option<&str>, seen: &mut Seen) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo says to xtask is about xtask. A build script that looks at it would be run
    // again, and everything compiled that needs it.
    for (name, _) in std::env::vars_os() {
        let is = |prefix| name.as_encoded_bytes().starts_with(prefix);
        if is(b"CARGO_PKG_".as_slice()) || is(b"CARGO_MANIFEST_".as_slice()) {
            command.env_remove(name);
        }
    }
    let child = command
        .args(["test", "--no-fail-fast"])
        .args(arguments)
        .current_dir(root)
        // What tests need to start is built by now; see tests/src/built.rs.
        .env("HOZO_TESTS_BUILT", "1")
        .envs(store.map(|store| ("HOZO_TEST_STORE", store)))
        .envs(fewer_rounds(store))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            eprintln!("xtask: cargo test did not start: {e}");
            return false;
        }
    };
    let output = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        seen.counts.add(&line);
        if line.starts_with("test [skipped") {
            seen.skipped.push(line.to_string());
        }
        let mut stdout = std::io::stdout().lock();
        if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    matches!(child.wait(), Ok(status) if status.success())
}
