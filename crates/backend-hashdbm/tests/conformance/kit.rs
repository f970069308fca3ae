//! A store whose content is known, and what must be left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use bytes::Bytes;
use hozo_backend_hashdbm::{Config, Findings, Hashdbm};
use hozo_conformance::Rng;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitOutcome, Condition, Durability, Error, ErrorKind, KvStoreExt,
    NamespaceChange, NamespaceId, PageNo, PageSize, PageStore, PageWrite, Patch, Result, Store,
    SystemAmbient, Version,
};
use tempfile::TempDir;

pub(crate) const NAMESPACE: NamespaceId = NamespaceId(7);
pub(crate) const PAGES: u32 = 20;
const PAGE_BYTES: u32 = 4096;
/// The DBM of the tests.
pub(crate) const DBM: &str = "words";

/// Segments so small that the log has several.
pub(crate) fn small(dir: &Path) -> Config {
    Config { segment_bytes: 64 << 10, checkpoint_bytes: 1 << 20, ..Config::new(dir) }
}

pub(crate) fn open(config: &Config) -> Result<Hashdbm> {
    Hashdbm::open(config, Arc::new(SystemAmbient))
}

/// Opens all that the store has.
pub(crate) fn open_all(config: &Config) -> Result<Hashdbm> {
    let store = open(config)?;
    store.pages()?;
    store.dbm(DBM)?;
    Ok(store)
}

/// The error of opening a store that must not open.
pub(crate) fn refused(config: &Config) -> Error {
    match open_all(config) {
        Ok(_) => panic!("{} opened", config.path.display()),
        Err(error) => error,
    }
}

/// What comes of using, in a forked child, the store that its parent has open.
/// It is closed there at the end.
pub(crate) fn misused(store: Hashdbm) -> Vec<(&'static str, Error)> {
    let (dbm, pages) = (store.dbm(DBM).unwrap(), store.pages().unwrap());
    let kv = store.records(DBM).unwrap();
    let key = Bytes::from_static(b"key");
    let durable = Durability::Durable;
    let mut errors = Vec::new();
    let mut misuse = |what, result: Result<()>| match result {
        Ok(()) => panic!("{what} went well in a forked child"),
        Err(error) => errors.push((what, error)),
    };
    misuse("get", dbm.get(&key, |_| ()).map(drop));
    misuse("set", dbm.set(&key, b"child").map(drop));
    misuse("remove", dbm.remove(&key).map(drop));
    misuse("pop_first", dbm.pop_first(|_, _| ()).map(drop));
    misuse("for_each", dbm.for_each(|_, _| true));
    misuse("synchronise", dbm.synchronise());
    misuse("rebuild", dbm.rebuild());
    misuse("kv set", block_on(kv.set(key.clone(), key.clone(), true, durable)).map(drop));
    misuse("kv get", block_on(kv.get(&key)).map(drop));
    misuse("kv count", block_on(kv.count()).map(drop));
    misuse("kv sizes", block_on(kv.sizes()).map(drop));
    misuse("kv synchronise", block_on(kv.synchronise()));
    misuse("kv rebuild", block_on(kv.rebuild()));
    misuse("commit", History::default().commit(&*pages, durable));
    misuse("another DBM", store.dbm("another").map(drop));
    drop((store, dbm, kv, pages));
    errors
}

/// The findings about a store.
pub(crate) fn check(config: &Config) -> Result<Findings> {
    hozo_backend_hashdbm::check(config, &mut |done, all| assert!(done <= all, "{done} of {all}"))
}

/// What was done to a store.
#[derive(Clone, Default)]
pub(crate) struct History {
    /// Each version of each page.
    pages: BTreeMap<(PageNo, Version), Bytes>,
    newest: BTreeMap<PageNo, Version>,
    purged: BTreeSet<(PageNo, Version)>,
    version: Option<Version>,
    commits: u64,
    records: BTreeMap<Bytes, Bytes>,
    /// All values that a key ever had.
    ever: BTreeMap<Bytes, BTreeSet<Bytes>>,
    steps: u64,
}

/// What a store has lost.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Versions of pages that are an error to read.
    pub(crate) pages: Vec<(PageNo, Version)>,
    /// Records without their value, and those that should not be there.
    pub(crate) records: Vec<Bytes>,
    pub(crate) errors: Vec<Error>,
}

impl Missing {
    pub(crate) fn is_nothing(&self) -> bool {
        self.pages.is_empty() && self.records.is_empty() && self.errors.is_empty()
    }
}

fn page_of(n: u64) -> PageNo {
    PageNo::new(1 + u32::try_from(n % u64::from(PAGES)).unwrap()).unwrap()
}

