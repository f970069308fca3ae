//! A store, a VFS over it, and connections.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use hozo_frontend_vfs::{Open, Opened, Options, Resolver, SqliteApi, Vfs, sqlite_api};
use hozo_pages::{Concurrency, CreateOptions, Head, Namespace, NamespaceName, Namespaces, Target};
use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, ErrorKind, PageSize, PageStore, Result, Span, SystemAmbient, Version};
use rusqlite::{Connection, OpenFlags};

use crate::faults::Gate;

pub(crate) fn api() -> &'static SqliteApi {
    static API: OnceLock<SqliteApi> = OnceLock::new();
    API.get_or_init(|| sqlite_api!(rusqlite::ffi).unwrap())
}

/// Finds every name that is not a path, and makes those that are not there.
/// Without namespaces after the test, so that its store goes: a VFS stays.
struct Names(Mutex<Option<Arc<Namespaces>>>);

impl Resolver for Names {
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        if name.starts_with('/') {
            return Ok(None);
        }
        let namespaces = self.0.lock().unwrap().clone().expect("the test is not over");
        let target: Target = name.parse()?;
        let namespace = match block_on(namespaces.open(&target.name)) {
            Err(e) if e.kind() == ErrorKind::NotFound && intent.create => {
                block_on(namespaces.create(&target.name, CreateOptions::default()))?;
                block_on(namespaces.open(&target.name))?
            }
            other => other?,
        };
        let snapshot = block_on(namespaces.resolve(&target))?.at;
        Ok(Some(Opened { namespace, snapshot, concurrency: None }))
    }

    fn is_ours(&self, name: &str) -> bool {
        !name.starts_with('/')
    }
}

/// A store with a VFS of its own.
pub(crate) struct Kit {
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) vfs: String,
    /// Whether the test writes in serial mode only.
    pub(crate) serial: bool,
    names: Arc<Names>,
}

impl Drop for Kit {
    fn drop(&mut self) {
        self.names.0.lock().unwrap().take();
    }
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::over(Gate::new())
    }

    pub(crate) fn over(store: Arc<dyn PageStore>) -> Self {
        Self::with(store, Options { wait_max: Duration::from_secs(20), ..Options::default() })
    }

    pub(crate) fn with(store: Arc<dyn PageStore>, options: Options) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let vfs = format!("hozo-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
        let namespaces = Namespaces::new(store, ambient);
        let names = Arc::new(Names(Mutex::new(Some(Arc::clone(&namespaces)))));
        Vfs::register_with(api(), names.clone(), &vfs, options).unwrap();
        Kit { namespaces, vfs, serial: true, names }
    }

    pub(crate) fn create(&self, name: &str, page_size: u32, concurrency: Concurrency) {
        let page_size = PageSize::new(page_size).unwrap();
        let name: NamespaceName = name.parse().unwrap();
        block_on(self.namespaces.create(&name, CreateOptions { page_size, concurrency })).unwrap();
    }

    pub(crate) fn optimistic(&self, name: &str) {
        self.create(name, 4096, Concurrency::Optimistic);
    }

    pub(crate) fn namespace(&self, name: &str) -> Arc<Namespace> {
        block_on(self.namespaces.open(&name.parse().unwrap())).unwrap()
    }

    pub(crate) fn head(&self, name: &str) -> Head {
        block_on(self.namespace(name).heads()).unwrap().sequenced
    }

    /// How many commits the namespace has.
    pub(crate) fn commits(&self, name: &str) -> usize {
        let span = Span::Versions(Version::ZERO, Version::MAX);
        let name: NamespaceName = name.parse().unwrap();
        block_on(self.namespaces.log(&name, span, false, 10_000)).unwrap().len()
    }

    /// Makes reads go to the store. Other tests of the process lose their
    /// cached pages, too, which changes nothing for them.
    pub(crate) fn forget_cache(&self) {
        hozo_frontend_vfs::clear_page_cache();
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file:{name}?vfs={}", self.vfs)
    }

    pub(crate) fn try_open(&self, name: &str) -> rusqlite::Result<Connection> {
        Connection::open_with_flags_and_vfs(name, OpenFlags::default(), self.vfs.as_str())
    }

    /// A connection without a busy timeout.
    pub(crate) fn open(&self, name: &str) -> Connection {
        let connection = self.try_open(name).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection
    }

    pub(crate) fn open_patient(&self, name: &str) -> Connection {
        let connection = self.try_open(name).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection
    }
}

pub(crate) trait Ask {
    fn int(&self, sql: &str) -> i64;
    fn text(&self, sql: &str) -> String;
    /// The extended code of the failure that this must be.
    fn code(&self, sql: &str) -> i32;
    fn run(&self, sql: &str);
    fn intact(&self);
}

impl Ask for Connection {
    fn int(&self, sql: &str) -> i64 {
        self.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    fn text(&self, sql: &str) -> String {
        self.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    fn code(&self, sql: &str) -> i32 {
        code(self.execute_batch(sql).expect_err(sql))
    }

    fn run(&self, sql: &str) {
        self.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    fn intact(&self) {
        assert_eq!(self.text("PRAGMA integrity_check"), "ok");
    }
}

pub(crate) fn code(e: rusqlite::Error) -> i32 {
    match e {
        rusqlite::Error::SqliteFailure(e, _) => e.extended_code,
        rusqlite::Error::SqlInputError { error, .. } => error.extended_code,
        other => panic!("not an SQLite error: {other}"),
    }
}

/// A file that does not exist yet, in a directory that goes with it.
pub(crate) fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plain.db");
    (dir, file)
}
