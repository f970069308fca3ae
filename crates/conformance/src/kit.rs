//! What the trials are written with: an open store, its clock, its directory,
//! and calls that fail the trial where an error would be a defect.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Capabilities, ChangeEntry, Commit, CommitId, CommitOutcome, Committed, Condition,
    Conflict, Durability, ErrorKind, LogEntry, LogQuery, MetaValue, MetaWrite, NamespaceChange,
    NamespaceId, PageImage, PageNo, PageSize, PageStore, PageWrite, Patch, Result, Span, Version,
    Watermarks,
};
use tempfile::TempDir;

use crate::{Fixture, Rng, TestAmbient};

/// One of two namespaces that most trials use.
pub(crate) const A: NamespaceId = NamespaceId(1);
/// The other one.
pub(crate) const B: NamespaceId = NamespaceId(2);
/// The page size of trials to which it does not matter.
pub(crate) const SIZE: PageSize = PageSize::MIN;

pub(crate) fn page(n: u32) -> PageNo {
    PageNo::new(n).expect("trials count pages from 1")
}

/// A page of [`SIZE`] that differs from that of every other tag in many bytes.
pub(crate) fn image(tag: u64) -> Bytes {
    sized_image(SIZE, tag)
}

pub(crate) fn sized_image(size: PageSize, tag: u64) -> Bytes {
    let mut bytes = vec![0; size.get() as usize];
    Rng::new(tag).fill(&mut bytes);
    bytes.into()
}

pub(crate) fn write(n: u32, image: Bytes) -> PageWrite {
    PageWrite { page: page(n), image, patch: None }
}

/// A page of [`SIZE`] as a patch against `old`, which had the tag `old_tag`.
pub(crate) fn patched(n: u32, old: &PageImage, image: Bytes) -> PageWrite {
    let patch = Some(Patch::between(old.version, &old.bytes, &image));
    PageWrite { page: page(n), image, patch }
}

pub(crate) struct Kit {
    fixture: Arc<dyn Fixture>,
    /// The trial's name, as the command line would say it.
    pub(crate) trial: String,
    pub(crate) ambient: Arc<TestAmbient>,
    pub(crate) seed: u64,
    store: Mutex<Option<Arc<dyn PageStore>>>,
    /// Goes after the store: the place of a directory that is gone can be another
    /// trial's, while the store still claims it.
    dir: TempDir,
}

impl Kit {
    pub(crate) fn new(fixture: Arc<dyn Fixture>, trial: String, seed: u64) -> Result<Self> {
        Self::with(fixture, trial, Arc::new(TestAmbient::new(seed)), seed)
    }

    fn with(
        fixture: Arc<dyn Fixture>,
        trial: String,
        ambient: Arc<TestAmbient>,
        seed: u64,
    ) -> Result<Self> {
        let dir = TempDir::with_prefix("hozo-conformance-").expect("a scratch directory");
        let store = fixture.open(dir.path(), ambient.clone())?;
        Ok(Kit { fixture, trial, dir, ambient, seed, store: Mutex::new(Some(store)) })
    }

