//! Servers with namespaces, in one process.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use hozo_backend_memory as memory;
use hozo_conformance::layer::Layered;
use hozo_conformance::model::Disk;
use hozo_conformance::{Model, TestAmbient};
use hozo_repl::{Config, Home, HomedPages, Open, Repl};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitOutcome, Committed, Durability, ErrorKind, LogQuery, MetaValue,
    MetaWrite, NamespaceChange, NamespaceId, PageNo, PageSize, PageStore, PageWrite, PagesStatus,
    Replicator, Result, ServerId, Span, SystemAmbient, Timestamp, Version,
};
use tempfile::TempDir;

use super::net::Net;
use super::stores::{Failing, Steps};

pub(crate) const SIZE: PageSize = PageSize::MIN;
pub(crate) const A: NamespaceId = NamespaceId(1);
pub(crate) const B: NamespaceId = NamespaceId(2);

/// A server with one store, `main`.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    net: Net,
    _directory: TempDir,
    pub(crate) config: Config,
    disk: Arc<Disk>,
    ambient: Arc<dyn Ambient>,
    pub(crate) failing: Arc<Failing>,
    running: Option<Running>,
}

struct Running {
    repl: Arc<Repl>,
    pages: Arc<HomedPages>,
    following: JoinHandle<()>,
}

impl Site {
    pub(crate) fn new(
        net: &Net,
        name: &'static str,
        id: u32,
        set: impl FnOnce(&mut Config),
    ) -> Site {
        let mut site = Site::resting(net, name, id, Arc::new(SystemAmbient), set);
        site.start();
        site
    }

    /// One whose store has another clock, and that does not run yet.
    pub(crate) fn resting(
        net: &Net,
        name: &'static str,
        id: u32,
        ambient: Arc<dyn Ambient>,
        set: impl FnOnce(&mut Config),
    ) -> Site {
        let directory = TempDir::new().unwrap();
        let mut config = Config::new(ServerId::new(id).unwrap(), directory.path().join("ulog"));
        config.segment_bytes = 1 << 16;
        set(&mut config);
        let (disk, failing) = (Arc::default(), Arc::default());
        let (net, _directory) = (net.clone(), directory);
        Site { name, net, _directory, config, disk, ambient, failing, running: None }
    }

