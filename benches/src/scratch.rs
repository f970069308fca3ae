//! Databases in a scratch directory, made alike.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo::pages::{Namespace, Target};
use hozo::traits::exec::block_on;
use hozo::{Plan, Registry, Stack};
use hozo_embedded::Connect as _;
use rusqlite::Connection;
use tempfile::TempDir;

/// The namespace that benchmarks use.
const NAMESPACE: &str = "bench";

/// What a benchmark runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A plain file with a write-ahead log, `synchronous=FULL`.
    WalFull,
    /// A plain file with SQLite's default journal.
    Journal,
    /// A Hozo namespace over this backend, `serial`.
    Hozo(&'static str),
    /// A Hozo namespace over this backend, `optimistic`.
    HozoOptimistic(&'static str),
}

/// The backends that are compared with SQLite, of those that are compiled in.
pub fn backends() -> Vec<&'static str> {
    let all = ["hashdbm", "rocksdb"];
    let builtin = Registry::builtin();
    all.into_iter().filter(|backend| builtin.names().any(|name| name == *backend)).collect()
}

impl Kind {
    /// What criterion calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::WalFull => "wal_full",
            Kind::Journal => "journal",
            Kind::Hozo(backend) | Kind::HozoOptimistic(backend) => backend,
        }
    }
}

/// A directory that goes when the run ends.
pub struct Scratch {
    directory: TempDir,
    made: Cell<u32>,
}

impl Scratch {
    /// A scratch directory on the disk of the working directory, or on that of
    /// `HOZO_BENCH_DIR`: `/tmp` may be memory, where an fsync costs nothing.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let parent = std::env::var_os("HOZO_BENCH_DIR").map_or_else(target_dir, PathBuf::from);
        fs::create_dir_all(&parent).expect("the benchmark directory can be made");
        let directory = tempfile::Builder::new().prefix("hozo-bench-").tempdir_in(parent);
        Scratch {
            directory: directory.expect("a scratch directory can be made"),
            made: Cell::new(0),
        }
    }

    /// An empty directory.
    pub fn directory(&self) -> PathBuf {
        self.made.set(self.made.get() + 1);
        let path = self.directory.path().join(self.made.get().to_string());
        fs::create_dir(&path).expect("a directory can be made");
        path
    }

    /// An empty database.
    pub fn create(&self, kind: Kind) -> Database {
        let path = self.directory();
        let stack = match kind {
            Kind::WalFull | Kind::Journal => None,
            Kind::Hozo(backend) => Some(stack(&path, backend, "serial", "")),
            Kind::HozoOptimistic(backend) => Some(stack(&path, backend, "optimistic", "")),
        };
        Database { kind, path, stack }
    }

    /// A database whose bytes of history can be counted soon: where a backend
    /// keeps what is new apart, it keeps little.
    pub fn create_to_count(&self, backend: &'static str) -> Database {
        let path = self.directory();
        let more = if backend == "rocksdb" { "write_buffer_bytes = 1048576\n" } else { "" };
        let stack = Some(stack(&path, backend, "serial", more));
        Database { kind: Kind::Hozo(backend), path, stack }
    }
}

/// Where criterion writes what it measured.
pub fn criterion_dir() -> PathBuf {
    std::env::var_os("CRITERION_HOME").map_or_else(|| target_dir().join("criterion"), PathBuf::from)
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target"),
        PathBuf::from,
    )
}

fn stack(path: &Path, backend: &str, concurrency: &str, more: &str) -> Arc<Stack> {
    let text = format!(
        "[store.main]\nbackend = \"{backend}\"\npath = \"store\"\n{more}\n\
         [[namespace]]\nmatch = \"{NAMESPACE}\"\nconcurrency = \"{concurrency}\"\n"
    );
    let file = path.join("hozo.toml");
    fs::write(&file, text).expect("the config can be written");
    Stack::open(Plan::from_file(&file, &Registry::builtin()).expect("the config is right"))
}

