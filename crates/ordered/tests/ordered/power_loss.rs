//! What a power cut may take: commits that are not durable, from the newest
//! on, each of them whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use hozo_conformance::{Rng, seed};
use hozo_ordered::Space;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Commit, CommitId, Durability, MetaValue, MetaWrite, NamespaceId, PageNo, PageStore,
    PageStoreExt, PageWrite, Version,
};

use crate::engine::Disk;
use crate::kit::*;

const PAGES: usize = 12;
const ROUNDS: usize = 40;

/// What must be there: each commit that was made.
struct Model {
    commits: Vec<Made>,
    /// The newest version that was answered as durable.
    durable: Version,
}

struct Made {
    version: Version,
    id: CommitId,
    pages: BTreeMap<PageNo, Bytes>,
}

impl Model {
    fn page(&self, page: PageNo, at: Version) -> Option<(Version, &Bytes)> {
        let upto = self.commits.iter().rev().filter(|made| made.version <= at);
        upto.filter_map(|made| Some((made.version, made.pages.get(&page)?))).next()
    }

    fn head(&self) -> Version {
        self.commits.last().map_or(Version::ZERO, |made| made.version)
    }
}

/// A page with a few bytes changed, or a new one.
fn next_write(rng: &mut Rng, model: &Model) -> PageWrite {
    let n = 1 + rng.below(PAGES) as u32;
    let old = model.page(page(n), model.head());
    match old {
        Some((base, old)) if rng.below(4) > 0 => {
            let mut new = old.to_vec();
            for _ in 0..=rng.below(3) {
                let at = rng.below(PAGE_BYTES - 8);
                new[at..at + 8].copy_from_slice(&rng.next().to_be_bytes());
            }
            patched(n, base, old, new.into())
        }
        _ => whole(n, image(rng.next())),
    }
}

fn next_commit(rng: &mut Rng, model: &Model) -> (Commit, BTreeMap<PageNo, Bytes>) {
    let writes = (0..=rng.below(3)).map(|_| next_write(rng, model));
    let pages: BTreeMap<PageNo, PageWrite> = writes.map(|write| (write.page, write)).collect();
    let images = pages.iter().map(|(page, write)| (*page, write.image.clone())).collect();
    let mut commit = commit_since(model.head(), pages.into_values().collect());
    if rng.below(3) == 0 {
        commit.durability = Durability::Durable;
    }
    let value = MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) };
    commit.meta = vec![MetaWrite { key: Bytes::from_static(b"newest"), value: Some(value) }];
    (commit, images)
}

/// Commits at random; answers the id of a stage that is left open.
fn work(rng: &mut Rng, store: &Store, model: &mut Model) -> CommitId {
    for _ in 0..rng.below(12) {
        let (mut commit, pages) = next_commit(rng, model);
        let id = commit.id;
        if rng.below(4) == 0 {
            // Some of the pages come by way of a stage.
            let writes = &mut commit.namespaces[0].writes;
            let staged = writes.split_off(writes.len() / 2);
            block_on(store.stage(id, NS, staged)).expect("pages are staged");
        }
        let durable = commit.durability == Durability::Durable;
        let version = put(store, commit);
        model.commits.push(Made { version, id, pages });
        if durable {
            model.durable = version;
        }
    }
    let open = id();
    block_on(store.stage(open, NS, vec![whole(1, image(0))])).expect("a page is staged");
    open
}

