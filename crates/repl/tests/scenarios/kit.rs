//! Servers in one process, which reach each other by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_backend_hashdbm as hashdbm;
use hozo_repl::{Config, Network, Open, Repl};
use hozo_traits::exec::block_on;
use hozo_traits::{
    ChangeFeed, Durability, Error, ErrorKind, KvStore, KvStoreExt, Reader, Replicator, Result,
    ServerId, SystemAmbient,
};
use parking_lot::Mutex;
use tempfile::TempDir;

/// Which servers can be reached.
#[derive(Clone, Default)]
pub(crate) struct Net(Arc<Mutex<BTreeMap<String, Arc<Repl>>>>);

impl Net {
    pub(crate) fn join(&self, name: &str, repl: &Arc<Repl>) {
        self.0.lock().insert(name.to_owned(), Arc::clone(repl));
    }

    pub(crate) fn leave(&self, name: &str) {
        self.0.lock().remove(name);
    }
}

#[async_trait]
impl Network for Net {
    async fn connect(&self, address: &str, _me: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        let repl = self.0.lock().get(address).cloned();
        repl.ok_or_else(|| Error::new(ErrorKind::Unavailable, "nobody is there"))?.feed()
    }

    async fn sleep(&self, _time: Duration) {
        // Others go on meanwhile.
        thread::sleep(Duration::from_millis(5));
    }
}

/// A server and its directory.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    net: Net,
    directory: TempDir,
    pub(crate) config: Config,
    running: Option<Running>,
}

struct Running {
    repl: Arc<Repl>,
    dbm: Arc<dyn KvStore>,
    following: JoinHandle<()>,
}

impl Server {
    pub(crate) fn new(
        net: &Net,
        name: &'static str,
        id: u32,
        set: impl FnOnce(&mut Config),
    ) -> Server {
        let directory = TempDir::new().unwrap();
        let mut config = Config::new(ServerId::new(id).unwrap(), directory.path().join("ulog"));
        config.segment_bytes = 1 << 16;
        set(&mut config);
        let net = net.clone();
        let mut server = Server { name, net, directory, config, running: None };
        server.start();
        server
    }

    pub(crate) fn start(&mut self) {
        let ambient = Arc::new(SystemAmbient);
        let config = hashdbm::Config::new(self.store());
        // Who follows it lets go of it only when it hears that it stops.
        let store = loop {
            match hashdbm::open(&config, ambient.clone()) {
                Err(error) if error.kind() == ErrorKind::Busy => thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        let dbms = vec![("casket".to_owned(), store.records("casket").unwrap())];
        let Open { repl, mut dbms } = Repl::open(self.config.clone(), dbms, ambient).unwrap();
        let follow = repl.follow_all(Arc::new(self.net.clone()));
        let following = thread::spawn(move || block_on(follow));
        self.net.join(self.name, &repl);
        self.running = Some(Running { repl, dbm: dbms.remove(0), following });
    }

    /// Makes records as one does that is not replicated yet; it is ended for that.
    pub(crate) fn set_unlogged(&mut self, records: &[(&str, &str)]) {
        self.stop();
        std::fs::remove_dir_all(&self.config.dir).unwrap();
        let store = hashdbm::open(&hashdbm::Config::new(self.store()), Arc::new(SystemAmbient));
        let casket = store.unwrap().records("casket").unwrap();
        for (key, value) in records {
            let (key, value) = (Bytes::from((*key).to_owned()), Bytes::from((*value).to_owned()));
            block_on(casket.set(key, value, true, Durability::Durable)).unwrap();
        }
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        self.net.leave(self.name);
        let Running { repl, dbm, following } = self.running.take().unwrap();
        block_on(repl.stop()).unwrap();
        following.join().unwrap();
        drop((repl, dbm));
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub(crate) fn repl(&self) -> &Arc<Repl> {
        &self.running.as_ref().unwrap().repl
    }

    pub(crate) fn dbm(&self) -> &Arc<dyn KvStore> {
        &self.running.as_ref().unwrap().dbm
    }

    pub(crate) fn set(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
        block_on(self.dbm().set(key, value, true, Durability::Durable)).map(drop)
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        let value = block_on(self.dbm().get(&Bytes::from(key.to_owned()))).unwrap();
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    /// Waits until it has what another has.
    pub(crate) fn catch_up(&self, other: &Server) {
        let wanted = other.repl().status().head;
        self.until("it has all updates", |server| server.repl().status().head.covers(&wanted));
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        for _ in 0..4000 {
            if holds(self) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{}: not in 20 seconds: {what}; {:#?}", self.name, self.repl().status());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}
