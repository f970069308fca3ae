//! One server's part in replication.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use hozo_directory::Lock;
use hozo_log::disk::{Disk, RealDisk};
use hozo_traits::{
    Ambient, ChangeFeed, ConflictReport, Durability, Error, ErrorKind, KvStore, KvStoreExt,
    Position, ReplicationStatus, Replicator, Result, Role, Timestamp, Update, What, exec,
};

use crate::Config;
use crate::feed::Feed;
use crate::follow::{Network, run};
use crate::keeper::Keeper;
use crate::loading::Loading;
use crate::logged::LoggedKv;
use crate::pages::{Home, HomedPages, Pages, Served};
use crate::role::RoleFile;
use crate::shared::{Running, Shared, Standing, Stores, redo};
use crate::ulog::checkpoint::Checkpoint;
use crate::ulog::open::UlogOptions;
use crate::ulog::{Opened, Ulog};

/// The kind of replication, as in a config.
pub const KIND: &str = "ulog";

/// The file that is locked while the log is open.
pub(crate) const LOCK_FILE: &str = "LOCK";
/// For so long it is waited for another process that has the log open.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// One server's part in replication: its update log, whom it follows, who
/// follows it.
pub struct Repl {
    pub(crate) shared: Arc<Shared>,
    keeper: Option<Arc<Keeper>>,
}

/// Replication that was opened, with the DBMs that take part in it.
pub struct Open {
    /// The server's part.
    pub repl: Arc<Repl>,
    /// The DBMs, in the order in which they were given: their updates are
    /// logged. What they were made of must not be written to any more.
    pub dbms: Vec<Arc<dyn KvStore>>,
}

impl Repl {
    /// Opens the update log of a directory, or makes it, for these DBMs, whose
    /// names with their order are part of it. What they lack of what the log
    /// has, they get now.
    ///
    /// A log that another process has open is waited for, then
    /// [`Busy`](ErrorKind::Busy).
    pub fn open(
        config: Config,
        dbms: Vec<(String, Arc<dyn KvStore>)>,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Open> {
        Self::open_with_pages(config, dbms, Vec::new(), ambient)
    }

    /// The same, and replicates the namespaces of these page stores besides.
    /// Through them clients commit from now on as this server stands.
    pub fn open_with_pages(
        config: Config,
        dbms: Vec<(String, Arc<dyn KvStore>)>,
        pages: Vec<Arc<HomedPages>>,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Open> {
        config.check()?;
        hozo_directory::make(&config.dir)?;
        let lock = Lock::acquire(&config.dir, LOCK_FILE, LOCK_TIMEOUT)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(&config.dir)?);
        let running = Running { boot: boot(), ..Running::default() };
        Self::open_all_on(disk, config, dbms, pages, ambient, running, Some(lock))
    }

    /// The same on any disk, without namespaces.
    #[cfg(test)]
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        config: Config,
        dbms: Vec<(String, Arc<dyn KvStore>)>,
        ambient: Arc<dyn Ambient>,
        running: Running,
        lock: Option<Lock>,
    ) -> Result<Open> {
        Self::open_all_on(disk, config, dbms, Vec::new(), ambient, running, lock)
    }

    /// The same on any disk.
    pub(crate) fn open_all_on(
        disk: Arc<dyn Disk>,
        config: Config,
        dbms: Vec<(String, Arc<dyn KvStore>)>,
        pages: Vec<Arc<HomedPages>>,
        ambient: Arc<dyn Ambient>,
        running: Running,
        lock: Option<Lock>,
    ) -> Result<Open> {
        let (names, records): (Vec<String>, Vec<Arc<dyn KvStore>>) = dbms.into_iter().unzip();
        let options = UlogOptions {
            me: config.server,
            segment_bytes: config.segment_bytes,
            sync: config.sync(),
        };
        let mut replay = |update: &Update| exec::block_on(redo(&records, update));
        let Opened { ulog, checkpoint, replayed } =
            Ulog::open(Arc::clone(&disk), options, &*ambient, &names, &mut replay)?;
        if replayed > 0 {
            tracing::info!(updates = replayed, "the update log was replayed into the records");
        }
        let standing = standing(&config, RoleFile::read(&disk)?);
        let takes_writes = standing.role.takes_writes();
        let pages = served(&config, pages, &running)?;
        if standing.source.is_some() {
            pages.refuse_to_follow()?;
        }
        pages.home.stands(&standing);
        let shared = Arc::new(Shared::new(
            config,
            Arc::clone(&ambient),
            &running,
            Arc::new(ulog),
            Stores { records, pages },
            standing,
            lock,
        ));
        settle_power_cut(&shared, checkpoint)?;
        forget_what_is_in_memory(&shared, takes_writes)?;
        note_what_was_before_the_log(&shared, takes_writes)?;
        shared.checkpoint_now()?;
        let keeper = match running.thread {
            true => Some(Arc::new(Keeper::start(Arc::clone(&shared))?)),
            false => None,
        };
        let logged = |(index, inner): (usize, &Arc<dyn KvStore>)| -> Arc<dyn KvStore> {
            let (shared, inner) = (Arc::clone(&shared), Arc::clone(inner));
            let keeper = keeper.clone();
            Arc::new(LoggedKv { shared, index: index as u32, inner, _keeper: keeper })
        };
        let dbms = shared.records.iter().enumerate().map(logged).collect();
        Ok(Open { repl: Arc::new(Repl { shared, keeper }), dbms })
    }

