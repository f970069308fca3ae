//! `hozo doctor`

mod judge;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};

use self::judge::{Verdict, judge};
use super::preload;
use crate::args::Doctor;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

/// What is read of a report at most; a program that opens databases all the
/// time tells no more after the first of them.
const REPORT_BYTES_MAX: u64 = 64 << 20;

pub(super) fn run(args: &Doctor, context: &mut Context) -> Done {
    let library = preload::library()?;
    let report = tempfile::Builder::new().prefix("hozo-doctor-").tempfile()?;
    let [program, arguments @ ..] = &args.program[..] else {
        return Err(Failure::new(exit::USAGE, "which program?"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env("HOZO_DOCTOR_REPORT", report.path());
    let mut preloaded = library.into_os_string();
    if let Some(others) = std::env::var_os("LD_PRELOAD").filter(|others| !others.is_empty()) {
        preloaded.push(":");
        preloaded.push(others);
    }
    command.env("LD_PRELOAD", preloaded);
    // Without a config the library lets everything pass, and still reports.
    if let Ok(config) = fs::canonicalize(context.config_file()) {
        command.env("HOZO_CONFIG", config);
    }
    let status = command.status().map_err(|e| Failure::from(e).when(&program.to_string_lossy()))?;
    let facts = read(report.reopen()?.take(REPORT_BYTES_MAX));
    let verdict = judge(&facts);
    tell(context, &args.program, status, &verdict)?;
    if verdict.reached { Ok(()) } else { Err(Failure::quiet(exit::FAILED)) }
}

/// The facts of a report; a line that is cut off, or of a newer library, is none.
fn read(report: impl Read) -> Vec<Value> {
    BufReader::new(report)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect()
}

fn tell(
    context: &mut Context,
    program: &[OsString],
    status: ExitStatus,
    verdict: &Verdict,
) -> Done {
    if context.json {
        return context.write_json(&json!({
            "reached": verdict.reached,
            "verdict": verdict.kind,
            "exit_code": status.code(),
            "copies": verdict.copies,
            "opens": verdict.opens,
            "advice": verdict.advice,
        }));
    }
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    let name = program[0].to_string_lossy();
    writeln!(context.out, "\n{} {ended}", output::printable(&name))?;
    for copy in &verdict.copies {
        writeln!(context.out, "SQLite in {}", output::printable(copy))?;
    }
    for open in &verdict.opens {
        writeln!(context.out, "opened {}", output::printable(open))?;
    }
    let found = match verdict.reached {
        true => context.out_style.good("reached:"),
        false => context.out_style.error("not reached:"),
    };
    writeln!(context.out, "\n{found} {}", verdict.found)?;
    for advice in &verdict.advice {
        writeln!(context.out, "{} {advice}", context.out_style.hint("hint:"))?;
    }
    Ok(())
}
