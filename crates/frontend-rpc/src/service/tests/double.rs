//! A DBM that does as it is told: it fails, counts, and holds up.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hozo_traits::{
    Change, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, Result, Selection,
    SystemAmbient,
};

use super::*;

/// Records in memory, with failures on demand.
pub(super) struct Double {
    records: Arc<dyn KvStore>,
    /// What updates, reads and all else fail with.
    pub(super) fails: Mutex<Option<ErrorKind>>,
    /// Updates are made, and fail all the same.
    pub(super) fails_after: AtomicBool,
    /// Only synchronising fails.
    pub(super) only_synchronise: AtomicBool,
    pub(super) synchronised: AtomicUsize,
    pub(super) durable: AtomicUsize,
    pub(super) rebuilt: AtomicUsize,
    pub(super) scans: AtomicUsize,
    /// Scans and rebuilds wait as long as this is set.
    pub(super) held: AtomicBool,
    /// Rebuilds hold their thread as long as this is set.
    pub(super) blocked: AtomicBool,
    /// Every scan says that there is more, and begins anew.
    pub(super) endless: AtomicBool,
}

impl Double {
    pub(super) fn new() -> Arc<Self> {
        let store = hozo_backend_memory::open(&Default::default(), Arc::new(SystemAmbient));
        Arc::new(Double {
            records: store.expect("memory").records("casket").expect("a DBM"),
            fails: Mutex::new(None),
            fails_after: AtomicBool::new(false),
            only_synchronise: AtomicBool::new(false),
            synchronised: AtomicUsize::new(0),
            durable: AtomicUsize::new(0),
            rebuilt: AtomicUsize::new(0),
            scans: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            endless: AtomicBool::new(false),
        })
    }

    pub(super) fn fail(&self, kind: Option<ErrorKind>) {
        *self.fails.lock().expect("no panic") = kind;
    }

    fn fails(&self, synchronises: bool) -> Result<()> {
        match *self.fails.lock().expect("no panic") {
            Some(kind) if synchronises || !self.only_synchronise.load(Ordering::SeqCst) => {
                Err(Error::new(kind, "told to fail").with("path", "/secret"))
            }
            _ => Ok(()),
        }
    }

    async fn hold(&self) {
        std::future::poll_fn(|context| {
            if self.held.load(Ordering::SeqCst) {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        })
        .await;
    }
}

#[tonic::async_trait]
impl KvStore for Double {
    fn capabilities(&self) -> KvCapabilities {
        self.records.capabilities()
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.fails(false)?;
        self.records.get_many(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        self.fails(false)?;
        self.durable.fetch_add(usize::from(durability == Durability::Durable), Ordering::SeqCst);
        let effects = self.records.update(selection, durability, change).await?;
        if self.fails_after.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the disk does not answer"));
        }
        Ok(effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        self.fails(false)?;
        self.hold().await;
        let mut part = self.records.scan(scan).await?;
        if self.endless.load(Ordering::SeqCst) {
            part.records = vec![(Bytes::new(), Bytes::new())];
            part.more = true;
        }
        Ok(part)
    }

    async fn count(&self) -> Result<u64> {
        self.fails(false)?;
        self.records.count().await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.fails(false)?;
        self.records.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.synchronised.fetch_add(1, Ordering::SeqCst);
        self.fails(true)
    }

    async fn rebuild(&self) -> Result<()> {
        self.rebuilt.fetch_add(1, Ordering::SeqCst);
        self.fails(false)?;
        while self.blocked.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        self.hold().await;
        Ok(())
    }
}

/// A service of one DBM, which is that double.
pub(super) fn served(double: &Arc<Double>, durability: Durability) -> (Service, Client) {
    let records: Arc<dyn KvStore> = double.clone();
    let dbm = Dbm { durability, ..dbm("double", records) };
    let service = Service::new(parts(vec![dbm]), Options::default());
    let client = client_with(&service, Some(Access::Full));
    (service, client)
}
