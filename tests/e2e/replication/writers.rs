//! Clients that write to whichever server is the master, and remember which of their
//! writes were answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hozo_client::{Client, Expected, Result};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;

use super::server::{Server, until};

pub(super) type Records = BTreeMap<Bytes, Bytes>;

/// Of all records; answers within this, or it is not known.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What one of them writes: the number of the writer, and that of the write.
pub(super) type Write = fn(usize, u64) -> Vec<(Bytes, Bytes)>;

pub(super) struct Writers {
    runtime: Runtime,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    clients: Vec<Client>,
    /// Which of them is the master.
    master: AtomicUsize,
    over: AtomicBool,
    answered: AtomicU64,
    records: Mutex<Records>,
    write: Write,
}

impl Writers {
    /// So many writers, who find the master among these servers; the first one is it.
    /// Several records are written all at once, if none of them is there.
    pub(super) fn start(servers: &[&Server], writers: usize, write: Write) -> Writers {
        let runtime = runtime();
        let _within = runtime.enter();
        let client = |server: &&Server| client(&server.address());
        let shared = Arc::new(Shared {
            clients: servers.iter().map(client).collect(),
            master: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            records: Mutex::default(),
            write,
        });
        let tasks = (0..writers).map(|writer| runtime.spawn(run(Arc::clone(&shared), writer)));
        let tasks = tasks.collect();
        drop(_within);
        Writers { runtime, shared, tasks }
    }

    /// From now on they write there.
    pub(super) fn go_to(&self, master: usize) {
        self.shared.master.store(master, Ordering::SeqCst);
    }

    /// How many writes were answered.
    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Waits until so many more were answered.
    #[track_caller]
    pub(super) fn more(&self, writes: u64) {
        let wanted = self.answered() + writes;
        until("writes are answered", || self.answered() >= wanted);
    }

    /// What was answered so far.
    pub(super) fn records(&self) -> Records {
        self.shared.records.lock().clone()
    }

    /// Ends them; answers what was answered.
    pub(super) fn end(self) -> Records {
        self.shared.over.store(true, Ordering::SeqCst);
        for task in self.tasks {
            self.runtime.block_on(task).expect("a writer ends well");
        }
        self.shared.records.lock().clone()
    }
}

/// Writes one after the other until it is over. What fails may be done all the
/// same, and is not written again.
async fn run(shared: Arc<Shared>, writer: usize) {
    for n in 0.. {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let records = (shared.write)(writer, n);
        let client = &shared.clients[shared.master.load(Ordering::SeqCst)];
        if write(client, &records).await.is_ok() {
            shared.records.lock().extend(records);
            shared.answered.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn write(client: &Client, records: &[(Bytes, Bytes)]) -> Result<()> {
    let dbm = client.dbm(0);
    if let [(key, value)] = records {
        return dbm.set(key.clone(), value.clone(), true).await.map(drop);
    }
    let absent = records.iter().map(|(key, _)| (key.clone(), Expected::Absent));
    let set = records.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    let done = dbm.compare_exchange_many(absent, set).await?;
    assert!(done, "a record was there that nobody wrote: {records:?}");
    Ok(())
}

/// All records of a server.
pub(super) fn records_of(server: &Server) -> Records {
    records_at(&server.address())
}

/// All records of the server at an address.
pub(super) fn records_at(address: &str) -> Records {
    let runtime = runtime();
    runtime.block_on(async {
        let mut scan = client(address).dbm(0).scan();
        let mut records = Records::new();
        while let Some((key, value)) = scan.try_next().await.expect("a scan goes well") {
            assert_eq!(records.insert(key.clone(), value), None, "{key:?} was scanned twice");
        }
        records
    })
}

/// Whether everything that was answered is among records.
#[track_caller]
pub(super) fn none_is_lost(answered: &Records, records: &Records) {
    let lost = answered.iter().filter(|(key, value)| records.get(*key) != Some(*value));
    let lost: Vec<_> = lost.map(|(key, _)| key).collect();
    assert!(lost.is_empty(), "of {} answered writes these are lost: {lost:?}", answered.len());
}

fn client(address: &str) -> Client {
    let client = Client::builder(address).timeout(TIMEOUT).lazy();
    client.expect("the address of a server is right")
}

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made")
}
