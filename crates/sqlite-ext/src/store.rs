//! The process's one stack: read and opened when SQLite first opens one of our
//! names, not before.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hozo::{Plan, Registry, Stack};
use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_traits::{Error, ErrorKind, Result};

/// Names the config.
const VARIABLE: &str = "HOZO_CONFIG";
/// The config, if the environment names none.
const DEFAULT: &str = "hozo.toml";

/// The stack, once the config was read.
static STACK: Mutex<Option<Arc<Stack>>> = Mutex::new(None);

/// The process that asked a stack first; 0 before that.
static OPENED_BY: AtomicU32 = AtomicU32::new(0);

/// What the VFS asks: the stack, read and opened at the first question.
pub(crate) struct Lazy;

impl Resolver for Lazy {
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        resolve(name, intent).inspect_err(|e| {
            // SQLite hands on a number only. A program may have no standard
            // error; that is no reason to fail.
            let _ = writeln!(std::io::stderr(), "hozo: cannot open {name}: {e}");
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

fn stack() -> Result<Arc<Stack>> {
    let mut slot = STACK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stack) = &*slot {
        return Ok(stack.clone());
    }
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let file = named.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
    let plan = Plan::from_file(file, &Registry::builtin())?;
    Ok(slot.insert(Stack::open(plan)).clone())
}