/// Forgets what the power cut took, having seen that it might; then sees that
/// the rest is whole.
fn expect_prefix(store: &Store, model: &mut Model, open: CommitId) {
    let (sequenced, durable) = marks(store);
    assert_eq!(sequenced, durable, "what is there after a start is durable");
    assert!(sequenced >= model.durable, "{sequenced} is left of {}", model.durable);
    assert!(sequenced <= model.head(), "{sequenced} was never made");
    model.commits.retain(|made| made.version <= sequenced);
    assert_eq!(model.head(), sequenced, "a version that a commit had");
    model.durable = sequenced;

    let all = hozo_traits::LogQuery {
        namespace: NS,
        span: hozo_traits::Span::Versions(Version::ZERO, Version::MAX),
        newest_first: false,
        limit: usize::MAX,
    };
    let log = block_on(store.log(all)).expect("the log is answered");
    let logged = log.iter().map(|entry| (entry.version, entry.commit_id));
    assert!(logged.eq(model.commits.iter().map(|made| (made.version, made.id))));
    for at in model.commits.iter().map(|made| made.version).chain([Version::ZERO]) {
        for n in 1..=PAGES as u32 {
            let read = block_on(store.read_page(NS, page(n), at)).expect("pages are answered");
            let read = read.as_ref().map(|image| (image.version, &image.bytes));
            assert_eq!(read, model.page(page(n), at), "page {n} at {at}");
        }
    }
    let newest = block_on(store.meta_get(b"newest")).expect("metadata is answered");
    let newest = newest.map_or(Version::ZERO, |v| Version::from_bytes(v[..].try_into().unwrap()));
    assert_eq!(newest, sequenced, "metadata is of the newest commit");
    let staged = block_on(store.read_staged(open, NS, &[page(1)])).expect("stages are answered");
    assert_eq!(staged, [None], "an open stage ends with its process");
}

#[test]
fn a_prefix_survives_each_commit_whole() {
    let seed = seed();
    eprintln!("seed {seed}");
    let mut rng = Rng::new(seed);
    let disk: Arc<Disk> = Arc::default();
    let mut model = Model { commits: Vec::new(), durable: Version::ZERO };
    let mut store = open(&disk);
    for _ in 0..ROUNDS {
        let open_stage = work(&mut rng, &store, &mut model);
        disk.cut_power(|unsynced| rng.below(unsynced + 1));
        drop(store);
        store = open(&disk);
        expect_prefix(&store, &mut model, open_stage);
    }
    assert!(!model.commits.is_empty(), "no commit survived any of {ROUNDS} rounds");
}

#[test]
fn staged_images_of_lost_commits_are_not_left_behind() {
    let disk: Arc<Disk> = Arc::default();
    let store = open(&disk);
    let lost = commit(Durability::Sequenced, Vec::new());
    block_on(store.stage(lost.id, NS, vec![whole(1, image(1))])).expect("a page is staged");
    disk.close_gate();
    put(&store, lost);
    // Everything but the commit itself.
    disk.cut_power(|unsynced| unsynced - 1);
    drop(store);
    assert_ne!(disk.count(Space::Staged), 0, "the stage was there when the power failed");
    let store = open(&disk);
    assert_eq!(marks(&store).0, Version::ZERO);
    assert_eq!(disk.count(Space::Staged), 0);
}

#[test]
fn what_was_answered_as_durable_survives_a_cut_at_any_moment() {
    let seed = seed();
    eprintln!("seed {seed}");
    let mut rng = Rng::new(seed);
    for _ in 0..ROUNDS {
        let disk: Arc<Disk> = Arc::default();
        let store = open(&disk);
        let answered = Mutex::new(Vec::new());
        let commits = 1 + rng.below(40) as u64;
        thread::scope(|scope| {
            for n in 1..=4u32 {
                let (store, answered) = (&store, &answered);
                scope.spawn(move || {
                    for tag in 0.. {
                        let write = whole(n, image(tag));
                        let mut commit = commit(Durability::Durable, vec![write]);
                        commit.namespaces[0].namespace = NamespaceId(u64::from(n));
                        let Ok(outcome) = block_on(store.commit(commit)) else { return };
                        let version = made(Ok(outcome));
                        answered.lock().unwrap().push((n, tag, version));
                    }
                });
            }
            until(|| marks(&store).0.seq() >= commits);
            disk.cut_power(|unsynced| rng.below(unsynced + 1));
        });
        drop(store);
        let store = open(&disk);
        let (survived, _) = marks(&store);
        for (n, tag, version) in answered.into_inner().unwrap() {
            assert!(version <= survived, "{version} was answered, {survived} survived");
            let namespace = NamespaceId(u64::from(n));
            let read = block_on(store.read_page(namespace, page(n), version)).expect("a read");
            let read = read.expect("the page is there");
            assert_eq!((read.version, read.bytes), (version, image(tag)));
        }
    }
}
