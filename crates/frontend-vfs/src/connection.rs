//! The state machine behind one database that SQLite has open.
//!
//! It knows nothing of C: SQLite's calls come as methods, in the order in which
//! the pager makes them, and what the pager is known to do between them is said
//! where it matters. Its parts:
//!
//! - [`snapshot`]: what xLock and xUnlock do: snapshots and the writer slot;
//! - [`io`]: reads and writes over snapshot, cache and pending blocks;
//! - [`prepare`]: what a transaction changed;
//! - [`publish`]: what a commit is, and how it is made.

mod io;
mod prepare;
mod publish;
mod snapshot;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use hozo_pages::{Concurrency, Head, Namespace, READ_PAGES_MAX, WriterSlot};
use hozo_traits::{CommitId, Durability, Error, ErrorKind, PageNo, Result, Version};

use crate::code::Failure;
use crate::pending::Pending;
use crate::process::{self, Process};
use crate::resolver::Opened;
use crate::shared::Shared;
use crate::wait::{self, Host};

pub(crate) use publish::publish_together;

/// Limits of one connection; see [`Options`](crate::Options).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) pending_bytes_max: usize,
    pub(crate) wait_max: Duration,
}

/// How strong a lock SQLite holds. PENDING is never asked for by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    None,
    Shared,
    Reserved,
    Exclusive,
}

/// How long a call of the store may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    wait_max: Duration,
}

impl Patience {
    /// Runs a call of the store on this thread.
    pub(crate) fn run<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        wait::run_through(self.wait_max, future)
    }
}

/// `PRAGMA synchronous`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Synchronous {
    Off,
    Normal,
    Full,
    Extra,
}

impl Synchronous {
    /// How durable this makes commits, and what readers may see.
    pub(crate) fn durability(self) -> Durability {
        match self {
            Synchronous::Off | Synchronous::Normal => Durability::Sequenced,
            Synchronous::Full | Synchronous::Extra => Durability::Durable,
        }
    }
}

impl FromStr for Synchronous {
    type Err = Error;

    /// As SQLite's `getSafetyLevel` understands it.
    fn from_str(s: &str) -> Result<Self> {
        match s.to_ascii_lowercase().as_str() {
            "0" | "off" | "no" | "false" => Ok(Synchronous::Off),
            "1" | "normal" | "on" | "yes" | "true" => Ok(Synchronous::Normal),
            "2" | "full" => Ok(Synchronous::Full),
            "3" | "extra" => Ok(Synchronous::Extra),
            _ => Err(Error::new(ErrorKind::Invalid, "synchronous is off, normal, full or extra")),
        }
    }
}

/// How far the write transaction's publication is.
enum Phase {
    /// Nothing was published since the transaction began.
    Open,
    /// Its changes wait for those of other databases; see [`crate::group`].
    Prepared(prepare::Prepared),
    /// It was committed; SQLite finishes its own work.
    Published,
    /// It cannot be committed any more: SQLite must roll back.
    Failed(ErrorKind),
}

/// What SQLite's cache was filled from since it was last emptied.
#[derive(Default)]
enum ReadSet {
    #[default]
    Empty,
    Pages(HashSet<PageNo>),
    /// More than are checked one by one.
    Everything,
}

impl ReadSet {
    fn add(&mut self, page: PageNo) {
        match self {
            ReadSet::Empty => *self = ReadSet::Pages(HashSet::from([page])),
            ReadSet::Pages(pages) => {
                pages.insert(page);
                if pages.len() >= READ_PAGES_MAX {
                    *self = ReadSet::Everything;
                }
            }
            ReadSet::Everything => {}
        }
    }
}

/// One database that SQLite has open.
pub(crate) struct Connection {
    id: u64,
    me: Weak<Mutex<Connection>>,
    namespace: Arc<Namespace>,
    process: &'static Process,
    shared: Arc<Shared>,
    host: Box<dyn Host>,
    limits: Limits,
    /// The one version that is shown, of a snapshot.
    fixed: Option<Head>,
    /// It may be written.
    writable: bool,
    concurrency: Concurrency,
    synchronous: Synchronous,
    level: Level,
    /// What reads see while a lock is held; afterwards, what SQLite's cache
    /// stands for.
    head: Option<Head>,
    /// The change counter that page 1 is given with, and the largest so far.
    counter: u32,
    counter_max: u32,
    /// SQLite emptied its cache when the present read lock was taken.
    dropped: bool,
    /// A page other than 1 was given since the present read lock was taken.
    others_read: bool,
    /// SQLite's cache may hold what was never committed: empty it.
    must_drop: bool,
    reads: ReadSet,
    slot: Option<WriterSlot>,
    pending: Pending,
    /// Names the commit of this transaction, and its stage.
    commit_id: Option<CommitId>,
    phase: Phase,
    last_own: Version,
    /// Memory that SQLite has pointers into, by address, and how many.
    pins: HashMap<usize, (Bytes, usize)>,
    last_error: Option<String>,
    /// Waits are not interruptible just now: SQLite may be rolling back, which
    /// must not be left half-way.
    patient: bool,
}

