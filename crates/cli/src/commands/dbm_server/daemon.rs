//! Going on in the background: another process of the same command line serves,
//! and this one waits until everything there has started.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::logging;

/// Tells the process in the background what it is.
const VARIABLE: &str = "HOZO_DBM_SERVER_IN_BACKGROUND";

/// What it writes when everything has started; no line has it.
const STARTED: u8 = 0;

/// Whether this is the process in the background.
pub(super) fn is_here() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Starts it, and says what it says until it has started.
pub(super) fn start(context: &mut Context) -> Done {
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_end(&mut said)?;
    }
    if said.last() == Some(&STARTED) {
        said.pop();
        return Ok(context.out.write_all(&said)?);
    }
    // It ended, and said why on the standard error that both have.
    context.out.write_all(&said)?;
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Err(Failure::quiet(code.filter(|code| *code != exit::OK).unwrap_or(exit::FAILED)))
}

/// In the background: lets go of the terminal, of the directory, and of who waits.
pub(super) fn detach(log: &logging::To) -> Done {
    // It fails where the process leads a group already, which is as good.
    let _ = rustix::process::setsid();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let fail = |e: rustix::io::Errno| Failure::from(std::io::Error::from(e));
    rustix::stdio::dup2_stdin(&null).map_err(fail)?;
    if *log == logging::To::Stderr {
        tracing::warn!("nothing is logged from here on: --log_file names a file for it");
    }
    std::env::set_current_dir("/")?;
    let mut out = std::io::stdout().lock();
    out.write_all(&[STARTED])?;
    out.flush()?;
    rustix::stdio::dup2_stdout(&null).map_err(fail)?;
    rustix::stdio::dup2_stderr(&null).map_err(fail)
}
