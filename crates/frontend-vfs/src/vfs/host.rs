//! What the VFS asks of the database connection that it serves.

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::api::SqliteApi;
use crate::ffi::sqlite3;
use crate::wait::Host;

/// Pointers that SQLite hands to an open file.
pub(super) struct HostCell {
    api: &'static SqliteApi,
    /// `SQLITE_FCNTL_PDB`: where the b-tree keeps its connection's address.
    db: AtomicPtr<*mut sqlite3>,
    /// `SQLITE_FCNTL_BUSYHANDLER`: a function and its argument. Both stay valid
    /// while the file is open; only the file's own calls use them.
    busy: AtomicPtr<c_void>,
    busy_arg: AtomicPtr<c_void>,
}

impl HostCell {
    pub(super) fn new(api: &'static SqliteApi) -> Arc<Self> {
        Arc::new(HostCell {
            api,
            db: AtomicPtr::new(null_mut()),
            busy: AtomicPtr::new(null_mut()),
            busy_arg: AtomicPtr::new(null_mut()),
        })
    }

    pub(super) fn set_db(&self, db: *mut *mut sqlite3) {
        self.db.store(db, Ordering::Release);
    }

    pub(super) fn set_busy(&self, handler: *mut c_void, arg: *mut c_void) {
        self.busy_arg.store(arg, Ordering::Release);
        self.busy.store(handler, Ordering::Release);
    }

    /// The connection; null if SQLite did not say.
    pub(super) fn db(&self) -> *mut sqlite3 {
        let db = self.db.load(Ordering::Acquire);
        // SAFETY: null, or the field that SQLite said, which lives as long as
        // the file is open.
        unsafe { db.as_ref() }.map_or(null_mut(), |db| *db)
    }

    /// Whether the connection is in a transaction that it began by itself.
    pub(super) fn in_transaction(&self) -> bool {
        let db = self.db();
        // SAFETY: a live connection, on its own thread.
        !db.is_null() && unsafe { (self.api.get_autocommit)(db) } == 0
    }
}

/// The host of one connection.
pub(super) struct SqliteHost(pub(super) Arc<HostCell>);

impl Host for SqliteHost {
    fn busy(&self) -> bool {
        let handler = self.0.busy.load(Ordering::Acquire);
        if handler.is_null() {
            return false;
        }
        // SAFETY: SQLite said that this is such a function and that this is
        // its argument (`sqlite3PagerSetBusyHandler`).
        unsafe {
            let handler: unsafe extern "C" fn(*mut c_void) -> c_int = transmute(handler);
            handler(self.0.busy_arg.load(Ordering::Acquire)) != 0
        }
    }

    fn interrupted(&self) -> bool {
        let db = self.0.db();
        match self.0.api.is_interrupted {
            // SAFETY: a live connection; the function may be called from anywhere.
            Some(is_interrupted) if !db.is_null() => unsafe { is_interrupted(db) != 0 },
            _ => false,
        }
    }
}
