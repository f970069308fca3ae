//! The process's one stack: read and opened when a name may be ours, not before.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::OnceLock;

use hozo::LazyStack;
use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_traits::{Error, ErrorKind, Result};

use crate::{refuse, report};

/// Names the config. Without it, every open is passed through.
pub(crate) const VARIABLE: &str = "HOZO_CONFIG";

/// The stack, and what a fork forbids.
static STACK: LazyStack = LazyStack::new();

thread_local! {
    /// While an open of ours runs on this thread: why the resolver failed in
    /// it. SQLite hands on a number only.
    static FAILURE: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Failure(Option<String>);

/// Whether a name is a namespace's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Yes: it exists, or the config maps its name.
    Yes,
    /// No: it is a plain file.
    No,
}

/// The config that the environment named when the library was loaded.
static CONFIG: OnceLock<PathBuf> = OnceLock::new();

/// Keeps the config's name: a program that clears its environment must not turn
/// its databases into plain files by that.
pub(crate) fn remember_config() {
    if let Some(file) = config_file() {
        let _ = CONFIG.set(file);
    }
}

/// The config that the environment names, or named.
pub(crate) fn config_file() -> Option<PathBuf> {
    let named = || std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    CONFIG.get().cloned().or_else(named)
}

/// Whether the environment names a config.
pub(crate) fn configured() -> bool {
    config_file().is_some()
}

/// Whether the name is a namespace's. A failure to find out is an error, never
/// "no": the name may be that of a database whose store is out of reach.
pub(crate) fn find(name: &str) -> Result<Found, String> {
    match resolve(name, Open { create: false, readonly: true }) {
        Ok(Some(_)) => Ok(Found::Yes),
        Ok(None) => Ok(Found::No),
        // The config maps the name, and the open may make it.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Found::Yes),
        Err(e) if name.contains('@') || mapped(name) => Err(e.to_string()),
        Err(e) => Err(format!("{e}; if a plain file is meant, it can be opened as ./{name}")),
    }
}

/// Whether the config, if it can be read, says that the name is a namespace's.
fn mapped(name: &str) -> bool {
    STACK.stack(named_config).is_ok_and(|stack| stack.plan().maps(name).is_some())
}

/// Runs an open, and answers also why the resolver failed in it, if it did.
pub(crate) fn capture<T>(open: impl FnOnce() -> T) -> (T, Option<String>) {
    FAILURE.set(Some(Failure::default()));
    let answer = open();
    (answer, FAILURE.take().and_then(|failure| failure.0))
}

/// What the VFS asks: the stack, read and opened at the first question.
pub(crate) struct Lazy;

impl Resolver for Lazy {
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        let answer = resolve(name, intent);
        let why_not = match &answer {
            Ok(Some(_)) => None,
            Ok(None) => return answer,
            Err(e) => Some(e.to_string()),
        };
        FAILURE.with_borrow_mut(|failure| match failure {
            Some(failure) => failure.0 = why_not,
            None => {
                report::asked_of_vfs(name, why_not.as_deref());
                if let Some(why) = why_not {
                    refuse::say(&format!("cannot open {name}: {why}"));
                }
            }
        });
        answer
    }

    fn is_ours(&self, name: &str) -> bool {
        // Out of reach counts as ours, so that the open which follows says why.
        find(name) != Ok(Found::No)
    }
}

fn resolve(name: &str, intent: Open) -> Result<Option<Opened>> {
    STACK.resolve(named_config, name, intent)
}

fn named_config() -> Result<PathBuf> {
    config_file()
        .ok_or_else(|| Error::new(ErrorKind::Invalid, "HOZO_CONFIG does not name a config"))
}
