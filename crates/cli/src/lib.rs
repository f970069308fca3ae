//! The command `hozo`: makes, looks after and queries stores and namespaces.
//!
//! `hozo --help` is its documentation: the commands, the exit codes
//! ([`exit`]), and with each command the fields of its `--json` output.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod context;
pub mod exit;
mod failure;
mod logging;
mod output;
mod progress;
pub mod shell;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

pub use crate::commands::dbm::files::{Form as RecordForm, count_records};

use crate::args::Args;
use crate::context::Context;
use crate::failure::Failure;

/// Runs the command line `args`, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // What cannot be parsed says nothing else about how to talk.
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        // Help and the version come this way, too, and are no failure.
        Err(e) if json && e.use_stderr() => {
            Failure::from(e).report_json(&mut io::stderr().lock());
            return ExitCode::from(exit::USAGE);
        }
        Err(e) => {
            let code = if e.use_stderr() { exit::USAGE } else { exit::OK };
            return match e.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(exit::FAILED),
            };
        }
    };
    let mut context = Context::new(&args.global);
    let outcome = commands::run(args.command, &mut context)
        .and_then(|()| context.out.flush().map_err(Failure::from));
    context.close();
    match outcome {
        Ok(()) => ExitCode::from(exit::OK),
        Err(failure) => {
            // What was written so far comes before what is said about its end.
            let _ = context.out.flush();
            failure.report(&context, &mut io::stderr().lock());
            ExitCode::from(failure.exit())
        }
    }
}
