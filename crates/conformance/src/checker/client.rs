//! A client that runs transactions over pages, as a SQLite connection would.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitId, CommitOutcome, Condition, Conflict, Durability, Error,
    NamespaceChange, NamespaceId, PageImage, PageNo, PageSize, PageStore, PageStoreExt, PageWrite,
    Patch, Version,
};

use super::gate::{Gate, Overlap};
use super::violation::{Anomaly, Violation};
use crate::Rng;
use crate::exec::{Job, poll_together};
use crate::layer::Layered;

/// What makes a transaction fail when somebody else came first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarding {
    /// Every page that was read is unchanged (optimistic).
    Pages,
    /// Every namespace that was touched is unchanged (serial).
    Namespaces,
}

/// How workers run at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drive {
    /// Each on a thread that may block.
    Threads,
    /// All polled by one thread that may not.
    Polled,
}

/// A run of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How many clients there are.
    pub workers: usize,
    /// How many transactions each tries.
    pub transactions: usize,
    /// In how many namespaces the pages are; transactions cross them.
    pub namespaces: usize,
    /// What commits are conditioned on.
    pub guarding: Guarding,
    /// How the clients run.
    pub drive: Drive,
    /// What the run is random by.
    pub seed: u64,
}

/// A page of the workload.
pub(super) type Place = (NamespaceId, PageNo);

/// A page that a transaction read: where, and what it found.
pub(super) type Found = (Place, Option<PageImage>);

pub(super) struct Client {
    store: Arc<dyn PageStore>,
    ambient: Arc<dyn Ambient>,
    guarding: Guarding,
    pub(super) rng: Rng,
}

/// A transaction's end, with the id under which the log must (not) have it.
pub(super) struct Ended {
    pub(super) id: CommitId,
    pub(super) made: Option<Version>,
}

pub(super) const PAGE_SIZE: PageSize = PageSize::DEFAULT;

/// A store's refusal to do what it must.
pub(super) fn failed(error: Error) -> Violation {
    Violation::new(Anomaly::NotSerial, format!("the store answered an error: {error}"))
}

impl Client {
    pub(super) fn new(
        store: Arc<dyn PageStore>,
        ambient: Arc<dyn Ambient>,
        setup: &Setup,
        name: &str,
    ) -> Self {
        let rng = Rng::new(setup.seed).fork(name);
        Client { store, ambient, guarding: setup.guarding, rng }
    }

    pub(super) async fn snapshot(&self) -> Result<Version, Violation> {
        Ok(self.store.watermarks().await.map_err(failed)?.sequenced)
    }

    /// Reads pages of any namespaces, those of one in one call.
    pub(super) async fn read(
        &self,
        places: &[Place],
        at: Version,
    ) -> Result<Vec<Found>, Violation> {
        let namespaces: BTreeSet<NamespaceId> = places.iter().map(|(ns, _)| *ns).collect();
        let mut found = Vec::new();
        for namespace in namespaces {
            let mine = places.iter().filter(|(ns, _)| *ns == namespace);
            let pages: Vec<PageNo> = mine.map(|(_, page)| *page).collect();
            let images = self.store.read_pages(namespace, &pages, at).await.map_err(failed)?;
            let placed = pages.into_iter().zip(images);
            found.extend(placed.map(|(page, image)| ((namespace, page), image)));
        }
        Ok(found)
    }

    fn conditions(&self, read: &[Found], since: Version) -> Vec<Condition> {
        match self.guarding {
            Guarding::Pages => {
                let one = |((namespace, page), _): &Found| Condition::PageUnchanged {
                    namespace: *namespace,
                    page: *page,
                    since,
                };
                read.iter().map(one).collect()
            }
            Guarding::Namespaces => {
                let touched: BTreeSet<NamespaceId> = read.iter().map(|((ns, _), _)| *ns).collect();
                let one = |namespace| Condition::NamespaceUnchanged { namespace, since };
                touched.into_iter().map(one).collect()
            }
        }
    }

