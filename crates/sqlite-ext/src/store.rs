//! The process's one stack: read and opened when SQLite first opens one of our
//! names, not before.

use std::path::PathBuf;

use hozo::LazyStack;
use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_traits::Result;

/// Names the config.
const VARIABLE: &str = "HOZO_CONFIG";
/// The config, if the environment names none.
const DEFAULT: &str = "hozo.toml";

/// The stack, and what a fork forbids.
static STACK: LazyStack = LazyStack::new();

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
    STACK.resolve(|| Ok(config_file()), name, intent)
}

fn config_file() -> PathBuf {
    let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from)
}
