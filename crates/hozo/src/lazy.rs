//! A stack for libraries that a program loads without knowing of us.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_traits::{Error, ErrorKind, Result};

use crate::{Plan, Registry, Stack};

/// A process's one [`Stack`], for a `static`: its config is read, with the
/// built-in backends, when the first name is asked for and not before.
///
/// # Forks
///
/// In the child of a process that opened a store, every question is an
/// [`Unavailable`](ErrorKind::Unavailable) error. A [`Stack`] alone would open
/// the child's stores anew: one in memory would be a second, empty one under
/// the same names, and one on disk is claimed by the parent. A program that
/// knows of Hozo can avoid that; one that does not must be told.
///
/// A fork before the first store is opened does no harm, also if the config was
/// read.
#[derive(Debug)]
pub struct LazyStack {
    /// Nobody waits here while another reads the config: a fork meanwhile would
    /// leave the child waiting for ever.
    stack: OnceLock<Arc<Stack>>,
    /// The process that opened a store first; 0 before that.
    opened_by: AtomicU32,
}

impl LazyStack {
    /// One that has read nothing yet.
    pub const fn new() -> Self {
        LazyStack { stack: OnceLock::new(), opened_by: AtomicU32::new(0) }
    }

    /// The stack. `config_file` names the config if it was not read yet; after
    /// a failure, the next question reads it again.
    pub fn stack(&self, config_file: impl FnOnce() -> Result<PathBuf>) -> Result<&Arc<Stack>> {
        if let Some(stack) = self.stack.get() {
            return Ok(stack);
        }
        let plan = Plan::from_file(config_file()?, &Registry::builtin()).map_err(|problems| {
            let line = format!("the config is wrong: {}", problems.in_one_line());
            Error::new(ErrorKind::Invalid, line)
        })?;
        // Two threads may both come here. A stack that is not used has opened nothing.
        let _ = self.stack.set(Stack::open(plan));
        self.stack.get().ok_or_else(|| Error::new(ErrorKind::Internal, "the stack was not kept"))
    }

    /// Looks a name up as [`Stack`] describes, unless a fork forbids it.
    pub fn resolve(
        &self,
        config_file: impl FnOnce() -> Result<PathBuf>,
        name: &str,
        intent: Open,
    ) -> Result<Option<Opened>> {
        self.resolve_in(std::process::id(), config_file, name, intent)
    }

    fn resolve_in(
        &self,
        process: u32,
        config_file: impl FnOnce() -> Result<PathBuf>,
        name: &str,
        intent: Open,
    ) -> Result<Option<Opened>> {
        self.forbid_fork(process, name)?;
        let stack = self.stack(config_file)?;
        if opens_store(stack, name) {
            // Before it is opened: another thread may fork meanwhile.
            self.opened_by.store(process, Ordering::Relaxed);
        }
        stack.resolve(name, intent)
    }

    /// Refuses in the child of a process that opened a store: the threads that
    /// serve it stayed there, and so did the claim on its files.
    fn forbid_fork(&self, process: u32, name: &str) -> Result<()> {
        let opened_by = self.opened_by.load(Ordering::Relaxed);
        if opened_by == 0 || opened_by == process {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "this process was forked from one that had opened a Hozo store; \
             open the first database after the fork (servers: without preloading the application)",
        )
        .with("name", name)
        .with("opened by process", opened_by))
    }
}

impl Default for LazyStack {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether asking about this name opens a store, which is what must not happen
/// on both sides of a fork.
fn opens_store(stack: &Stack, name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    let plan = stack.plan();
    plan.maps(name).is_some() || !plan.store_of(name).is_untouched()
}

#[cfg(test)]
mod tests;
