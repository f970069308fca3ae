//! What is done in this repository that no other tool does: its checks, mostly.
//!
//! - `cargo run -p xtask -- floors`: which crate may depend on which, what a
//!   backend crate consists of, and that every clause has its test.
//! - `cargo run -p xtask -- proto`: makes the Rust of `hozo-proto` from its protocol
//!   file; with `--check` it only says whether that was forgotten.
//! - `cargo run -p xtask -- test ARGUMENTS...`: `cargo test` with these arguments and
//!   its counts added up; `make test` calls it.
#![forbid(unsafe_code)]

mod backends;
mod clauses;
mod count;
mod floors;
mod graph;
mod proto;
mod sources;

use std::path::Path;
use std::process::ExitCode;

/// What a check found: each a sentence that says what is wrong and where.
#[derive(Default)]
pub(crate) struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    pub(crate) fn error(&mut self, message: impl Into<String>) {
        self.errors.push(message.into());
    }

    pub(crate) fn warning(&mut self, message: impl Into<String>) {
        self.warnings.push(message.into());
    }
}

fn check(root: &Path) -> Result<Findings, String> {
    let graph = graph::Graph::load(root)?;
    let sources = sources::Sources::read(root)?;
    let mut findings = Findings::default();
    floors::check(&graph, &mut findings);
    backends::check(&graph, &sources, &mut findings);
    clauses::check(&sources, &mut findings);
    sources.check_lengths(&mut findings);
    Ok(findings)
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floors"] => match check(root) {
            Ok(findings) => report(&findings),
            Err(message) => {
                eprintln!("xtask: {message}");
                ExitCode::FAILURE
            }
        },
        ["proto", arguments @ ..] => proto::run(root, arguments),
        ["test", arguments @ ..] => count::run(root, arguments),
        _ => {
            eprintln!(
                "usage: cargo run -p xtask -- floors | proto [--check] | test ARGUMENTS-OF-cargo-test"
            );
            ExitCode::from(2)
        }
    }
}

fn report(findings: &Findings) -> ExitCode {
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        eprintln!("error: {error}");
    }
    if findings.errors.is_empty() {
        println!("floors: every rule holds");
        ExitCode::SUCCESS
    } else {
        eprintln!(
            "floors: {} broken; ARCHITECTURE.md says why each is there",
            findings.errors.len()
        );
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests;
