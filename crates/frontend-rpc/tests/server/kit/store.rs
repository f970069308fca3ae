//! Records that can be held back.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Result, Selection,
};
use tokio::sync::watch;

/// While it is shut, reads and updates wait in front of it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Default)]
struct State {
    shut: bool,
    broken: bool,
    waiting: usize,
}

impl Default for Gate {
    fn default() -> Self {
        Gate(Arc::new(watch::Sender::new(State::default())))
    }
}

/// One that waits.
struct Waiting<'a>(&'a Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.waiting -= 1);
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.0.send_modify(|state| state.shut = true);
    }

    pub(crate) fn open(&self) {
        self.0.send_modify(|state| state.shut = false);
    }

    /// Lets updates fail, as a broken disk does, or succeed.
    pub(crate) fn breaks(&self, broken: bool) {
        self.0.send_modify(|state| state.broken = broken);
    }

    /// Waits until so many wait.
    pub(crate) async fn waiting(&self, count: usize) {
        self.0.subscribe().wait_for(|state| state.waiting == count).await.unwrap();
    }

    async fn pass(&self) {
        let mut state = self.0.subscribe();
        if state.borrow().shut {
            self.0.send_modify(|state| state.waiting += 1);
            let _waiting = Waiting(self);
            state.wait_for(|state| !state.shut).await.unwrap();
        }
    }

    pub(super) fn before(&self, records: Arc<dyn KvStore>) -> Arc<dyn KvStore> {
        Arc::new(Gated { gate: self.clone(), records })
    }
}

struct Gated {
    gate: Gate,
    records: Arc<dyn KvStore>,
}

#[async_trait]
impl KvStore for Gated {
    fn capabilities(&self) -> KvCapabilities {
        self.records.capabilities()
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.gate.pass().await;
        self.records.get_many(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        self.gate.pass().await;
        if self.gate.0.borrow().broken {
            return Err(Error::new(ErrorKind::Unavailable, "the disk is broken"));
        }
        self.records.update(selection, durability, change).await
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.records.scan(scan).await
    }

    async fn count(&self) -> Result<u64> {
        self.records.count().await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.records.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.records.synchronise().await
    }

    async fn rebuild(&self) -> Result<()> {
        self.records.rebuild().await
    }
}