    pub(crate) fn start(&mut self) {
        let model = Model::on(&self.disk, Arc::clone(&self.ambient));
        let store = Layered::new(model, Steps(Arc::clone(&self.failing)));
        // Who follows it lets go of it only when it hears that it stops.
        let open = loop {
            match self.open(store.clone()) {
                Err(error) if error.kind() == ErrorKind::Busy => thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        self.run(open);
    }

    pub(crate) fn open(&self, store: Arc<dyn PageStore>) -> Result<(Open, Arc<HomedPages>)> {
        let home = Home::at_rest(&self.config)?;
        let pages = HomedPages::new("main", store, home);
        let ambient = Arc::new(SystemAmbient);
        let records = memory::open(&memory::Config::default(), ambient.clone())?;
        let dbms = vec![("casket".to_owned(), records.records("casket")?)];
        let stores = vec![Arc::clone(&pages)];
        Ok((Repl::open_with_pages(self.config.clone(), dbms, stores, ambient)?, pages))
    }

    fn run(&mut self, (open, pages): (Open, Arc<HomedPages>)) {
        let repl = open.repl;
        let follow = repl.follow_all(Arc::new(self.net.clone()));
        let following = thread::spawn(move || block_on(follow));
        self.net.join(self.name, &repl);
        self.running = Some(Running { repl, pages, following });
    }

    pub(crate) fn stop(&mut self) {
        self.net.leave(self.name);
        let Running { repl, pages, following } = self.running.take().unwrap();
        block_on(repl.stop()).unwrap();
        following.join().unwrap();
        drop((repl, pages));
    }

    /// Ends it where it is, and starts it again with all that it had.
    pub(crate) fn restart(&mut self) {
        *self.failing.left.lock() = None;
        self.stop();
        self.start();
    }

    /// Begins anew, with nothing.
    pub(crate) fn wipe(&mut self) {
        self.disk = Arc::default();
        std::fs::remove_dir_all(&self.config.dir).unwrap();
    }

    /// Nobody reaches it, and it goes on.
    pub(crate) fn cut_off(&self) {
        self.net.leave(self.name);
    }

    pub(crate) fn repl(&self) -> &Arc<Repl> {
        &self.running.as_ref().unwrap().repl
    }

    pub(crate) fn pages(&self) -> &Arc<HomedPages> {
        &self.running.as_ref().unwrap().pages
    }

    pub(crate) fn status(&self) -> PagesStatus {
        self.repl().status().pages.remove(0)
    }

    pub(crate) fn head(&self) -> Version {
        block_on(self.pages().watermarks()).unwrap().sequenced
    }

    pub(crate) fn draft(&self) -> Draft {
        Draft(Commit {
            id: self.ambient.commit_id(),
            conditions: Vec::new(),
            namespaces: Vec::new(),
            meta: Vec::new(),
            durability: Durability::Durable,
            time: self.ambient.now(),
            at: None,
        })
    }

    pub(crate) fn try_commit(&self, draft: Draft) -> Result<Committed> {
        match block_on(self.pages().commit(draft.0))? {
            CommitOutcome::Committed(made) => Ok(made),
            CommitOutcome::Conflict(conflict) => panic!("{conflict:?}"),
        }
    }

    pub(crate) fn commit(&self, draft: Draft) -> Version {
        self.try_commit(draft).unwrap().version
    }

    /// A commit of one page.
    pub(crate) fn put(&self, page: u32, tag: u8) -> Version {
        self.commit(self.draft().write(A, &[(page, tag)], 9))
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Site) -> bool) {
        for _ in 0..10_000 {
            if holds(self) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("{}: not in 20 seconds: {what}; {:#?}", self.name, self.repl().status());
    }

    /// Waits until it has what the other has, and looks whether it is the same.
    pub(crate) fn catch_up(&self, other: &Site) {
        let head = other.head();
        self.until("it has all commits", |site| site.status().durable >= head);
        self.is_like(other);
    }

    /// Both have the same history.
    pub(crate) fn is_like(&self, other: &Site) {
        let (ours, theirs) = (self.all(), other.all());
        assert_eq!(ours.0, theirs.0, "changes");
        assert!(ours == theirs, "what the changes are is not the same");
    }

    /// All that can be asked.
    fn all(&self) -> (Vec<hozo_traits::ChangeEntry>, impl PartialEq) {
        let pages = self.pages();
        let changes = block_on(pages.changes(Version::ZERO, usize::MAX)).unwrap();
        let meta = block_on(pages.meta_scan(b"", None, usize::MAX)).unwrap();
        let numbers: Vec<PageNo> = (1..60).filter_map(PageNo::new).collect();
        let mut rest = Vec::new();
        for namespace in [A, B] {
            let span = Span::Versions(Version::ZERO, Version::MAX);
            let limit = usize::MAX;
            let query = LogQuery { namespace, span, newest_first: false, limit };
            let log = block_on(pages.log(query)).unwrap();
            let read = |at| block_on(pages.read_pages(namespace, &numbers, at)).unwrap();
            let images: Vec<_> = changes.iter().map(|change| read(change.version)).collect();
            rest.push((log, images));
        }
        (changes, (meta, rest))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.running.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

pub(crate) struct Draft(pub(crate) Commit);

pub(crate) fn write(page: u32, tag: u8, size: PageSize) -> PageWrite {
    let mut image = vec![tag; size.get() as usize];
    image[0] = page as u8;
    PageWrite { page: PageNo::new(page).unwrap(), image: image.into(), patch: None }
}

impl Draft {
    pub(crate) fn write(self, namespace: NamespaceId, pages: &[(u32, u8)], count: u32) -> Draft {
        self.sized(namespace, pages, count, SIZE)
    }

    pub(crate) fn sized(
        mut self,
        namespace: NamespaceId,
        pages: &[(u32, u8)],
        page_count: u32,
        page_size: PageSize,
    ) -> Draft {
        let writes = pages.iter().map(|(page, tag)| write(*page, *tag, page_size)).collect();
        self.0.namespaces.push(NamespaceChange { namespace, writes, page_size, page_count });
        self
    }

    pub(crate) fn set(mut self, key: &'static str, value: Option<&'static str>) -> Draft {
        let value = value.map(|value| MetaValue {
            bytes: Bytes::from_static(value.as_bytes()),
            version_at: (value.len() >= 12).then_some(1),
        });
        self.0.meta.push(MetaWrite { key: key.into(), value });
        self
    }

    pub(crate) fn sequenced(mut self) -> Draft {
        self.0.durability = Durability::Sequenced;
        self
    }
}

/// A clock of some years ago.
pub(crate) fn long_ago() -> Arc<dyn Ambient> {
    let ambient = TestAmbient::new(7);
    ambient.set(Timestamp::from_micros(1_600_000_000_000_000));
    Arc::new(ambient)
}

/// Commits of all kinds.
pub(crate) fn history(site: &Site) {
    let many: Vec<(u32, u8)> = (1..50).map(|page| (page, page as u8)).collect();
    site.commit(site.draft().set("name", Some("made at 0123456789")).set("id", Some("x")));
    site.commit(site.draft().write(A, &[(1, 1), (2, 2)], 2));
    site.commit(site.draft().write(A, &many, 49).write(B, &many[..20], 20).set("id", None));
    site.commit(site.draft().write(B, &[], 3));
    // Another size, and one page of the old size stays behind above the count.
    site.commit(site.draft().sized(A, &[(1, 7), (2, 8)], 2, PageSize::new(1024).unwrap()));
    let large = site.draft().write(A, &[(3, 3)], 59);
    let id = large.0.id;
    let staged: Vec<PageWrite> = (20..59).map(|page| write(page, 99, SIZE)).collect();
    block_on(site.pages().stage(id, A, staged)).unwrap();
    site.commit(large);
    site.commit(site.draft().set("id", Some("y")));
}
