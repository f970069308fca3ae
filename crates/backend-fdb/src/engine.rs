//! The engine: FoundationDB as an [`OrderedEngine`]. This file and what is below it
//! are the only ones that name the crate.

use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use foundationdb::options::{DatabaseOption, TransactionOption};
use foundationdb::{Database, FdbError, Transaction};
use hozo_ordered::{KeyRange, Limits, OrderedEngine, Pair, Scan, Space, Write, WriteOutcome};
use hozo_traits::{Ambient, Capabilities, Error, ErrorKind, Result, Version, Watermarks};

use self::doubt::Marks;
use self::future::ready;
use self::keys::Keys;
use crate::Config;

mod client;
mod doubt;
mod errors;
mod fill;
mod future;
mod keys;
mod network;
mod read;
mod write;

/// How often an operation begins again after an error that passes, at most; there is
/// also the time that it may take.
const RETRIES_MAX: i32 = 1000;

/// One store in a cluster.
pub(crate) struct Engine {
    /// Not dropped in a process that was forked, where nobody would hear of it.
    database: ManuallyDrop<Database>,
    keys: Keys,
    marks: Marks,
    seen: Mutex<Seen>,
}

/// What this process knows of the cluster's versions. Neither moves back.
#[derive(Clone, Copy)]
struct Seen {
    /// The newest that the cluster was read at, or written.
    read: i64,
    /// The newest of the store.
    store: Version,
}

impl Engine {
    /// The store of this config; nothing is read or written yet.
    pub(crate) fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Self> {
        let api_version = network::start(config)?;
        let database = match (&config.cluster, &config.cluster_file) {
            (Some(cluster), _) => described(cluster, api_version)?,
            (None, Some(path)) => in_file(path)?,
            (None, None) => Database::default().map_err(errors::opening)?,
        };
        let timeout = i32::try_from(config.timeout().as_millis()).unwrap_or(i32::MAX);
        for option in [
            DatabaseOption::TransactionTimeout(timeout),
            DatabaseOption::TransactionRetryLimit(RETRIES_MAX),
        ] {
            database.set_option(option).map_err(errors::opening)?;
        }
        Ok(Engine {
            database: ManuallyDrop::new(database),
            keys: Keys::new(&config.prefix),
            marks: Marks::new(ambient),
            seen: Mutex::new(Seen { read: 0, store: Version::ZERO }),
        })
    }

    /// Removes what processes left behind that ended long ago.
    pub(crate) async fn tidy(&self) -> Result<()> {
        let (start, end) = self.keys.marks_before(&self.marks.forgotten_before());
        self.clear(&start, &end).await
    }

    fn begin(&self) -> Result<Transaction> {
        network::check_process()?;
        network::used();
        let transaction = self.database.create_trx().map_err(errors::ended)?;
        prepare(&transaction)?;
        Ok(transaction)
    }

    fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw_read(&self, version: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.read = seen.read.max(version);
    }

    /// The store has this version, and so has been read or written at it.
    fn saw_store(&self, version: Version) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.store = seen.store.max(version);
        seen.read = seen.read.max(read_version(version));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if network::check_process().is_ok() {
            // SAFETY: nothing uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.database) };
            network::closed();
        }
    }
}

/// The cluster's version in the ten bytes that it gave to a commit.
fn read_version(version: Version) -> i64 {
    let [a, b, c, d, e, f, g, h, _, _] = *version.as_bytes();
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What is of a transaction, and has to be said again after an error.
fn prepare(transaction: &Transaction) -> Result<()> {
    // Reads come before all changes, and changes are to be made in their order.
    transaction.set_option(TransactionOption::ReadYourWritesDisable).map_err(errors::ended)
}

/// Waits as long as FoundationDB advises after this error, for another attempt. An
/// error that does not pass is answered, as is one for which there was no time left.
async fn again(transaction: Transaction, error: FdbError) -> Result<Transaction> {
    let transaction = ready(transaction.on_error(error)).await.map_err(errors::ended)?;
    prepare(&transaction)?;
    Ok(transaction)
}

fn in_file(path: &Path) -> Result<Database> {
    let text = path.to_str().filter(|text| !text.contains('\0')).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "the path of a cluster file is no text")
            .with("setting", "cluster_file")
            .with("path", path.display())
    })?;
    let opened = Database::from_path(text);
    opened.map_err(|e| errors::opening(e).with("cluster file", path.display()))
}

fn described(cluster: &str, api_version: i32) -> Result<Database> {
    const FUNCTION: &std::ffi::CStr = c"fdb_create_database_from_connection_string";
    if !client::has(FUNCTION) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the client library takes a cluster as text from 7.2 on; use cluster_file",
        )
        .with("setting", "cluster")
        .with("API version", api_version));
    }
    let text = CString::new(cluster).map_err(|e| {
        Error::new(ErrorKind::Invalid, "what describes a cluster has no zero byte").caused_by(e)
    })?;
    let mut database = std::ptr::null_mut();
    // SAFETY: the text is a C string, and there is room for a pointer.
    let code = unsafe {
        foundationdb_sys::fdb_create_database_from_connection_string(text.as_ptr(), &mut database)
    };
    match NonNull::new(database) {
        // SAFETY: it was just made, and is nobody else's.
        Some(database) if code == 0 => Ok(unsafe { Database::new_from_pointer(database) }),
        _ => Err(errors::opening(FdbError::from_code(code)).with("setting", "cluster")),
    }
}

#[async_trait]
impl OrderedEngine for Engine {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: crate::NAME,
            persistent: true,
            exclusive: false,
            chosen_versions: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits::FOUNDATIONDB
    }

    async fn watermarks(&self) -> Result<Watermarks> {
        // A commit is on stable storage before anybody sees it.
        let newest = self.newest().await?;
        Ok(Watermarks { sequenced: newest, durable: newest })
    }

    async fn wait_durable(&self, version: Version) -> Result<()> {
        if version <= self.seen().store {
            return Ok(());
        }
        let newest = self.newest().await?;
        if version <= newest {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Invalid, "this version was not committed yet")
            .with("version", version)
            .with("newest", newest))
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.get_many(space, &[key.to_vec()]).await?.pop().flatten())
    }

    async fn get_many(&self, space: Space, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>> {
        self.values(space, keys).await
    }

    async fn last_in_many(&self, space: Space, ranges: &[KeyRange]) -> Result<Vec<Option<Pair>>> {
        self.last_in(space, ranges).await
    }

    async fn scan(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        self.pairs(scan).await
    }

    async fn write(&self, write: Write) -> Result<WriteOutcome> {
        self.make(write).await
    }
}