    /// Another store of the same kind and with the same clock, in a directory
    /// of its own.
    pub(crate) fn another(&self) -> Kit {
        let (fixture, ambient) = (Arc::clone(&self.fixture), self.ambient.clone());
        Kit::with(fixture, self.trial.clone(), ambient, self.seed).expect("a second store opens")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<dyn PageStore>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> Arc<dyn PageStore> {
        Arc::clone(self.slot().as_ref().expect("the store is open"))
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&self) {
        let mut slot = self.slot();
        let store = slot.take().expect("the store is open");
        assert_eq!(Arc::strong_count(&store), 1, "the trial still uses the store");
        drop(store);
        let ambient = self.ambient.clone();
        *slot = Some(self.fixture.open(self.dir(), ambient).expect("the store opens again"));
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.store().capabilities()
    }

    pub(crate) fn rng(&self) -> Rng {
        Rng::new(self.seed)
    }

    pub(crate) fn id(&self) -> CommitId {
        let ambient: &dyn Ambient = &*self.ambient;
        ambient.commit_id()
    }

    /// A commit to be filled in: sequenced, now, without contents.
    pub(crate) fn draft(&self) -> Draft {
        Draft(Commit {
            id: self.id(),
            conditions: Vec::new(),
            namespaces: Vec::new(),
            meta: Vec::new(),
            durability: Durability::Sequenced,
            time: self.ambient.now(),
            at: None,
        })
    }

    #[track_caller]
    pub(crate) fn outcome(&self, draft: &Draft) -> CommitOutcome {
        block_on(self.store().commit(draft.0.clone())).expect("the commit is answered")
    }

    /// Commits, which must succeed.
    #[track_caller]
    pub(crate) fn commit(&self, draft: &Draft) -> Committed {
        match self.outcome(draft) {
            CommitOutcome::Committed(committed) => committed,
            CommitOutcome::Conflict(conflict) => panic!("unexpected {conflict:?}"),
        }
    }

    /// Commits, which must end in a conflict.
    #[track_caller]
    pub(crate) fn conflict(&self, draft: &Draft) -> Conflict {
        match self.outcome(draft) {
            CommitOutcome::Committed(made) => {
                panic!("committed in spite of its condition: {made:?}")
            }
            CommitOutcome::Conflict(conflict) => conflict,
        }
    }

    /// Commits, which must be refused with an error of this kind, and must not
    /// move the store.
    #[track_caller]
    pub(crate) fn refused(&self, draft: &Draft, kind: ErrorKind) {
        let before = self.marks().sequenced;
        match block_on(self.store().commit(draft.0.clone())) {
            Ok(outcome) => panic!("answered {outcome:?} instead of an error"),
            Err(error) => assert_eq!(error.kind(), kind, "{error}"),
        }
        assert_eq!(self.marks().sequenced, before, "a refused commit moved the store");
    }

    /// Commits one page of [`A`]: the most usual step.
    #[track_caller]
    pub(crate) fn put(&self, n: u32, tag: u64) -> Version {
        self.commit(&self.draft().write(A, [write(n, image(tag))])).version
    }

    #[track_caller]
    pub(crate) fn marks(&self) -> Watermarks {
        block_on(self.store().watermarks()).expect("watermarks are answered")
    }

    #[track_caller]
    pub(crate) fn head(&self) -> Version {
        self.marks().sequenced
    }

    #[track_caller]
    pub(crate) fn read(
        &self,
        ns: NamespaceId,
        pages: &[u32],
        at: Version,
    ) -> Vec<Option<PageImage>> {
        let pages: Vec<PageNo> = pages.iter().map(|&n| page(n)).collect();
        let images = block_on(self.store().read_pages(ns, &pages, at)).expect("a read is answered");
        assert_eq!(images.len(), pages.len(), "one answer for each page");
        images
    }

    #[track_caller]
    pub(crate) fn read_one(&self, ns: NamespaceId, n: u32, at: Version) -> Option<PageImage> {
        self.read(ns, &[n], at).remove(0)
    }

    /// That the page at `at` is the image of `tag`, written at `version`.
    #[track_caller]
    pub(crate) fn expect(&self, ns: NamespaceId, n: u32, at: Version, version: Version, tag: u64) {
        let found = self.read_one(ns, n, at).unwrap_or_else(|| panic!("page {n} is not there"));
        assert_eq!(found.version, version, "the version of page {n} at {at}");
        assert!(found.bytes == image(tag), "page {n} at {at} has other bytes than were written");
    }

    #[track_caller]
    pub(crate) fn stage(&self, id: CommitId, ns: NamespaceId, writes: impl Into<Vec<PageWrite>>) {
        block_on(self.store().stage(id, ns, writes.into())).expect("pages are staged");
    }

    #[track_caller]
    pub(crate) fn staged(
        &self,
        id: CommitId,
        ns: NamespaceId,
        pages: &[u32],
    ) -> Vec<Option<Bytes>> {
        let pages: Vec<PageNo> = pages.iter().map(|&n| page(n)).collect();
        block_on(self.store().read_staged(id, ns, &pages)).expect("staged pages are read")
    }

    #[track_caller]
    pub(crate) fn log(
        &self,
        ns: NamespaceId,
        span: Span,
        newest_first: bool,
        limit: usize,
    ) -> Vec<LogEntry> {
        let query = LogQuery { namespace: ns, span, newest_first, limit };
        block_on(self.store().log(query)).expect("the log is answered")
    }

    /// The whole log of a namespace, oldest first.
    #[track_caller]
    pub(crate) fn whole_log(&self, ns: NamespaceId) -> Vec<LogEntry> {
        self.log(ns, Span::Versions(Version::ZERO, Version::MAX), false, usize::MAX)
    }

    #[track_caller]
    pub(crate) fn changes(&self, after: Version, limit: usize) -> Vec<ChangeEntry> {
        block_on(self.store().changes(after, limit)).expect("changes are answered")
    }

    #[track_caller]
    pub(crate) fn meta(&self, key: &[u8]) -> Option<Bytes> {
        block_on(self.store().meta_get(key)).expect("metadata is answered")
    }

    #[track_caller]
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Vec<(Bytes, Bytes)> {
        block_on(self.store().meta_scan(prefix, after, limit)).expect("a scan is answered")
    }
}

/// Calls `step` with 1, 2, … on this thread while others call `look`: at least
/// `steps` times, and on until there were looks enough between them.
pub(crate) fn look_meanwhile(steps: u64, look: impl Fn() + Sync, mut step: impl FnMut(u64)) {
    const READERS: usize = 3;
    const LOOKS: u64 = 100;
    // Also ends the readers when a step panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let (over, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    let read = || {
        while !over.load(Ordering::Acquire) {
            look();
            looks.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let _over = Over(&over);
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        for n in 1.. {
            let enough = n > steps && looks.load(Ordering::Relaxed) >= LOOKS;
            // One that ended by itself has found something.
            if enough || readers.iter().any(|reader| reader.is_finished()) {
                break;
            }
            step(n);
        }
    });
}

