//! A store that is used in every way, by a client that tries again where it may.

use std::sync::Arc;

use bytes::Bytes;
use hozo_backend_fdb::Config;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitId, CommitOutcome, Condition, Conflict, Durability, Effect, Error,
    ErrorKind, KvStore, LogQuery, NamespaceChange, NamespaceId, PageNo, PageSize, PageStore,
    PageWrite, Present, PresentValue, Result, Selection, Span, Store, SystemAmbient, Version,
};

pub(crate) const A: NamespaceId = NamespaceId(7);

/// What a client does with an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// No error is to reach it.
    None,
    /// It tries again.
    Some,
}

pub(crate) struct Client {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pages: Arc<dyn PageStore>,
    pub(crate) dbm: Arc<dyn KvStore>,
    ambient: Arc<dyn Ambient>,
    patience: Patience,
}

/// How often a client tries; only one call fails.
const TRIES: usize = 3;

fn retried<T>(patience: Patience, mut what: impl FnMut() -> Result<T>) -> T {
    let mut last = None;
    for _ in 0..TRIES {
        match what() {
            Ok(done) => return done,
            Err(error) => {
                assert_eq!(patience, Patience::Some, "an error that passes was answered: {error}");
                check_kind(&error);
                last = Some(error);
            }
        }
    }
    panic!("one failed call, and {TRIES} failures: {last:?}")
}

/// Errors of the cluster are errors of the cluster, and nothing else.
pub(crate) fn check_kind(error: &Error) {
    let kinds = [ErrorKind::Unavailable, ErrorKind::TimedOut, ErrorKind::Busy];
    assert!(kinds.contains(&error.kind()), "{error}");
}

pub(crate) fn page(n: u32) -> PageNo {
    PageNo::new(n).expect("pages begin with 1")
}

pub(crate) fn image(tag: u8) -> Bytes {
    vec![tag; 4096].into()
}

impl Client {
    pub(crate) fn open(config: &Config, patience: Patience) -> Self {
        let ambient: Arc<dyn Ambient> = Arc::new(SystemAmbient);
        let store = retried(patience, || hozo_backend_fdb::open(config, Arc::clone(&ambient)));
        let pages = store.pages().expect("it has pages");
        let dbm = retried(patience, || store.records("main"));
        Client { store, pages, dbm, ambient, patience }
    }

    pub(crate) fn id(&self) -> CommitId {
        self.ambient.commit_id()
    }

    pub(crate) fn commit_of(&self, tags: &[(u32, u8)], conditions: Vec<Condition>) -> Commit {
        let write =
            |(n, tag): &(u32, u8)| PageWrite { page: page(*n), image: image(*tag), patch: None };
        let change = NamespaceChange {
            namespace: A,
            writes: tags.iter().map(write).collect(),
            page_size: PageSize::new(4096).expect("a page size"),
            page_count: 9,
        };
        Commit {
            id: self.id(),
            conditions,
            namespaces: vec![change],
            meta: Vec::new(),
            durability: Durability::Durable,
            time: self.ambient.now(),
            at: None,
        }
    }

    /// Commits, and asks again, which changes nothing about the answer.
    pub(crate) fn commit(&self, commit: &Commit) -> CommitOutcome {
        let first = retried(self.patience, || block_on(self.pages.commit(commit.clone())));
        let again = retried(self.patience, || block_on(self.pages.commit(commit.clone())));
        assert_eq!(first, again, "the same id, and another answer");
        first
    }

    pub(crate) fn version(&self, commit: &Commit) -> Version {
        match self.commit(commit) {
            CommitOutcome::Committed(made) => made.version,
            CommitOutcome::Conflict(conflict) => panic!("nobody else writes: {conflict:?}"),
        }
    }

    fn read(&self, n: u32, at: Version) -> Option<Bytes> {
        let read = || block_on(self.pages.read_pages(A, &[page(n)], at));
        retried(self.patience, read).pop().flatten().map(|image| image.bytes)
    }