    /// Commits new images of pages that were read at `at`, in one of the ways
    /// that there are: as images or patches, staged or not, durable or not,
    /// sent once or twice.
    pub(super) async fn commit(
        &mut self,
        at: Version,
        read: &[Found],
        images: Vec<(Place, Bytes)>,
    ) -> Result<Ended, Violation> {
        let mut commit = Commit {
            id: self.ambient.commit_id(),
            conditions: self.conditions(read, at),
            namespaces: Vec::new(),
            meta: Vec::new(),
            durability: *self.rng.pick(&[Durability::Sequenced, Durability::Durable]),
            time: self.ambient.now(),
            at: None,
        };
        let namespaces: BTreeSet<NamespaceId> = images.iter().map(|((ns, _), _)| *ns).collect();
        for namespace in namespaces {
            let mut writes = Vec::new();
            for ((_, page), image) in images.iter().filter(|((ns, _), _)| *ns == namespace) {
                let base = read.iter().find(|(place, _)| *place == (namespace, *page));
                let base = base.and_then(|(_, image)| image.as_ref());
                let patch = base
                    .filter(|_| !self.rng.one_in(3))
                    .map(|base| Patch::between(base.version, &base.bytes, image));
                writes.push(PageWrite { page: *page, image: image.clone(), patch });
            }
            if self.rng.one_in(6) {
                let staged = std::mem::take(&mut writes);
                self.store.stage(commit.id, namespace, staged).await.map_err(failed)?;
            }
            let (page_size, page_count) = (PAGE_SIZE, u32::MAX);
            commit.namespaces.push(NamespaceChange { namespace, writes, page_size, page_count });
        }
        let outcome = self.store.commit(commit.clone()).await.map_err(failed)?;
        if self.rng.one_in(8) {
            let again = self.store.commit(commit.clone()).await.map_err(failed)?;
            if again != outcome {
                let text = format!("{} was answered {outcome:?}, then {again:?}", commit.id);
                return Err(Violation::new(Anomaly::Repetition, text));
            }
        }
        let made = match outcome {
            CommitOutcome::Committed(made) => Some(made.version),
            CommitOutcome::Conflict(conflict) => {
                self.check_conflict(&commit, &conflict)?;
                self.store.discard_stage(commit.id).await.map_err(failed)?;
                None
            }
        };
        Ok(Ended { id: commit.id, made })
    }

    /// That the conflict names a condition of the commit, and how it failed.
    fn check_conflict(&self, commit: &Commit, conflict: &Conflict) -> Result<(), Violation> {
        let fits = commit.conditions.iter().any(|condition| match (condition, conflict) {
            (
                Condition::PageUnchanged { namespace, page, since },
                Conflict::Page { namespace: n, page: p, version },
            ) => (namespace, page) == (n, p) && version > since,
            (
                Condition::NamespaceUnchanged { namespace, since },
                Conflict::Namespace { namespace: n, version },
            ) => namespace == n && version > since,
            _ => false,
        });
        if fits {
            return Ok(());
        }
        let text = format!("{conflict:?} is about none of {:?}", commit.conditions);
        Err(Violation::new(Anomaly::Log, text))
    }
}

/// The gate over a store.
pub(super) type Gated = Arc<Layered<Gate>>;

/// Runs one worker for each number below `setup.workers`, all at once, behind
/// a gate that makes their commits overlap.
pub(super) fn run(
    store: &Arc<dyn PageStore>,
    setup: &Setup,
    worker: impl Fn(usize, Gated) -> Job<Result<(), Violation>>,
) -> Result<Overlap, Violation> {
    let gate = Gate::new(setup.workers, setup.seed);
    let gated = Layered::new(Arc::clone(store), gate);
    let jobs: Vec<Job<Result<(), Violation>>> = (0..setup.workers)
        .map(|n| -> Job<Result<(), Violation>> {
            let (job, gated) = (worker(n, Arc::clone(&gated)), Arc::clone(&gated));
            Box::pin(async move {
                // Also when the job panics, or the others would wait forever.
                let _leave = Leave(gated);
                job.await
            })
        })
        .collect();
    let results = match setup.drive {
        Drive::Polled => poll_together(jobs),
        Drive::Threads => thread::scope(|scope| {
            let threads: Vec<_> =
                jobs.into_iter().map(|job| scope.spawn(|| block_on(job))).collect();
            threads.into_iter().map(|t| t.join().expect("no worker panics")).collect()
        }),
    };
    results.into_iter().collect::<Result<(), Violation>>()?;
    conclusive(gated.layer().overlap())
}

struct Leave(Gated);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.layer().leave();
    }
}

/// A run whose commits did not overlap has shown nothing. How many met inside
/// the store is told but not demanded: a store that commits within
/// microseconds lets threads meet there only when the machine is idle.
fn conclusive(overlap: Overlap) -> Result<Overlap, Violation> {
    if overlap.commits > 0 && overlap.together * 2 >= overlap.commits {
        return Ok(overlap);
    }
    Err(Violation::new(Anomaly::Inconclusive, format!("commits did not overlap: {overlap:?}")))
}

/// The whole log of a namespace.
pub(super) fn whole_log(
    store: &Arc<dyn PageStore>,
    namespace: NamespaceId,
) -> Result<Vec<(CommitId, Version)>, Violation> {
    let span = hozo_traits::Span::Versions(Version::ZERO, Version::MAX);
    let query = hozo_traits::LogQuery { namespace, span, newest_first: false, limit: usize::MAX };
    let log = block_on(store.log(query)).map_err(failed)?;
    let head = block_on(store.head(namespace, Version::MAX)).map_err(failed)?;
    if log.last() != head.as_ref() {
        return Err(Violation::new(
            Anomaly::Log,
            format!("the head is {head:?}, not {:?}", log.last()),
        ));
    }
    Ok(log.into_iter().map(|entry| (entry.commit_id, entry.version)).collect())
}
