//! Calls the generator of `hozo-proto`, which is a workspace of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Runs the generator with these arguments.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(["run", "--quiet", "--locked", "--manifest-path"]);
    command.arg(root.join("xtask/proto/Cargo.toml")).arg("--").args(arguments);
    // Beside what is built of the other workspace, not among it.
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", PathBuf::from(target).join("proto"));
    }
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("xtask: cargo does not start: {e}");
            ExitCode::FAILURE
        }
    }
}
