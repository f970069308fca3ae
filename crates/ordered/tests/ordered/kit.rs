//! What the tests here have in common.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use bytes::Bytes;
use hozo_conformance::TestAmbient;
use hozo_ordered::{OrderedEngine, OrderedPages, OrderedPagesConfig, Sequenced, Space};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Commit, CommitId, CommitOutcome, Condition, Durability, NamespaceChange, NamespaceId, PageNo,
    PageSize, PageStore, PageStoreExt, PageWrite, Patch, Result, Timestamp, Version,
};

use crate::engine::{Disk, Engine};

pub(crate) type Store = OrderedPages<Sequenced<Engine>>;

pub(crate) const NS: NamespaceId = NamespaceId(7);
pub(crate) const PAGE_BYTES: usize = 512;

pub(crate) fn open(disk: &Arc<Disk>) -> Store {
    open_with(disk.open(), Arc::new(TestAmbient::new(1)))
}

pub(crate) fn open_with(engine: Engine, ambient: Arc<TestAmbient>) -> Store {
    let engine = Sequenced::open(engine).expect("the engine opens");
    let config = OrderedPagesConfig::default();
    block_on(OrderedPages::open(engine, config, ambient)).expect("the store opens")
}

/// An id that no other call gives, made at `millis`.
pub(crate) fn id_of(millis: u64) -> CommitId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    CommitId::new(Timestamp::from_micros(millis * 1000), random)
}

pub(crate) fn id() -> CommitId {
    id_of(TestAmbient::START.as_millis())
}

pub(crate) fn page(n: u32) -> PageNo {
    PageNo::new(n).expect("not 0")
}

/// A page whose bytes all depend on `tag`.
pub(crate) fn image(tag: u64) -> Bytes {
    let bytes = (0..PAGE_BYTES as u64 / 8)
        .flat_map(|n| (tag ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes.collect::<Vec<u8>>().into()
}

/// A page written with no hint of what it was.
pub(crate) fn whole(n: u32, image: Bytes) -> PageWrite {
    PageWrite { page: page(n), image, patch: None }
}

/// A page written with the hint.
pub(crate) fn patched(n: u32, base: Version, old: &Bytes, image: Bytes) -> PageWrite {
    let patch = Some(Patch::between(base, old, &image));
    PageWrite { page: page(n), image, patch }
}

/// A commit of these pages without conditions.
pub(crate) fn commit(durability: Durability, writes: Vec<PageWrite>) -> Commit {
    let change = NamespaceChange {
        namespace: NS,
        writes,
        page_size: PageSize::new(PAGE_BYTES as u32).expect("a page size"),
        page_count: 100,
    };
    Commit {
        id: id(),
        conditions: Vec::new(),
        namespaces: vec![change],
        meta: Vec::new(),
        durability,
        time: TestAmbient::START,
        at: None,
    }
}

/// The same, if nobody wrote the namespace since.
pub(crate) fn commit_since(since: Version, writes: Vec<PageWrite>) -> Commit {
    let condition = Condition::NamespaceUnchanged { namespace: NS, since };
    Commit { conditions: vec![condition], ..commit(Durability::Sequenced, writes) }
}

/// A commit of one page, its number and content `n`.
pub(crate) fn simple(durability: Durability, n: u32) -> Commit {
    commit(durability, vec![whole(n, image(u64::from(n)))])
}

pub(crate) fn made(outcome: Result<CommitOutcome>) -> Version {
    match outcome.expect("the commit is answered") {
        CommitOutcome::Committed(made) => made.version,
        CommitOutcome::Conflict(conflict) => panic!("no conflict is expected: {conflict:?}"),
    }
}

pub(crate) fn put<E: OrderedEngine>(store: &OrderedPages<E>, commit: Commit) -> Version {
    made(block_on(store.commit(commit)))
}

pub(crate) fn marks(store: &Store) -> (Version, Version) {
    let marks = block_on(store.watermarks()).expect("watermarks are answered");
    (marks.sequenced, marks.durable)
}

/// `image` with eight bytes at `at` changed.
pub(crate) fn changed(image: &Bytes, at: usize, to: u64) -> Bytes {
    let mut new = image.to_vec();
    new[at..at + 8].copy_from_slice(&to.to_be_bytes());
    new.into()
}

pub(crate) fn expect(store: &Store, n: u32, at: Version, version: Version, image: &Bytes) {
    let read = block_on(store.read_page(NS, page(n), at)).expect("pages are answered");
    let read = read.expect("the page is there");
    assert_eq!((read.version, &read.bytes), (version, image));
}

/// Bytes of the newest record of page 1.
pub(crate) fn record_len(disk: &Disk) -> usize {
    disk.newest(Space::Pages, &NS.0.to_be_bytes()).expect("a record").len()
}

/// Waits for something that another thread does.
pub(crate) fn until(done: impl Fn() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Runs a future as an executor would whose threads must not block.
pub(crate) fn run_elsewhere<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = Woken::new();
    loop {
        let before = woken.count();
        if let Poll::Ready(output) = woken.poll(future.as_mut()) {
            return output;
        }
        until(|| woken.count() > before);
    }
}

/// A waker that counts.
pub(crate) struct Woken(AtomicU64);

impl Woken {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Woken(AtomicU64::new(0)))
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    /// Polls as a thread does that may block.
    pub(crate) fn poll_blocking<F: Future>(
        self: &Arc<Self>,
        mut future: Pin<&mut F>,
    ) -> Poll<F::Output> {
        block_on(std::future::poll_fn(|_| Poll::Ready(self.poll(future.as_mut()))))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