impl History {
    /// The image that commit `n` writes: a new one, or a small change.
    fn image(&self, n: u64, page: PageNo) -> Bytes {
        let mut image = vec![0x2e; PAGE_BYTES as usize];
        let before = self.newest.get(&page).map(|version| &self.pages[&(page, *version)]);
        match before {
            Some(before) if !n.is_multiple_of(3) => {
                image.copy_from_slice(before);
                image[64..72].copy_from_slice(&n.to_le_bytes());
            }
            _ => Rng::new(n * 100 + u64::from(page.get())).fill(&mut image[..1500]),
        }
        image.into()
    }

    /// Makes the next commit, of two pages.
    pub(crate) fn commit(&mut self, store: &dyn PageStore, durability: Durability) -> Result<()> {
        let n = self.commits;
        let pages = [page_of(n), page_of(n * 7 + 1)];
        let pages: BTreeSet<PageNo> = pages.into();
        let mut writes = Vec::new();
        for page in &pages {
            let image = self.image(n, *page);
            let patch = self
                .newest
                .get(page)
                .map(|version| Patch::between(*version, &self.pages[&(*page, *version)], &image));
            writes.push(PageWrite { page: *page, image, patch });
        }
        let since = self.version.unwrap_or(Version::ZERO);
        let ambient: &dyn Ambient = &SystemAmbient;
        let commit = Commit {
            id: ambient.commit_id(),
            conditions: vec![Condition::NamespaceUnchanged { namespace: NAMESPACE, since }],
            namespaces: vec![NamespaceChange {
                namespace: NAMESPACE,
                writes: writes.clone(),
                page_size: PageSize::new(PAGE_BYTES)?,
                page_count: PAGES,
            }],
            meta: Vec::new(),
            durability,
            time: ambient.now(),
            at: None,
        };
        let CommitOutcome::Committed(made) = block_on(store.commit(commit))? else {
            return Err(Error::new(ErrorKind::Internal, "nobody else commits"));
        };
        self.commits += 1;
        self.version = Some(made.version);
        for write in writes {
            self.newest.insert(write.page, made.version);
            self.pages.insert((write.page, made.version), write.image);
        }
        Ok(())
    }

    pub(crate) fn commits(&mut self, store: &Hashdbm, count: usize) {
        let pages = store.pages().unwrap();
        for _ in 0..count {
            self.commit(&*pages, Durability::Durable).unwrap();
        }
    }

    /// Sets, overwrites and removes records.
    pub(crate) fn records(&mut self, store: &Hashdbm, steps: usize) {
        let dbm = store.dbm(DBM).unwrap();
        for _ in 0..steps {
            let n = self.steps;
            self.steps += 1;
            let key = |n: u64| Bytes::from(format!("word {:04}", (n * 37) % 300));
            let value = |n: u64| Bytes::from(format!("{n:06} ").repeat(2 + (n % 40) as usize));
            if n % 7 == 6 {
                dbm.remove(&key(n)).unwrap();
                self.records.remove(&key(n));
            } else if n % 11 == 3 {
                let some: Vec<_> = (n..n + 4).map(|n| (key(n), value(n))).collect();
                block_on(dbm.set_many(some.clone(), true, Durability::Sequenced)).unwrap();
                some.into_iter().for_each(|(key, value)| self.set(key, value));
            } else {
                dbm.set(&key(n), &value(n)).unwrap();
                self.set(key(n), value(n));
            }
            if n.is_multiple_of(10) {
                dbm.synchronise().unwrap();
            }
        }
        dbm.synchronise().unwrap();
    }

    /// Removes all records.
    pub(crate) fn clear(&mut self, store: &Hashdbm) {
        block_on(store.dbm(DBM).unwrap().clear(Durability::Durable)).unwrap();
        self.records.clear();
    }

    /// Removes the oldest versions of pages.
    pub(crate) fn purge(&mut self, store: &Hashdbm, count: usize) {
        let victims: Vec<(PageNo, Version)> = self
            .pages
            .keys()
            .filter(|(page, version)| self.newest[page] != *version)
            .copied()
            .collect();
        let mut victims = victims;
        victims.sort_by_key(|(_, version)| *version);
        victims.truncate(count);
        let pages = store.pages().unwrap();
        block_on(pages.purge(NAMESPACE, &victims)).unwrap();
        // One that another version is stored against may stay.
        self.purged.extend(victims);
    }

    fn set(&mut self, key: Bytes, value: Bytes) {
        self.ever.entry(key.clone()).or_default().insert(value.clone());
        self.records.insert(key, value);
    }

    /// Reads everything there ever was. Commits may be `undone` after a repair
    /// that could not know what they were.
    ///
    /// # Panics
    /// If a page is not what it was at a version, or a record has a value that
    /// it never had: no damage excuses that.
    pub(crate) fn missing(&self, store: &Hashdbm, undone: bool) -> Missing {
        let mut missing = Missing::default();
        match store.pages() {
            Ok(pages) => self.missing_pages(&*pages, undone, &mut missing),
            Err(error) => missing.errors.push(error),
        }
        match store.dbm(DBM) {
            Ok(dbm) => self.missing_records(&dbm, &mut missing),
            Err(error) => missing.errors.push(error),
        }
        missing
    }