impl Connection {
    /// Opens what a name stands for.
    pub(crate) fn open(
        opened: Opened,
        readonly: bool,
        host: Box<dyn Host>,
        limits: Limits,
    ) -> Arc<Mutex<Self>> {
        let Opened { namespace, snapshot, concurrency } = opened;
        let process = process::current();
        let shared = process.shared(&namespace);
        let concurrency = concurrency.unwrap_or_else(|| namespace.concurrency());
        let writable = snapshot.is_none() && !readonly;
        let seed = namespace.namespaces().ambient().now().as_micros() as u32;
        Arc::new_cyclic(|me| {
            let connection = Connection {
                id: process::next_connection(),
                me: me.clone(),
                namespace,
                process,
                shared,
                host,
                limits,
                fixed: snapshot,
                writable,
                concurrency,
                synchronous: Synchronous::Full,
                level: Level::None,
                head: None,
                counter: seed,
                counter_max: seed,
                dropped: false,
                others_read: false,
                must_drop: false,
                reads: ReadSet::default(),
                slot: None,
                pending: Pending::default(),
                commit_id: None,
                phase: Phase::Open,
                last_own: Version::ZERO,
                pins: HashMap::new(),
                last_error: None,
                patient: false,
            };
            connection.count_serial(true);
            Mutex::new(connection)
        })
    }

    /// What SQL functions work on: the namespace, and a way to wait for it.
    pub(crate) fn for_functions(&self) -> (Arc<Namespace>, Patience) {
        (Arc::clone(&self.namespace), Patience { wait_max: self.limits.wait_max })
    }

    /// What the transaction reads; `None` if there is none.
    pub(crate) fn locked_head(&self) -> Option<Head> {
        self.fixed.or(self.head.filter(|_| self.level >= Level::Shared))
    }

    pub(crate) fn level(&self) -> Level {
        self.level
    }

    pub(crate) fn synchronous(&self) -> Synchronous {
        self.synchronous
    }

    pub(crate) fn set_synchronous(&mut self, synchronous: Synchronous) {
        self.synchronous = synchronous;
    }

    pub(crate) fn concurrency(&self) -> Concurrency {
        self.concurrency
    }

    /// Changes how this connection writes, from the next transaction on.
    pub(crate) fn set_concurrency(&mut self, concurrency: Concurrency) -> Result<()> {
        if self.level >= Level::Reserved {
            return Err(Error::new(
                ErrorKind::Invalid,
                "concurrency cannot be changed inside a write transaction",
            ));
        }
        if concurrency != self.concurrency {
            self.count_serial(false);
            self.concurrency = concurrency;
            self.count_serial(true);
            // In serial mode reads are not remembered, so what SQLite has
            // cached could not be checked.
            self.must_drop = true;
        }
        Ok(())
    }

    /// Counts this among the serial writers, or no more.
    fn count_serial(&self, comes: bool) {
        if self.concurrency == Concurrency::Serial && self.writable {
            if comes {
                self.shared.serial.fetch_add(1, Ordering::SeqCst);
            } else {
                self.shared.serial.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// What failed last, in words, for `PRAGMA hozo_last_error`.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub(crate) fn note_error(&mut self, failure: &Failure) {
        self.last_error = Some(failure.to_string());
    }

    /// Runs a call of the store on this thread.
    fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T, Failure> {
        if self.patient {
            return Ok(wait::run_through(self.limits.wait_max, future)?);
        }
        wait::run(&*self.host, self.limits.wait_max, future)
    }

    fn store_changed(&self, error: Error) -> Error {
        error.with("namespace", &self.namespace.info().name)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.unlock(Level::None);
        self.count_serial(false);
        drop(self.shared.unpark(self.id));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("namespace", &self.namespace.info().name)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
