//! A SQLite database: a namespace, or a plain file as the yardstick.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hozo::Stack;
use hozo::traits::exec::block_on;
use hozo::traits::{Error, ErrorKind, Result};
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::{self, Connection};

/// How long a connection waits for others before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Where connections go.
#[derive(Clone, Debug)]
pub enum Database {
    /// A plain file, with a write-ahead log and `synchronous=FULL`.
    File(PathBuf),
    /// A namespace.
    Namespace {
        /// Where it is.
        stack: Arc<Stack>,
        /// The store's name.
        store: String,
        /// Its name.
        name: String,
    },
}

impl Database {
    /// A new connection whose commits are durable.
    pub fn connect(&self) -> Result<Connection> {
        let connection = match self {
            Database::File(path) => {
                let connection = Connection::open(path).map_err(failed)?;
                let set = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
                let mode: String = set.map_err(failed)?;
                if mode != "wal" {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "SQLite cannot keep a write-ahead log on this file system",
                    )
                    .with("journal_mode", mode));
                }
                connection
            }
            Database::Namespace { stack, name, .. } => stack.connect(name)?,
        };
        connection.execute_batch("PRAGMA synchronous = FULL").map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        Ok(connection)
    }

    /// An error if there are no versions to go back to.
    pub fn has_versions(&self) -> Result<()> {
        match self {
            Database::File(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "a plain SQLite file has no versions to go back to",
            )),
            Database::Namespace { .. } => Ok(()),
        }
    }

    /// A connection to what there was at a version, which only reads.
    pub fn connect_at(&self, version: &str) -> Result<Connection> {
        self.has_versions()?;
        match self {
            Database::File(path) => Connection::open(path).map_err(failed),
            Database::Namespace { stack, name, .. } => stack.connect(&format!("{name}@{version}")),
        }
    }

    /// The newest version; `None` of a file.
    pub fn version(&self, connection: &Connection) -> Result<Option<String>> {
        match self {
            Database::File(_) => Ok(None),
            Database::Namespace { .. } => {
                connection.query_row("SELECT hozo_version()", [], |row| row.get(0)).map_err(failed)
            }
        }
    }

    /// Waits until all that was committed is on stable storage.
    pub fn settle(&self) -> Result<()> {
        let Database::Namespace { stack, store, .. } = self else { return Ok(()) };
        let pages = stack.store(store)?;
        let newest = block_on(pages.store().watermarks())?.sequenced;
        block_on(pages.store().wait_durable(newest))
    }
}

/// SQLite's error as one of ours.
pub(super) fn failed(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Internal, "SQLite failed in a benchmark").caused_by(error)
}
