//! Servers that use their namespaces themselves, and a way between them that
//! breaks.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hozo::pages::NamespaceName;
use hozo::traits::exec::block_on;
use hozo::traits::{PagesStatus, ReplicationStatus, Result};
use hozo::{Plan, Registry, Serving, Stack};
use hozo_client::Client;
use hozo_embedded::Connect as _;
use hozo_embedded::rusqlite::Connection;
use tempfile::TempDir;

/// A server, its directory, and what it is now.
pub(crate) struct Server {
    directory: TempDir,
    backend: &'static str,
    id: u32,
    keys: String,
    running: Option<(Arc<Stack>, Serving)>,
}

impl Server {
    pub(crate) fn new(backend: &'static str, id: u32, keys: &str) -> Server {
        let directory = TempDir::new().unwrap();
        let mut server = Server { directory, backend, id, keys: keys.to_owned(), running: None };
        server.start();
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("rpc.sock")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// From its next start on its replication has these keys.
    pub(crate) fn becomes(&mut self, keys: &str) {
        self.keys = keys.to_owned();
        let _ = std::fs::remove_file(self.directory.path().join("ulog/role"));
    }

    /// A stack of its config; with `path`, which not every backend has.
    pub(crate) fn stack(&self, registry: &Registry) -> Arc<Stack> {
        let path = if self.backend == "memory" { "" } else { "path = \"main\"\n" };
        let text = format!(
            "[store.main]\nbackend = \"{}\"\n{path}[store.records]\nbackend = \"memory\"\n\
             [[namespace]]\nmatch = \"app/*\"\n[[dbm]]\nname = \"casket\"\nstore = \"records\"\n\
             [replication.main]\nkind = \"ulog\"\nserver_id = {}\ndir = \"ulog\"\n\
             segment_bytes = 65536\n{}\n\
             [[frontend]]\nkind = \"rpc\"\nlisten = \"unix:rpc.sock\"\n",
            self.backend, self.id, self.keys
        );
        let plan = Plan::from_text("test", &text, self.directory.path(), registry);
        Stack::open(plan.unwrap_or_else(|problems| panic!("{problems}")))
    }

    pub(crate) fn start(&mut self) {
        let stack = self.stack(&Registry::serving());
        let serving = stack.serve().unwrap();
        self.running = Some((stack, serving));
    }

    pub(crate) fn stop(&mut self) {
        let (stack, serving) = self.running.take().unwrap();
        serving.stop(Duration::from_secs(10)).unwrap();
        stack.close();
    }

    pub(crate) fn open(&self) -> &Arc<Stack> {
        &self.running.as_ref().unwrap().0
    }

    pub(crate) fn connect(&self, name: &str) -> Connection {
        self.open().connect(name).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Asks it over the network.
    pub(crate) fn ask<T>(&self, what: impl AsyncFnOnce(Client) -> Result<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { what(Client::builder(self.address()).lazy()?).await })
    }

    pub(crate) fn status(&self) -> ReplicationStatus {
        self.ask(async |client| client.replication_status().await).unwrap()
    }

    pub(crate) fn pages(&self) -> PagesStatus {
        self.status().pages.remove(0)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let namespaces = self.open().store("main").unwrap();
        let found = block_on(namespaces.list("", None, 100)).unwrap();
        found.into_iter().map(|info| info.name.to_string()).collect()
    }

    /// Waits until it has all that another has.
    pub(crate) fn catch_up(&self, other: &Server) {
        let wanted = other.pages().durable;
        until(
            "it has all commits",
            || self.pages().durable >= wanted,
            || format!("{:#?}", self.status()),
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

pub(crate) fn until(what: &str, holds: impl Fn() -> bool, state: impl Fn() -> String) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("not in 30 seconds: {what}; {}", state());
}

pub(crate) fn name(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

/// A way to a socket on which each connection ends after some bytes, later the
/// more there were.
pub(crate) struct Breaking {
    _directory: TempDir,
    pub(crate) address: String,
    pub(crate) broke: Arc<AtomicUsize>,
}

/// What the first connection lets through, and how much more each next one.
const BYTES: usize = 20_000;

impl Breaking {
    pub(crate) fn to(socket: PathBuf) -> Breaking {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("way.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let broke = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&broke);
        thread::spawn(move || {
            for (n, near) in listener.incoming().enumerate() {
                let Ok(near) = near else { return };
                // Nobody may be there, which who comes is to see.
                let Ok(far) = UnixStream::connect(&socket) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let counted = Arc::clone(&counted);
                thread::spawn(move || pass(near_too, far_too, usize::MAX));
                thread::spawn(move || {
                    if pass(far, near, BYTES * (n + 1)) {
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Breaking { _directory: directory, address: format!("unix:{}", path.display()), broke }
    }
}

/// Passes on so many bytes, and then ends both sides; whether it came so far.
fn pass(mut from: UnixStream, mut to: UnixStream, most: usize) -> bool {
    let mut buffer = [0; 4096];
    let (mut passed, mut broke) = (0usize, false);
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed += read;
        if passed >= most {
            broke = true;
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
    broke
}
