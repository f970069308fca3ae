//! The process's one stack: read and opened when SQLite first opens one of our
//! names, not before.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hozo::{Plan, Problems, Registry, Stack};
use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_traits::{Error, ErrorKind, Result};

/// Names the config.
const VARIABLE: &str = "HOZO_CONFIG";
/// The config, if the environment names none.
const DEFAULT: &str = "hozo.toml";

/// The stack, once the config was read. Nobody waits here while another reads
/// it: a fork meanwhile would leave the child waiting for ever.
static STACK: OnceLock<Arc<Stack>> = OnceLock::new();

/// The process that asked a stack first; 0 before that.
static OPENED_BY: AtomicU32 = AtomicU32::new(0);

/// What the VFS asks: the stack, read and opened at the first question.
pub(crate) struct Lazy;

impl Resolver for Lazy {
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        resolve(name, intent).inspect_err(|e| {
            // SQLite hands on a number only. In one write, and without the
            // standard library's lock, which a fork may have left locked.
            let line = format!("hozo: cannot open {name}: {e}\n");
            // SAFETY: as many bytes as the line has. A program may have no
            // standard error; that is no reason to fail.
            unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
        })
    }

    fn is_ours(&self, name: &str) -> bool {
        // Out of reach counts as ours, so that the open which follows says why.
        !matches!(resolve(name, Open { create: false, readonly: true }), Ok(None))
    }
}

fn resolve(name: &str, intent: Open) -> Result<Option<Opened>> {
    let opened_by = OPENED_BY.load(Ordering::Relaxed);
    if opened_by != 0 && opened_by != std::process::id() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "this process was forked from one that had opened a Hozo store; \
             open the first database after the fork",
        )
        .with("opened by process", opened_by));
    }
    let stack = stack()?;
    OPENED_BY.store(std::process::id(), Ordering::Relaxed);
    stack.resolve(name, intent)
}

fn stack() -> Result<&'static Arc<Stack>> {
    if let Some(stack) = STACK.get() {
        return Ok(stack);
    }
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let file = named.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
    let plan = Plan::from_file(file, &Registry::builtin()).map_err(|problems| wrong(&problems))?;
    // Two threads may both come here. A stack that is not used has opened nothing.
    let _ = STACK.set(Stack::open(plan));
    STACK.get().ok_or_else(|| Error::new(ErrorKind::Internal, "the stack was not kept"))
}

/// What is wrong with a config, on one line: the first problem, and where to
/// see the others.
fn wrong(problems: &Problems) -> Error {
    let mut line = String::from("the config is wrong");
    for problem in problems.iter().take(1) {
        line.push_str(&format!(": {}", problem.file()));
        if let (Some(at), Some(column)) = (problem.line(), problem.column()) {
            line.push_str(&format!(":{at}:{column}"));
        }
        line.push_str(&format!(": {}", problem.message()));
        for more in problem.hint().into_iter().chain(problem.notes().iter().map(String::as_str)) {
            line.push_str(&format!("; {more}"));
        }
        match problems.iter().count() - 1 {
            0 => {}
            1 => line.push_str("; and one more problem, see `hozo check`"),
            n => line.push_str(&format!("; and {n} more problems, see `hozo check`")),
        }
    }
    Error::new(ErrorKind::Invalid, line)
}