/// A commit in the making.
#[derive(Clone)]
pub(crate) struct Draft(pub(crate) Commit);

impl Draft {
    /// Writes pages of [`SIZE`]; the page count is the highest page or more.
    pub(crate) fn write(self, ns: NamespaceId, writes: impl Into<Vec<PageWrite>>) -> Self {
        let writes = writes.into();
        let page_count = writes.iter().map(|w| w.page.get()).max().unwrap_or(0).max(8);
        self.change(NamespaceChange { namespace: ns, writes, page_size: SIZE, page_count })
    }

    pub(crate) fn change(mut self, change: NamespaceChange) -> Self {
        self.0.namespaces.push(change);
        self
    }

    pub(crate) fn set(self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.meta(key, Some(MetaValue::plain(value)))
    }

    pub(crate) fn meta(mut self, key: impl Into<Bytes>, value: Option<MetaValue>) -> Self {
        self.0.meta.push(MetaWrite { key: key.into(), value });
        self
    }

    pub(crate) fn when(mut self, condition: Condition) -> Self {
        self.0.conditions.push(condition);
        self
    }

    pub(crate) fn if_page(self, ns: NamespaceId, n: u32, since: Version) -> Self {
        self.when(Condition::PageUnchanged { namespace: ns, page: page(n), since })
    }

    pub(crate) fn if_namespace(self, ns: NamespaceId, since: Version) -> Self {
        self.when(Condition::NamespaceUnchanged { namespace: ns, since })
    }

    pub(crate) fn if_meta(self, key: impl Into<Bytes>, value: Option<&[u8]>) -> Self {
        let value = value.map(Bytes::copy_from_slice);
        self.when(Condition::MetaEquals { key: key.into(), value })
    }

    pub(crate) fn durable(mut self) -> Self {
        self.0.durability = Durability::Durable;
        self
    }

    pub(crate) fn id(mut self, id: CommitId) -> Self {
        self.0.id = id;
        self
    }

    pub(crate) fn at(mut self, version: Version) -> Self {
        self.0.at = Some(version);
        self
    }

    pub(crate) fn time_micros(mut self, us: u64) -> Self {
        self.0.time = hozo_traits::Timestamp::from_micros(us);
        self
    }
}
