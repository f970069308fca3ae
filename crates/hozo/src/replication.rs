//! Replication, as a config asks for it: opened with the DBMs, and following.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hozo_client::{Builder, Client, Connector, Tls};
use hozo_repl::{HomedPages, Network, Open, Repl};
use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, ChangeFeed, Error, ErrorKind, KvStore, Reader, Replicator, Result};

use crate::homes::config;
use crate::plan::ReplicationPlan;

/// This server's part in replication, open.
pub(crate) struct Replication {
    repl: Arc<Repl>,
    dbms: Vec<Arc<dyn KvStore>>,
    peers: Arc<Peers>,
    following: Option<JoinHandle<()>>,
}

impl Replication {
    /// Opens the log of a plan for these DBMs, in the order of the config, and
    /// replicates the namespaces of these stores.
    pub(crate) fn open(
        plan: &ReplicationPlan,
        dbms: Vec<(String, Arc<dyn KvStore>)>,
        pages: Vec<Arc<HomedPages>>,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Replication> {
        let peers = Arc::new(Peers(Connector::new(settings(plan)?)));
        let opened = Repl::open_with_pages(config(plan), dbms, pages, ambient);
        let Open { repl, dbms } = opened.map_err(|e| e.with("replication", plan.name()))?;
        Ok(Replication { repl, dbms, peers, following: None })
    }

    /// The DBM with this index, whose updates are logged.
    pub(crate) fn dbm(&self, index: usize) -> Option<Arc<dyn KvStore>> {
        self.dbms.get(index).cloned()
    }

    pub(crate) fn replicator(&self) -> Arc<dyn Replicator> {
        self.repl.clone()
    }

    /// Follows whomever the server is to follow, from now on until it is closed.
    pub(crate) fn follow(&mut self) -> Result<()> {
        if self.following.is_some() {
            return Ok(());
        }
        let unavailable =
            |e| Error::new(ErrorKind::Unavailable, "following cannot be started").caused_by(e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unavailable)?;
        let all = self.repl.follow_all(Arc::clone(&self.peers) as Arc<dyn Network>);
        let thread = thread::Builder::new().name("hozo-follow".into());
        let spawned = thread.spawn(move || runtime.block_on(all));
        self.following = Some(spawned.map_err(unavailable)?);
        Ok(())
    }

    /// Follows no more, and closes the log. Stopping twice is stopping once.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let stopped = block_on(self.repl.stop());
        if let Some(following) = self.following.take() {
            // It panics only by a defect, and there is nothing left to do then.
            let _ = following.join();
        }
        stopped
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the update log was not closed in order: it is replayed next time");
        }
    }
}

/// The servers that can be followed.
struct Peers(Connector);

#[async_trait::async_trait]
impl Network for Peers {
    async fn connect(&self, address: &str, me: &Reader) -> Result<Arc<dyn ChangeFeed>> {
        self.0.connect(address, me).await
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// How this server shows itself to those that it follows.
fn settings(plan: &ReplicationPlan) -> Result<Builder> {
    let mut settings = Client::builder("");
    if let Some(token) = plan.follow_token() {
        settings = settings.token(token.read()?);
    }
    if let Some(ca) = plan.follow_ca() {
        let mut tls = Tls::new(read(ca)?);
        if let Some((cert, key)) = plan.follow_identity() {
            tls = tls.identity(read(cert)?, read(key)?);
        }
        settings = settings.tls(tls);
    }
    Ok(settings)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "a certificate or key for following cannot be read")
            .with("file", path.display())
            .caused_by(e)
    })
}