    /// Adds one to a counter, without an id by which it could be asked again.
    fn increment(&self, counted: &mut u64) {
        let add = || {
            let key = [Bytes::from_static(b"counter")];
            let selection = Selection::Keys { keys: &key, values: true };
            block_on(self.dbm.update(selection, Durability::Durable, &mut |found: &[Present]| {
                let before = match &found[0].value {
                    PresentValue::Is(value) => u64::from_be_bytes(value[..].try_into().unwrap()),
                    _ => 0,
                };
                let value = Bytes::copy_from_slice(&(before + 1).to_be_bytes());
                Ok(vec![Effect::Set { key: key[0].clone(), value }])
            }))
        };
        // One that failed was not made: only one call fails, and what was in doubt was
        // looked for.
        retried(self.patience, add);
        *counted += 1;
        assert_eq!(self.value(b"counter"), Some(Bytes::copy_from_slice(&counted.to_be_bytes())));
    }

    pub(crate) fn value(&self, key: &'static [u8]) -> Option<Bytes> {
        let get = || block_on(self.dbm.get_many(&[Bytes::from_static(key)]));
        retried(self.patience, get).pop().flatten()
    }

    pub(crate) fn set(&self, key: &'static [u8], value: Bytes) {
        let keys = [Bytes::from_static(key)];
        let effects = vec![Effect::Set { key: keys[0].clone(), value }];
        let selection = Selection::Keys { keys: &keys, values: false };
        let set = || {
            let mut change = |_: &[Present]| Ok(effects.clone());
            block_on(self.dbm.update(selection, Durability::Sequenced, &mut change))
        };
        retried(self.patience, set);
    }

    fn log(&self) -> Vec<CommitId> {
        let span = Span::Versions(Version::ZERO, Version::MAX);
        let query = || LogQuery { namespace: A, span, newest_first: false, limit: 100 };
        let entries = retried(self.patience, || block_on(self.pages.log(query())));
        entries.into_iter().map(|entry| entry.commit_id).collect()
    }

    /// Uses the store, which must be empty, in every way, and looks at everything.
    pub(crate) fn run(&self) {
        let first = self.commit_of(&[(1, 1), (2, 1), (3, 1)], Vec::new());
        let v1 = self.version(&first);
        let unchanged = |n, since| Condition::PageUnchanged { namespace: A, page: page(n), since };
        let mut second = self.commit_of(&[(1, 2)], vec![unchanged(1, v1), unchanged(9, v1)]);
        let staged = vec![PageWrite { page: page(4), image: image(2), patch: None }];
        retried(self.patience, || block_on(self.pages.stage(second.id, A, staged.clone())));
        let v2 = self.version(&second);
        assert!(v2 > v1);
        let third = self.commit_of(&[(1, 3)], vec![unchanged(1, v1)]);
        let conflict = Conflict::Page { namespace: A, page: page(1), version: v2 };
        assert_eq!(self.commit(&third), CommitOutcome::Conflict(conflict));
        second.id = self.id();
        second.conditions = vec![unchanged(1, v2)];
        let v3 = self.version(&second);
        let marks = retried(self.patience, || block_on(self.pages.watermarks()));
        assert_eq!((marks.sequenced, marks.durable), (v3, v3));

        let mut counted = 0;
        self.increment(&mut counted);
        self.increment(&mut counted);
        let large: Bytes = (0..250_000u32).map(|i| (i / 7) as u8).collect::<Vec<u8>>().into();
        self.set(b"large", large.clone());
        assert_eq!(self.value(b"large"), Some(large));
        self.set(b"large", Bytes::from_static(b"small"));
        assert_eq!(retried(self.patience, || block_on(self.dbm.count())), 2);

        for (n, at, tag) in
            [(1, v1, Some(1)), (1, v2, Some(2)), (4, v1, None), (4, v2, Some(2)), (3, v3, Some(1))]
        {
            assert_eq!(self.read(n, at), tag.map(image), "page {n} at {at}");
        }
        let purge = || block_on(self.pages.purge(A, &[(page(1), v1)]));
        let purged = retried(self.patience, purge);
        assert!(purged.removed <= 1, "{purged:?}");
        assert_eq!(self.read(1, v3), Some(image(2)));
        assert_eq!(self.log(), [first.id, self.log()[1], second.id], "each commit once");
        assert_eq!(self.log().len(), 3);
    }
}
