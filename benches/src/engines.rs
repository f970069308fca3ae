//! Stores of every backend of this build, to call as an engine is called:
//! without SQLite, namespaces and caches above them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hozo::Registry;
use hozo::traits::exec::block_on;
use hozo::traits::{
    Ambient, Commit, CommitOutcome, Durability, KvStore, NamespaceChange, NamespaceId, PageNo,
    PageSize, PageStore, PageWrite, Patch, SystemAmbient, Version,
};
use hozo_bench::subject::{Subject, Target};

/// The namespace of all benches.
const NAMESPACE: NamespaceId = NamespaceId(1);
/// How many pages are written.
pub const PAGES: u32 = 1_000;

/// The backends to measure: those that `HOZO_BENCH_BACKENDS` lists, or all.
pub fn backends() -> Vec<String> {
    match std::env::var("HOZO_BENCH_BACKENDS") {
        Ok(names) => names.split(',').map(str::to_owned).collect(),
        Err(_) => Registry::builtin().names().map(str::to_owned).collect(),
    }
}

/// An empty store of a backend.
pub fn open(backend: &str, dir: &Path) -> Subject {
    let registry = Registry::builtin();
    let target = Target::of_backend(backend, &registry).expect("the backend is in this build");
    Subject::open(&target.source, dir, &registry).expect("a store can be made")
}

/// Pages of one namespace.
pub struct Pages {
    store: Arc<dyn PageStore>,
    images: Vec<Bytes>,
    versions: Vec<Version>,
    commits: u64,
}

impl Pages {
    /// [`PAGES`] pages, each written once, in one commit.
    pub fn new(store: Arc<dyn PageStore>) -> Self {
        let image = |page: u32| Bytes::from(vec![page as u8; PageSize::DEFAULT.get() as usize]);
        let images: Vec<Bytes> = (1..=PAGES).map(image).collect();
        let versions = vec![Version::ZERO; PAGES as usize];
        let mut pages = Pages { store, images, versions, commits: 0 };
        let write = |(image, page)| PageWrite { page: number(page), image, patch: None };
        let writes = pages.images.iter().cloned().zip(1..).map(write).collect();
        let version = pages.commit(writes, Durability::Durable);
        pages.versions.fill(version);
        pages
    }

    /// Changes eight bytes of a page, and commits that.
    pub fn change(&mut self, page: u32, durability: Durability) -> Version {
        let index = page as usize - 1;
        let old = self.images[index].clone();
        let mut new = old.to_vec();
        let at = (self.commits as usize * 8) % new.len();
        new[at..at + 8].copy_from_slice(&self.commits.to_le_bytes());
        let image = Bytes::from(new);
        let patch = Some(Patch::between(self.versions[index], &old, &image));
        let write = PageWrite { page: number(page), image: image.clone(), patch };
        let version = self.commit(vec![write], durability);
        self.images[index] = image;
        self.versions[index] = version;
        version
    }

    fn commit(&mut self, writes: Vec<PageWrite>, durability: Durability) -> Version {
        self.commits += 1;
        let ambient: &dyn Ambient = &SystemAmbient;
        let commit = Commit {
            id: ambient.commit_id(),
            conditions: Vec::new(),
            namespaces: vec![NamespaceChange {
                namespace: NAMESPACE,
                writes,
                page_size: PageSize::DEFAULT,
                page_count: PAGES,
            }],
            meta: Vec::new(),
            durability,
            time: ambient.now(),
            at: None,
        };
        match block_on(self.store.commit(commit)).expect("the store commits") {
            CommitOutcome::Committed(committed) => committed.version,
            CommitOutcome::Conflict(conflict) => panic!("without conditions: {conflict:?}"),
        }
    }

    /// Reads a page as of a version.
    pub fn read(&self, page: u32, at: Version) -> Bytes {
        let images = block_on(self.store.read_pages(NAMESPACE, &[number(page)], at));
        let image = images.expect("the store reads").pop().flatten();
        image.expect("the page was written").bytes
    }
}

fn number(page: u32) -> PageNo {
    PageNo::new(page).expect("pages are numbered from 1")
}

/// The key of a record.
pub fn key(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
}

/// Sets so many records with values of so many bytes.
pub fn fill(store: &dyn KvStore, records: u64, value_bytes: usize) {
    use hozo::traits::KvStoreExt as _;
    let value = Bytes::from(vec![b'v'; value_bytes]);
    for from in (0..records).step_by(1_000) {
        let part = (from..(from + 1_000).min(records)).map(|n| (key(n), value.clone())).collect();
        block_on(store.set_many(part, true, Durability::Sequenced)).expect("the store sets");
    }
    block_on(store.synchronise()).expect("the store syncs");
}
