//! The C shell: a `sqlite3_vfs` over [`Connection`](crate::connection::Connection)s.
//!
//! Nothing is decided here that could be decided in the library underneath.
//! Every function that SQLite calls goes through [`shell::guard`], so that no
//! panic crosses into C.

mod control;
mod db_file;
mod host;
mod mem_file;
mod methods;
mod opening;
mod plain_file;
mod pragma;
mod shell;

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::mem::size_of;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};

use crate::api::SqliteApi;
use crate::connection::Limits;
use crate::ffi::{self, sqlite3_vfs};
use crate::group::Groups;
use crate::process::{self, PerProcess};
use crate::resolver::Resolver;

pub(crate) use control::connection_of;
pub(crate) use shell::sqlite_string;

/// Limits of a registered VFS. What is not said keeps its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes that one transaction's writes take in memory; beyond, they go to
    /// the store's stage.
    pub pending_bytes_max: usize,
    /// Bytes that one journal or temporary file takes in memory; beyond, it
    /// goes to a private unlinked file.
    pub temp_file_bytes_max: usize,
    /// How long one call waits for the store before it is an I/O error. Waiting
    /// for another writer follows SQLite's busy timeout instead.
    pub wait_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            pending_bytes_max: 64 << 20,
            temp_file_bytes_max: 16 << 20,
            wait_max: Duration::from_secs(60),
        }
    }
}

impl Options {
    fn limits(&self) -> Limits {
        Limits { pending_bytes_max: self.pending_bytes_max, wait_max: self.wait_max }
    }
}

/// Sets how many bytes of pages this process caches, over all databases and all
/// copies of SQLite. 64 MiB unless set.
pub fn set_page_cache_bytes_max(bytes_max: usize) {
    process::current().cache.set_bytes_max(bytes_max);
}

/// Forgets all pages that this process caches, so that the next reads measure
/// the store.
pub fn clear_page_cache() {
    process::current().cache.clear();
}

/// A VFS that is registered in one copy of SQLite.
///
/// Dropping this leaves it registered; see [`unregister`](Self::unregister).
#[derive(Debug)]
pub struct Vfs {
    registered: &'static Registered,
}

/// What the registered `sqlite3_vfs` points to. Never freed: SQLite keeps no
/// count of who still uses a VFS.
pub(crate) struct Registered {
    pub(crate) api: &'static SqliteApi,
    pub(crate) name: CString,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) options: Options,
    /// The VFS for names that are not ours: SQLite's default at registration.
    pub(crate) plain: *mut sqlite3_vfs,
    names: PerProcess<Names>,
}

// SAFETY: `plain` points to a VFS that SQLite keeps and whose methods may be
// called from any thread; everything else is Sync by itself.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Names that are ours just now.
#[derive(Default)]
pub(crate) struct Names {
    /// Databases that are open, and how often.
    databases: RwLock<HashMap<String, usize>>,
    pub(crate) groups: Groups,
}

impl Registered {
    /// What this process has open.
    pub(crate) fn names(&self) -> &'static Names {
        self.names.get()
    }
}

impl Names {
    pub(crate) fn opened(&self, name: &str) {
        let mut databases = self.databases.write().unwrap_or_else(PoisonError::into_inner);
        *databases.entry(name.to_owned()).or_default() += 1;
    }

    pub(crate) fn closed(&self, name: &str) {
        let mut databases = self.databases.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = databases.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                databases.remove(name);
            }
        }
    }

    /// Whether the name is that of an open database of ours.
    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.databases.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Whether the name is that of a journal of an open database of ours.
    pub(crate) fn is_journal(&self, name: &str) -> bool {
        ["-journal", "-wal"]
            .into_iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|stem| self.is_open(stem)))
    }

    /// Whether the name is that of a super-journal of an open database of ours,
    /// as `vdbeCommit` makes them: the main database's name and `-mjXXXXXX9XX`.
    pub(crate) fn is_super_journal(&self, name: &str) -> bool {
        name.rsplit_once("-mj").is_some_and(|(stem, _)| self.is_open(stem))
    }
}

impl Vfs {
    /// Registers a VFS named `name` in a copy of SQLite, besides its default
    /// one, which serves all names that `resolver` does not know.
    pub fn register(
        api: &'static SqliteApi,
        resolver: Arc<dyn Resolver>,
        name: &str,
    ) -> Result<Vfs> {
        Self::register_with(api, resolver, name, Options::default())
    }

    /// The same, with other limits.
    pub fn register_with(
        api: &'static SqliteApi,
        resolver: Arc<dyn Resolver>,
        name: &str,
        options: Options,
    ) -> Result<Vfs> {
        let name = CString::new(name)
            .map_err(|_| Error::new(ErrorKind::Invalid, "the name of a VFS cannot contain NUL"))?;
        process::watch_forks();
        // SAFETY: a null name asks for the default VFS.
        let plain = unsafe { (api.vfs_find)(std::ptr::null()) };
        // SAFETY: SQLite answers null or a VFS that stays where it is.
        let Some(default) = (unsafe { plain.as_ref() }) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this SQLite has no default VFS to serve plain files",
            ));
        };
        // SAFETY: as above.
        if !unsafe { (api.vfs_find)(name.as_ptr()) }.is_null() {
            return Err(Error::new(
                ErrorKind::Exists,
                "this SQLite has a VFS of that name already",
            )
            .with("name", name.to_string_lossy()));
        }
        let registered: &'static Registered = Box::leak(Box::new(Registered {
            api,
            name,
            resolver,
            options,
            plain,
            names: PerProcess::new(),
        }));
        let own = size_of::<db_file::DbFile>().max(size_of::<mem_file::MemFileHandle>());
        // All files are of one size, which must fit a plain one inside ours.
        let file_size = plain_file::size(default.szOsFile).max(own as c_int);
        let vfs = Box::leak(Box::new(methods::vfs(registered, default, file_size)));
        // SAFETY: the structure is complete and is never freed.
        match unsafe { (api.vfs_register)(vfs, 0) } {
            ffi::SQLITE_OK => Ok(Vfs { registered }),
            code => {
                Err(Error::new(ErrorKind::Unavailable, "SQLite refused the VFS").with("code", code))
            }
        }
    }

    /// Takes the VFS out of its SQLite, so that nothing new is opened with it.
    /// What is open goes on working.
    pub fn unregister(self) -> Result<()> {
        let Registered { api, name, .. } = self.registered;
        // SAFETY: the name is a C string; SQLite answers null or the VFS.
        let vfs = unsafe { (api.vfs_find)(name.as_ptr()) };
        if vfs.is_null() {
            return Ok(());
        }
        // SAFETY: SQLite just named this VFS.
        match unsafe { (api.vfs_unregister)(vfs) } {
            ffi::SQLITE_OK => Ok(()),
            code => {
                Err(Error::new(ErrorKind::Unavailable, "SQLite keeps the VFS").with("code", code))
            }
        }
    }

    /// The name under which it is registered.
    pub fn name(&self) -> &CStr {
        &self.registered.name
    }
}
