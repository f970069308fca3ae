//! One transaction over several databases.
//!
//! SQLite commits it through a *super-journal* (`vdbeCommit`): it makes the file,
//! writes the names of all journals into it, syncs each database with the
//! super-journal's name, and deletes it. The deletion is the commit. So each of
//! our databases prepares its changes when it is synced, and all are published,
//! at one version, when the file is deleted.
//!
//! If that fails, SQLite rolls each database back by playing its journal, but
//! only if the super-journal that the journal names still exists
//! (`pager_playback`), and afterwards tries to delete it without syncing the
//! directory (`pager_delsuper`). So a super-journal whose commit failed goes on
//! existing until its thread makes another one: by then all are rolled back,
//! since SQLite does that before it answers the commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use hozo_pages::Namespaces;
use hozo_traits::{Error, ErrorKind, Result};

use crate::code::Failure;
use crate::connection::{Connection, publish_together};
use crate::memfile::MemFile;

/// Failed super-journals that are kept at most, were there ever so many threads.
const FAILED_MAX: usize = 4096;

/// A super-journal, and the databases that take part.
pub(crate) struct Group {
    thread: ThreadId,
    pub(crate) contents: Mutex<MemFile>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parts: Vec<Weak<Mutex<Connection>>>,
    store: Option<Arc<Namespaces>>,
    /// A plain file was synced with this super-journal's name.
    plain: bool,
    /// Why nothing is published, once that is so.
    given_up: Option<String>,
}

impl Group {
    /// Adds a database whose changes are prepared.
    pub(crate) fn join(
        &self,
        part: Weak<Mutex<Connection>>,
        store: &Arc<Namespaces>,
    ) -> Result<()> {
        let mut state = self.state();
        if state.plain {
            return Err(state.refuse(mixed()));
        }
        if !Arc::ptr_eq(state.store.get_or_insert_with(|| Arc::clone(store)), store) {
            return Err(state.refuse(Error::new(
                ErrorKind::Unsupported,
                "one transaction cannot write databases of two stores",
            )));
        }
        state.parts.push(part);
        Ok(())
    }

    /// Notes that a plain file takes part.
    pub(crate) fn join_plain(&self) -> Result<()> {
        let mut state = self.state();
        state.plain = true;
        if state.parts.is_empty() { Ok(()) } else { Err(state.refuse(mixed())) }
    }

    /// Makes sure that nothing is published; why.
    pub(crate) fn give_up(&self) -> String {
        let why = "the transaction was rolled back in another of its databases";
        self.state().given_up.get_or_insert_with(|| why.to_owned()).clone()
    }

    fn publish(&self) -> Result<(), Failure> {
        let parts = {
            let mut state = self.state();
            if let Some(why) = &state.given_up {
                return Err(Error::new(ErrorKind::Conflict, why.clone()).into());
            }
            // Whatever becomes of it, it is tried once.
            state.given_up = Some("the commit was tried before".to_owned());
            state.parts.iter().filter_map(Weak::upgrade).collect::<Vec<_>>()
        };
        if parts.is_empty() { Ok(()) } else { publish_together(&parts) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives up because of this error.
    fn refuse(&mut self, e: Error) -> Error {
        self.given_up = Some(e.to_string());
        e
    }
}

fn mixed() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "one transaction cannot write both a Hozo database and a plain file",
    )
}

/// The super-journals that exist, by name.
#[derive(Default)]
pub(crate) struct Groups(Mutex<HashMap<String, Arc<Group>>>);

impl Groups {
    /// Makes a super-journal.
    pub(crate) fn create(&self, name: &str, memory_bytes_max: usize) -> Arc<Group> {
        let thread = thread::current().id();
        let group = Arc::new(Group {
            thread,
            contents: Mutex::new(MemFile::new(memory_bytes_max)),
            state: Mutex::default(),
        });
        let mut groups = self.lock();
        groups.retain(|_, old| old.thread != thread);
        if groups.len() >= FAILED_MAX {
            groups.retain(|_, old| old.state().given_up.is_none());
        }
        groups.insert(name.to_owned(), Arc::clone(&group));
        group
    }

    /// The super-journal of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Group>> {
        self.lock().get(name).cloned()
    }

    /// SQLite deletes a super-journal; `commits` if that is the commit. `None`
    /// if there is none of this name.
    pub(crate) fn delete(&self, name: &str, commits: bool) -> Option<Result<(), Failure>> {
        let group = self.get(name)?;
        if !commits {
            group.give_up();
            return Some(Ok(()));
        }
        let published = group.publish();
        if published.is_ok() {
            self.lock().remove(name);
        }
        Some(published)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Group>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