    fn missing_pages(&self, store: &dyn PageStore, undone: bool, missing: &mut Missing) {
        for (page, version) in self.pages.keys() {
            // What is read at a version, also when it is older.
            for at in [Some(*version), self.version].into_iter().flatten() {
                let expected = self.pages.range((*page, Version::ZERO)..=(*page, at)).next_back();
                let ((_, version), image) = expected.unwrap();
                match block_on(store.read_pages(NAMESPACE, &[*page], at)) {
                    Ok(read) if undone && read[0].as_ref().is_none_or(|r| r.version < *version) => {
                        missing.pages.push((*page, *version));
                        if let Some(read) = &read[0] {
                            assert_eq!(read.bytes, self.pages[&(*page, read.version)]);
                        }
                    }
                    Ok(read) => {
                        let read = read[0].as_ref().expect("a page is gone without a word");
                        assert_eq!(read.version, *version, "an older image of page {page}");
                        assert_eq!(read.bytes, image, "page {page} has changed");
                    }
                    Err(error)
                        if error.kind() == ErrorKind::VersionGone
                            && self.purged.contains(&(*page, *version)) => {}
                    Err(error) => {
                        missing.pages.push((*page, *version));
                        missing.errors.push(error);
                    }
                }
            }
        }
        missing.pages.sort_unstable();
        missing.pages.dedup();
    }

    fn missing_records(&self, dbm: &hozo_backend_hashdbm::Records, missing: &mut Missing) {
        for (key, ever) in &self.ever {
            match dbm.get(key, Bytes::copy_from_slice) {
                Ok(found) => {
                    if let Some(found) = &found {
                        assert!(ever.contains(found), "{key:?} never was {found:?}");
                    }
                    if found.as_ref() != self.records.get(key) {
                        missing.records.push(key.clone());
                    }
                }
                Err(error) => missing.errors.push(error),
            }
        }
        let mut met = 0;
        let scanned = dbm.for_each(|key, value| {
            met += 1;
            let ever = self.ever.get(key).expect("a key that never was");
            assert!(ever.contains(value), "a value that never was");
            true
        });
        match scanned {
            Ok(()) => assert_eq!(met, dbm.count(), "count and scan differ"),
            Err(error) => missing.errors.push(error),
        }
    }
}

/// A store's directory, its history, and copies of it to be damaged.
pub(crate) struct Sample {
    pub(crate) dir: TempDir,
    pub(crate) history: History,
}

impl Sample {
    /// A store with several segments and an index, closed.
    pub(crate) fn closed() -> Sample {
        let dir = TempDir::with_prefix("hozo-sample-").unwrap();
        let mut history = History::default();
        let store = open(&small(dir.path())).unwrap();
        history.commits(&store, 150);
        history.records(&store, 900);
        drop(store);
        Sample { dir, history }
    }

    /// The same, and then as a process leaves it that is killed.
    pub(crate) fn killed() -> Sample {
        let Sample { dir: live, mut history } = Sample::closed();
        let dir = TempDir::with_prefix("hozo-sample-").unwrap();
        let store = open(&small(live.path())).unwrap();
        history.commits(&store, 20);
        history.records(&store, 100);
        copy(live.path(), dir.path());
        Sample { dir, history }
    }

    /// The same, with all records removed just before.
    pub(crate) fn cleared() -> Sample {
        let Sample { dir: live, mut history } = Sample::closed();
        let dir = TempDir::with_prefix("hozo-sample-").unwrap();
        let store = open(&small(live.path())).unwrap();
        history.clear(&store);
        history.records(&store, 20);
        copy(live.path(), dir.path());
        Sample { dir, history }
    }

    pub(crate) fn copy(&self) -> TempDir {
        let to = TempDir::with_prefix("hozo-damaged-").unwrap();
        copy(self.dir.path(), to.path());
        to
    }

    /// All files of volumes, below the store's directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for volume in ["pages".to_owned(), format!("records/{DBM}")] {
            for entry in fs::read_dir(self.dir.path().join(&volume)).unwrap() {
                files.push(Path::new(&volume).join(entry.unwrap().file_name()));
            }
        }
        files.sort();
        files
    }
}

/// Into an empty directory. A store that is in use renames and removes files: when
/// one is gone that was just listed, all is copied again, so that it is of one moment.
pub(crate) fn copy(from: &Path, to: &Path) {
    for _ in 0..1000 {
        match try_copy(from, to) {
            Ok(()) => return,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                for entry in fs::read_dir(to).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                        .unwrap();
                }
            }
            Err(e) => panic!("{} cannot be copied: {e}", from.display()),
        }
    }
    panic!("{} changes faster than it can be copied", from.display());
}

fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&to)?;
            try_copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Changes a file's bytes.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}
