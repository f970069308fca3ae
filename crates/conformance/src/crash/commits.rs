//! What the child does: commits that follow from their ids alone, so that
//! whoever knows an id knows what must be there.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitId, CommitOutcome, Durability, Error, ErrorKind, MetaValue, MetaWrite,
    NamespaceChange, NamespaceId, PageNo, PageSize, PageStore, PageStoreExt, PageWrite, Patch,
    Result, SystemAmbient, Version,
};

use super::acknowledge;
use crate::{Fixture, Rng};

pub(super) const NAMESPACES: [NamespaceId; 2] = [NamespaceId(1), NamespaceId(2)];
const WRITERS: usize = 3;
/// Pages that writers share, so that each commit builds on others.
pub(super) const PAGES: u32 = 12;
pub(super) const PAGE_SIZE: PageSize = PageSize::MIN;
const LARGE_STAGE_PAGES: u32 = 200;

/// What a commit with an id contains.
pub(super) struct Plan {
    pub(super) changes: Vec<(NamespaceId, Vec<(PageNo, Bytes)>)>,
    staged: bool,
    pub(super) durability: Durability,
}

pub(super) fn plan(id: CommitId) -> Plan {
    let mut rng = Rng::new(0).fork(&id.to_string());
    let mut changes = Vec::new();
    let which = rng.below(5);
    for (i, namespace) in NAMESPACES.into_iter().enumerate() {
        // Mostly both namespaces.
        if which == i {
            continue;
        }
        let mut pages: Vec<u32> =
            (0..1 + rng.below(5)).map(|_| 1 + rng.below(PAGES as usize) as u32).collect();
        if rng.one_in(40) {
            pages.extend(PAGES + 1..=PAGES + LARGE_STAGE_PAGES);
        }
        pages.sort_unstable();
        pages.dedup();
        let image = |rng: &mut Rng| {
            // Half of a page is the same always, so that patches are small.
            let mut bytes = vec![0x5a; PAGE_SIZE.get() as usize];
            rng.fill(&mut bytes[..PAGE_SIZE.get() as usize / 2]);
            Bytes::from(bytes)
        };
        let pages = pages.into_iter().filter_map(PageNo::new).map(|page| (page, image(&mut rng)));
        changes.push((namespace, pages.collect()));
    }
    let durability = *rng.pick(&[Durability::Sequenced, Durability::Durable]);
    Plan { changes, staged: rng.one_in(4), durability }
}

/// The key under which a commit leaves its version.
pub(super) fn key(id: CommitId) -> Bytes {
    format!("commit/{id}").into()
}

/// Makes the commit that follows from `id`, in any of the ways that there are.
pub(super) fn commit(
    store: &Arc<dyn PageStore>,
    id: CommitId,
    rng: &mut Rng,
) -> Result<CommitOutcome> {
    let plan = plan(id);
    let at = block_on(store.watermarks())?.sequenced;
    let mut namespaces = Vec::new();
    for (namespace, pages) in plan.changes {
        let mut writes = Vec::new();
        for (page, image) in pages {
            let base = block_on(store.read_page(namespace, page, at))?;
            let patch = base
                .filter(|_| rng.one_in(2))
                .map(|base| Patch::between(base.version, &base.bytes, &image));
            writes.push(PageWrite { page, image, patch });
        }
        if plan.staged {
            block_on(store.stage(id, namespace, std::mem::take(&mut writes)))?;
        }
        let change = NamespaceChange { namespace, writes, page_size: PAGE_SIZE, page_count: PAGES };
        namespaces.push(change);
    }
    let value = MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) };
    let commit = Commit {
        id,
        conditions: Vec::new(),
        namespaces,
        meta: vec![MetaWrite { key: key(id), value: Some(value) }],
        durability: plan.durability,
        time: SystemAmbient.now(),
        at: None,
    };
    block_on(store.commit(commit))
}

/// The child: opens the store in `dir` and commits until it is killed,
/// acknowledging each commit and, before it, that it is about to be sent.
///
/// # Errors
/// What the store refused; never ends otherwise.
pub fn commits(fixture: &dyn Fixture, dir: &Path, seed: u64) -> Result<()> {
    let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
    let store = fixture.open(dir, Arc::clone(&ambient))?;
    let failed = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let mut rng = Rng::new(seed).fork(&n.to_string());
                let (store, ambient) = (&store, &ambient);
                scope.spawn(move || -> Error {
                    loop {
                        if let Err(error) = one(store, ambient, &mut rng) {
                            return error;
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().map(|w| w.join().expect("no writer panics")).next()
    });
    Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Internal, "no writers")))
}

fn one(store: &Arc<dyn PageStore>, ambient: &Arc<dyn Ambient>, rng: &mut Rng) -> Result<()> {
    let id = ambient.commit_id();
    acknowledge(&format!("sends {id}"));
    let CommitOutcome::Committed(made) = commit(store, id, rng)? else {
        return Err(Error::new(ErrorKind::Internal, "a conflict without conditions"));
    };
    let how = match plan(id).durability {
        Durability::Durable => "durable",
        Durability::Sequenced => "sequenced",
    };
    acknowledge(&format!("{how} {id} {}", made.version));
    Ok(())
}