    /// Follows whomever this server is to follow, now and later; ends after
    /// [`stop`](Replicator::stop). To be run by one task.
    pub fn follow_all(&self, network: Arc<dyn Network>) -> impl Future<Output = ()> + Send + use<> {
        run(Arc::clone(&self.shared), network)
    }

    /// The time of the newest update of a source that is here.
    pub fn newest_of_source(&self) -> Timestamp {
        *self.shared.follow.newest.lock()
    }
}

/// The page stores of a server that runs, which all have one home.
fn served(config: &Config, pages: Vec<Arc<HomedPages>>, running: &Running) -> Result<Pages> {
    let home = match pages.first() {
        Some(first) => Arc::clone(&first.home),
        None => Home::at_rest(config)?,
    };
    for one in &pages {
        if !Arc::ptr_eq(&one.home, &home) {
            return Err(Error::new(ErrorKind::Internal, "two page stores have two homes")
                .with("store", one.name()));
        }
        let served = Served {
            ack: config.ack,
            ack_timeout: config.ack_timeout,
            clock: running.clock.clone(),
        };
        one.store.serves(served);
    }
    Ok(Pages { home, stores: pages.iter().map(|one| Arc::clone(&one.store)).collect() })
}

/// What a server is when it starts; says if that is not what the config says.
fn standing(config: &Config, file: Option<RoleFile>) -> Standing {
    let standing = Standing::at_rest(config, file);
    if (standing.role, &standing.source) != (config.role, &config.follow) {
        tracing::warn!(
            role = standing.role.as_str(),
            source = standing.source,
            "it goes on as it was told while it ran, not as the config says"
        );
    }
    standing
}

/// After a power cut the records may have updates for which nobody waited and
/// that the log lost, if the server took writes.
fn settle_power_cut(shared: &Shared, checkpoint: Option<Checkpoint>) -> Result<()> {
    let boot = shared.boot;
    let lost = match checkpoint {
        Some(before) => !before.closed && (before.boot != boot || boot == [0; 16]),
        None => shared.ulog.state().position != Position::default(),
    };
    if !lost {
        return Ok(());
    }
    if shared.standing.lock().role.takes_writes() {
        tracing::warn!(
            "the system ended unexpectedly: followers load all records anew, since the log may \
             lack updates that the records have"
        );
        shared.ulog.append_own(What::Reset, shared.ambient.now(), Durability::Durable)?;
    } else if checkpoint.is_none_or(|before| before.wrote) {
        // It became a follower since, and its source never had those.
        tracing::warn!(
            "the system ended unexpectedly while this server was a master: all records are loaded \
             from the source, since they may have updates that the log lacks"
        );
        Loading::default().write(shared.ulog.disk())?;
    }
    Ok(())
}

/// Records that are in memory are gone, and the log says otherwise: of a master
/// they are removed, and a follower begins anew.
fn forget_what_is_in_memory(shared: &Shared, takes_writes: bool) -> Result<()> {
    if shared.ulog.state().position == Position::default() {
        return Ok(());
    }
    let gone =
        shared.records.iter().enumerate().filter(|(_, records)| !records.capabilities().persistent);
    let mut any = false;
    for (index, records) in gone {
        any = true;
        exec::block_on(records.clear(Durability::Sequenced))?;
        if takes_writes {
            let effects = vec![hozo_traits::Effect::Clear];
            let what = What::Records { dbm: index as u32, effects, reduced: false };
            shared.ulog.append_own(what, shared.ambient.now(), Durability::Durable)?;
        }
    }
    if any && !takes_writes {
        Loading::default().write(shared.ulog.disk())?;
    }
    Ok(())
}

/// DBMs that had records before they had a log: who reads it from its beginning
/// lacks them, and is told so.
fn note_what_was_before_the_log(shared: &Shared, takes_writes: bool) -> Result<()> {
    if !takes_writes || shared.ulog.state().position != Position::default() {
        return Ok(());
    }
    for records in &shared.records {
        if exec::block_on(records.count())? > 0 {
            shared.ulog.append_own(What::Reset, shared.ambient.now(), Durability::Durable)?;
            return Ok(());
        }
    }
    Ok(())
}