/// One database, or a store with one namespace.
pub struct Database {
    kind: Kind,
    path: PathBuf,
    stack: Option<Arc<Stack>>,
}

impl Database {
    /// A new connection, durable as its kind says.
    pub fn connect(&self) -> Connection {
        let connection = match &self.stack {
            Some(stack) => stack.connect(NAMESPACE).expect("the namespace opens"),
            None => Connection::open(self.path.join("plain.db")).expect("the file opens"),
        };
        if self.kind == Kind::WalFull {
            let mode: String = connection
                .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
                .expect("SQLite answers");
            assert_eq!(mode, "wal");
        }
        connection.execute_batch("PRAGMA synchronous = FULL").expect("SQLite takes the pragma");
        connection
            .busy_timeout(std::time::Duration::from_secs(60))
            .expect("SQLite takes a busy timeout");
        connection
    }

    /// A read-only connection to an old version.
    pub fn connect_at(&self, version: &str) -> Connection {
        let stack = self.stack.as_ref().expect("a plain file has no versions");
        stack.connect(&format!("{NAMESPACE}@{version}")).expect("the version opens")
    }

    /// The newest version.
    pub fn version(&self, connection: &Connection) -> String {
        connection
            .query_row("SELECT hozo_version()", [], |row| row.get(0))
            .expect("the function is there")
    }

    /// Waits until all that was committed is on the disk.
    fn settle(&self) {
        let stack = self.stack.as_ref().expect("a plain file has no store");
        let store = stack.store("main").expect("the store is open");
        let newest = block_on(store.store().watermarks()).expect("the store answers").sequenced;
        block_on(store.store().wait_durable(newest)).expect("the store syncs");
    }

    /// A copy of the store's directory, closed: as a kill -9 now would leave it.
    pub fn copy(&self) -> Closed {
        self.settle();
        let path = self.path.with_extension("copy");
        copy_directory(&self.path, &path);
        Closed { path }
    }

    /// Bytes that the store takes for history: files of tables, segments and
    /// indexes, without RocksDB's log, which is preallocated and used again.
    pub fn history_bytes(&self) -> u64 {
        let is_history = |name: &Path| {
            name.extension().is_some_and(|e| e == "sst" || e == "seg")
                || name.file_name().is_some_and(|name| name == "index")
        };
        bytes_of(&self.path.join("store"), &is_history)
    }

    /// A page of the database and of its newest version, from the store itself:
    /// without SQLite, and without what its connections remember.
    pub fn namespace(&self) -> Arc<Namespace> {
        let stack = self.stack.as_ref().expect("a plain file has no store");
        let namespaces = stack.store("main").expect("the store is open");
        block_on(namespaces.open(&NAMESPACE.parse().expect("a name"))).expect("it opens")
    }
}

fn bytes_of(directory: &Path, counts: &dyn Fn(&Path) -> bool) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        let about = entry.metadata().expect("it can be looked at");
        if about.is_dir() {
            bytes += bytes_of(&entry.path(), counts);
        } else if counts(&entry.path()) {
            bytes += about.len();
        }
    }
    bytes
}

/// A store that no process has open.
pub struct Closed {
    path: PathBuf,
}

impl Closed {
    /// Opens the store, reads the newest page 1, and closes it again.
    pub fn open_and_read(&self) {
        let plan = Plan::from_file(self.path.join("hozo.toml"), &Registry::builtin());
        let stack = Stack::open(plan.expect("the config is right"));
        let target: Target = NAMESPACE.parse().expect("a name");
        let namespaces = stack.store("main").expect("the store opens");
        let namespace = block_on(namespaces.open(&target.name)).expect("the namespace opens");
        let head = block_on(namespace.heads()).expect("the store answers").durable;
        let page = block_on(namespace.read(&[hozo::traits::PageNo::ONE], head.version));
        assert!(page.expect("page 1 can be read")[0].is_some());
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it has a type").is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("the file can be copied");
        }
    }
}
