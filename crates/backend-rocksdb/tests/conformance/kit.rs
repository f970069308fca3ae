//! A store with a history that is known, and what must be left of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hozo_backend_rocksdb::Config;
use hozo_conformance::Rng;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, Commit, CommitOutcome, Durability, Error, ErrorKind, NamespaceChange, NamespaceId,
    PageNo, PageSize, PageStore, PageWrite, Result, SystemAmbient, Version,
};

pub(crate) const NAMESPACE: NamespaceId = NamespaceId(7);
pub(crate) const PAGES: u32 = 20;
const PAGE_BYTES: u32 = 4096;

pub(crate) fn small_buffers(dir: &Path) -> Config {
    Config { write_buffer_bytes: 64 << 10, block_cache_bytes: 64 << 10, ..Config::new(dir) }
}

pub(crate) fn open(config: &Config) -> Result<Arc<dyn PageStore>> {
    hozo_backend_rocksdb::open(config, Arc::new(SystemAmbient))?.pages()
}

/// The error of opening a store that must not open.
pub(crate) fn refused(config: &Config) -> Error {
    match open(config) {
        Ok(_) => panic!("{} opened", config.path.display()),
        Err(error) => {
            let text = error.to_string();
            let name = config.path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(text.contains(&name), "does not say which store: {text}");
            error
        }
    }
}

fn image(n: u64) -> Bytes {
    let mut bytes = vec![0x2e; PAGE_BYTES as usize];
    Rng::new(n).fill(&mut bytes[..1500]);
    bytes.into()
}

fn page_of(n: u64) -> PageNo {
    PageNo::new(1 + u32::try_from(n % u64::from(PAGES)).unwrap()).unwrap()
}

/// Which commit made which version.
#[derive(Clone, Default)]
pub(crate) struct History {
    versions: BTreeMap<Version, u64>,
    next: u64,
}

impl History {
    /// Makes the next commit, of one page.
    pub(crate) fn commit(
        &mut self,
        store: &Arc<dyn PageStore>,
        durability: Durability,
    ) -> Result<Version> {
        let n = self.next;
        let ambient: &dyn Ambient = &SystemAmbient;
        let write = PageWrite { page: page_of(n), image: image(n), patch: None };
        let commit = Commit {
            id: ambient.commit_id(),
            conditions: Vec::new(),
            namespaces: vec![NamespaceChange {
                namespace: NAMESPACE,
                writes: vec![write],
                page_size: PageSize::new(PAGE_BYTES)?,
                page_count: PAGES,
            }],
            meta: Vec::new(),
            durability,
            time: ambient.now(),
            at: None,
        };
        match block_on(store.commit(commit))? {
            CommitOutcome::Committed(made) => {
                self.next += 1;
                self.versions.insert(made.version, n);
                Ok(made.version)
            }
            CommitOutcome::Conflict(_) => {
                Err(Error::new(ErrorKind::Internal, "a conflict without conditions"))
            }
        }
    }

    pub(crate) fn commits(&mut self, store: &Arc<dyn PageStore>, count: usize) {
        for _ in 0..count {
            self.commit(store, Durability::Durable).unwrap();
        }
    }

    /// Reads every version that was made: whether all is as it was written.
    ///
    /// # Panics
    /// If an answer is wrong, which no damage excuses.
    pub(crate) fn check(&self, store: &Arc<dyn PageStore>) -> Result<()> {
        let head = block_on(store.watermarks())?.durable;
        let newest = self.versions.keys().next_back().copied().unwrap_or(Version::ZERO);
        assert!(head >= newest, "durable commits are gone: {head} of {newest}");
        for (version, n) in &self.versions {
            let read = block_on(store.read_pages(NAMESPACE, &[page_of(*n)], *version))?;
            let page = read[0].as_ref().expect("a durable page is gone");
            assert_eq!(page.version, *version);
            assert_eq!(page.bytes, image(*n), "a page has changed");
        }
        Ok(())
    }
}

/// A store's directory, its history, and copies of it to be damaged.
pub(crate) struct Sample {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) history: History,
}

impl Sample {
    /// A store with tables and a log, closed.
    pub(crate) fn closed() -> Sample {
        let dir = tempfile::TempDir::with_prefix("hozo-sample-").unwrap();
        let mut history = History::default();
        let store = open(&small_buffers(dir.path())).unwrap();
        history.commits(&store, 200);
        drop(store);
        // Few enough to stay in the log.
        let store = open(&Config::new(dir.path())).unwrap();
        history.commits(&store, 20);
        drop(store);
        let sample = Sample { dir, history };
        assert!(sample.files(".sst").len() > 2 && !sample.files(".log").is_empty());
        sample
    }

    /// A store with everything in its log, as its process leaves it when it is
    /// killed.
    pub(crate) fn killed() -> Sample {
        let dir = tempfile::TempDir::with_prefix("hozo-sample-").unwrap();
        let mut history = History::default();
        let live = tempfile::TempDir::with_prefix("hozo-live-").unwrap();
        let store = open(&Config::new(live.path())).unwrap();
        history.commits(&store, 60);
        copy(live.path(), dir.path());
        Sample { dir, history }
    }

    pub(crate) fn copy(&self) -> tempfile::TempDir {
        let to = tempfile::TempDir::with_prefix("hozo-damaged-").unwrap();
        copy(self.dir.path(), to.path());
        to
    }

    /// Names of files that end so, or begin so.
    pub(crate) fn files(&self, part: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|n| n.ends_with(part) || n.starts_with(part))
            .collect();
        names.sort();
        names
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Changes a file's bytes.
pub(crate) fn edit(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}
