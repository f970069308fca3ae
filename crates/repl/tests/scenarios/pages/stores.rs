//! Page stores that fail as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hozo_conformance::layer::Layer;
use hozo_traits::{
    Capabilities, Commit, CommitId, CommitOutcome, Error, ErrorKind, NamespaceId, PageStore,
    PageWrite, Result, Version,
};
use parking_lot::Mutex;

/// A store whose steps fail from some step on, as those of a process that was
/// killed do.
#[derive(Default)]
pub(crate) struct Failing {
    /// How many steps are left; all, without a number.
    pub(crate) left: Mutex<Option<usize>>,
    pub(crate) died: AtomicBool,
    /// The last commit that the store was asked for.
    pub(crate) last: Mutex<Option<Commit>>,
}

impl Failing {
    fn step(&self) -> Result<()> {
        if let Some(left) = &mut *self.left.lock() {
            if *left == 0 {
                self.died.store(true, Ordering::SeqCst);
                return Err(Error::new(ErrorKind::Unavailable, "the process was killed"));
            }
            *left -= 1;
        }
        Ok(())
    }
}

pub(crate) struct Steps(pub(crate) Arc<Failing>);

#[async_trait]
impl Layer for Steps {
    async fn wait_durable(&self, inner: &dyn PageStore, version: Version) -> Result<()> {
        self.0.step()?;
        inner.wait_durable(version).await
    }

    async fn commit(&self, inner: &dyn PageStore, commit: Commit) -> Result<CommitOutcome> {
        self.0.step()?;
        *self.0.last.lock() = Some(commit.clone());
        let outcome = inner.commit(commit).await?;
        // Or after it, before anybody hears of it.
        self.0.step()?;
        Ok(outcome)
    }

    async fn stage(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        self.0.step()?;
        inner.stage(id, namespace, writes).await
    }
}

/// A store that numbers commits by itself.
pub(crate) struct Numbering;

#[async_trait]
impl Layer for Numbering {
    fn capabilities(&self, inner: &dyn PageStore) -> Capabilities {
        Capabilities { chosen_versions: false, ..inner.capabilities() }
    }
}