/// Which run of the system this is, where the system says.
fn boot() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    let mut boot = [0; 16];
    for (byte, pair) in boot.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    boot
}

#[async_trait]
impl Replicator for Repl {
    fn feed(&self) -> Result<Arc<dyn ChangeFeed>> {
        Ok(Arc::new(Feed(Arc::clone(&self.shared))))
    }

    fn status(&self) -> ReplicationStatus {
        let shared = &*self.shared;
        let state = shared.ulog.state();
        let durable = shared.ulog.durable();
        let standing = shared.standing.lock().clone();
        ReplicationStatus {
            kind: KIND,
            server: shared.ulog.me(),
            role: standing.role,
            epoch: state.epoch,
            fenced: standing.fenced,
            newest: durable.newest,
            log_bytes: shared.ulog.bytes(),
            source: shared.follow.status(),
            // What is answered and not yet durable, and so not given, they lack as well.
            followers: shared.followers.status(&state.position),
            head: durable.position,
            ack: shared.config.ack,
            conflicts: state.conflicts,
            pages: shared.pages.status(),
        }
    }

    async fn follow(&self, address: &str, skew_ms: i64) -> Result<()> {
        let address = address.trim();
        if address.is_empty() || address.contains('\n') {
            return Err(Error::new(ErrorKind::Invalid, "there is no address to follow"));
        }
        self.shared.pages.refuse_to_follow()?;
        let mut was_master = false;
        self.shared.stand(true, |standing| {
            was_master = standing.role == Role::Master;
            if standing.role != Role::DualMaster {
                standing.role = Role::Follower;
            }
            standing.source = Some(address.to_owned());
            standing.skew_ms = skew_ms;
            standing.fenced = None;
        })?;
        self.shared.follow.turn().await;
        if was_master && let Err(error) = self.shared.checkpoint_now() {
            // A power cut before the next one has all records loaded anew.
            tracing::warn!(%error, "no checkpoint of the update log was made");
        }
        Ok(())
    }

    async fn promote(&self) -> Result<u64> {
        let shared = &*self.shared;
        Loading::refuse(shared.ulog.disk())?;
        let source = shared.standing.lock().source.clone();
        shared.stand(false, |standing| standing.source = None)?;
        shared.follow.turn().await;
        // Newer than that of whoever fenced this server, too.
        let known = shared.ulog.state().epoch.max(shared.heard.load(Ordering::SeqCst));
        let epoch = known + 1;
        // Of a commit that did not arrive as a whole, nothing stays.
        let begun = shared.pages.tidy().await.and_then(|()| {
            shared.ulog.append_own(What::Epoch(epoch), shared.ambient.now(), Durability::Durable)
        });
        let begun = match begun {
            Ok((end, _)) => shared.ulog.wait(end).await,
            Err(error) => Err(error),
        };
        let promoted = begun.and_then(|()| {
            shared.stand(true, |standing| {
                standing.role = Role::Master;
                standing.source = None;
                standing.fenced = None;
            })
        });
        if promoted.is_err() {
            shared.stand(false, |standing| standing.source = source)?;
        }
        shared.follow.turn().await;
        promoted.map(|()| epoch)
    }

    async fn unfollow(&self) -> Result<()> {
        self.shared.stand(true, |standing| standing.source = None)?;
        self.shared.follow.turn().await;
        Ok(())
    }

    async fn acknowledged(&self, followers: u32, within: Duration) -> Result<()> {
        let shared = &*self.shared;
        shared.ulog.wait(shared.ulog.end()).await?;
        let seq = shared.ulog.reach_of(shared.ulog.me()).seq;
        shared.acknowledged_up_to(seq, followers, within).await
    }

    async fn conflicts(&self, limit: usize) -> Result<Vec<ConflictReport>> {
        Ok(self.shared.conflicts.lock().iter().take(limit).cloned().collect())
    }

    async fn prune(&self, before: Timestamp) -> Result<u64> {
        self.shared.checkpoint_now()?;
        self.shared.prune(before)
    }

    async fn stop(&self) -> Result<()> {
        let mut before = false;
        self.shared.stand(false, |standing| {
            before = std::mem::replace(&mut standing.stopped, true);
        })?;
        if before {
            return Ok(());
        }
        // Who reads hears that it is over.
        self.shared.pages.tick(true);
        self.shared.follow.turn().await;
        if let Some(keeper) = &self.keeper {
            keeper.stop();
        }
        let checkpointed = self.shared.checkpoint(true);
        self.shared.ulog.close()?;
        checkpointed
    }
}

#[cfg(test)]
pub(crate) mod tests;
