//! A store with namespaces, and short words for what tests do to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hozo_conformance::model::Disk;
use hozo_conformance::{Model, TestAmbient};
use hozo_pages::{
    Changes, Concurrency, CreateOptions, Head, Namespace, NamespaceInfo, NamespaceName, Namespaces,
    Reads, Resolved,
};
use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitOutcome, Committed, Conflict, Durability, Error, ErrorKind, PageNo, PageSize, PageStore,
    PageWrite, Result, Version,
};

use crate::probe::{Probe, Settings};

/// One store on one disk, seen through a probe and also without it.
pub(crate) struct Kit {
    pub(crate) ambient: Arc<TestAmbient>,
    pub(crate) probe: Arc<Probe>,
    pub(crate) names: Arc<Namespaces>,
    /// Somebody else on the same store, whom the probe does not see.
    pub(crate) other: Arc<Namespaces>,
    pub(crate) raw: Arc<dyn PageStore>,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Kit::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let ambient = Arc::new(TestAmbient::new(7));
        // Persistent, so that sequenced commits are not durable at once.
        let raw: Arc<dyn PageStore> = Model::on(&Arc::<Disk>::default(), ambient.clone());
        let probe = Probe::new(raw.clone(), settings);
        let names = Namespaces::new(probe.clone(), ambient.clone());
        let other = Namespaces::new(raw.clone(), ambient.clone());
        Kit { ambient, probe, names, other, raw }
    }

    #[track_caller]
    pub(crate) fn create(&self, text: &str) -> NamespaceInfo {
        let created = block_on(self.names.create(&name(text), CreateOptions::default()));
        created.expect("a namespace is created")
    }

    #[track_caller]
    pub(crate) fn open(&self, text: &str) -> Arc<Namespace> {
        block_on(self.names.open(&name(text))).expect("a namespace is opened")
    }

    #[track_caller]
    pub(crate) fn fresh(&self, text: &str) -> Arc<Namespace> {
        self.create(text);
        self.open(text)
    }

    pub(crate) fn resolve(&self, target: &str) -> Result<Resolved> {
        block_on(self.names.resolve(&target.parse().expect("it is a target")))
    }

    /// The commit that a target means, which is not the moving head.
    #[track_caller]
    pub(crate) fn at(&self, target: &str) -> Head {
        self.resolve(target).expect("the moment is there").at.expect("it is a snapshot")
    }

    pub(crate) fn outcome(&self, changes: Vec<Changes>) -> Result<CommitOutcome> {
        let id = ambient_id(&self.names);
        block_on(self.names.commit(id, changes, Durability::Sequenced))
    }

    #[track_caller]
    pub(crate) fn commit(&self, changes: Vec<Changes>) -> Committed {
        match self.outcome(changes).expect("a commit is answered") {
            CommitOutcome::Committed(committed) => committed,
            CommitOutcome::Conflict(conflict) => panic!("conflicts: {conflict:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn conflict(&self, changes: Vec<Changes>) -> Conflict {
        match self.outcome(changes).expect("a commit is answered") {
            CommitOutcome::Committed(committed) => panic!("committed: {committed:?}"),
            CommitOutcome::Conflict(conflict) => conflict,
        }
    }

    /// Writes one page from the newest version, as a serial writer does.
    #[track_caller]
    pub(crate) fn put(&self, namespace: &Arc<Namespace>, n: u32, tag: u8) -> Version {
        let base = sequenced(namespace).version;
        self.commit(vec![changes(namespace, base, Reads::Whole, &[(n, tag)])]).version
    }

    pub(crate) fn set(&self, text: &str, concurrency: Concurrency) -> Result<()> {
        block_on(self.names.set_concurrency(&name(text), concurrency))
    }

    pub(crate) fn tick(&self, seconds: u64) {
        self.ambient.advance(Duration::from_secs(seconds));
    }
}

fn ambient_id(names: &Namespaces) -> hozo_traits::CommitId {
    names.ambient().commit_id()
}

pub(crate) fn name(text: &str) -> NamespaceName {
    text.parse().expect("it is a name")
}

pub(crate) fn page(n: u32) -> PageNo {
    PageNo::new(n).expect("pages count from 1")
}

pub(crate) fn pages(numbers: &[u32]) -> Reads {
    Reads::Pages(numbers.iter().map(|n| page(*n)).collect())
}

pub(crate) fn image(tag: u8) -> Bytes {
    vec![tag; PageSize::DEFAULT.get() as usize].into()
}

/// Writes of (page, tag); the database has at least 8 pages afterwards.
pub(crate) fn changes(
    namespace: &Arc<Namespace>,
    base: Version,
    reads: Reads,
    writes: &[(u32, u8)],
) -> Changes {
    let write =
        |(n, tag): &(u32, u8)| PageWrite { page: page(*n), image: image(*tag), patch: None };
    Changes {
        namespace: namespace.clone(),
        base,
        reads,
        writes: writes.iter().map(write).collect(),
        page_size: PageSize::DEFAULT,
        page_count: writes.iter().map(|(n, _)| *n).fold(8, u32::max),
    }
}

#[track_caller]
pub(crate) fn sequenced(namespace: &Namespace) -> Head {
    block_on(namespace.heads()).expect("heads are answered").sequenced
}

/// The tag of a page at a version.
#[track_caller]
pub(crate) fn tag(namespace: &Namespace, n: u32, at: Version) -> Option<u8> {
    let images = block_on(namespace.read(&[page(n)], at)).expect("a page is read");
    images[0].as_ref().map(|image| image.bytes[0])
}

#[track_caller]
pub(crate) fn fails<T: std::fmt::Debug>(answer: Result<T>, kind: ErrorKind) -> Error {
    let error = answer.expect_err("an error is expected");
    assert_eq!(error.kind(), kind, "{error}");
    error
}
