//! A store: a directory with a volume of pages and volumes of records.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hozo_directory::{Lock, Marker, io_error};
use hozo_log::disk::{Disk, DiskFile, RealDisk};
use hozo_ordered::{Limits, OrderedPages, OrderedPagesConfig, Sequenced};
use hozo_traits::{Ambient, KvStore, PageStore, Result, Store, check_dbm_name, exec};
use parking_lot::Mutex;

use crate::Config;
use crate::engine::Engine;
use crate::records::{Records, RecordsOptions};
use crate::volume::VolumeOptions;

/// What a store's directory is marked with.
pub(crate) const MARKER: Marker = Marker { backend: crate::NAME, format: 1 };
pub(crate) const LOCK_FILE: &str = "LOCK";
/// The volume of pages.
pub(crate) const PAGES: &str = "pages";
/// The directory of the DBMs' volumes.
pub(crate) const RECORDS: &str = "records";

/// An opened store.
///
/// Volumes are opened when they are first asked for. The directory stays locked
/// for as long as the store or any part of it is in use.
pub struct Hashdbm {
    disk: Arc<dyn Disk>,
    config: Config,
    ambient: Arc<dyn Ambient>,
    pages: Mutex<Option<Arc<dyn PageStore>>>,
    dbms: Mutex<BTreeMap<String, Arc<Records>>>,
    messages: Mutex<Vec<String>>,
}

impl Hashdbm {
    /// Opens the store in the config's directory, and makes it if nothing is
    /// there.
    ///
    /// A store that another process holds is waited for, then
    /// [`Busy`](hozo_traits::ErrorKind::Busy); the error names the process where the system
    /// tells. One that this process has open already is `Busy` at once.
    pub fn open(config: &Config, ambient: Arc<dyn Ambient>) -> Result<Hashdbm> {
        config.check()?;
        let disk = open_directory(&config.path, config.lock_timeout())?;
        Ok(Hashdbm {
            disk,
            config: config.clone(),
            ambient,
            pages: Mutex::default(),
            dbms: Mutex::default(),
            messages: Mutex::default(),
        })
    }

    /// The DBM of this name with calls of its own, which are not asynchronous;
    /// see [`Store::records`].
    pub fn dbm(&self, name: &str) -> Result<Arc<Records>> {
        check_dbm_name(name)?;
        // Held while it opens, so that two threads do not open it twice.
        let mut dbms = self.dbms.lock();
        if let Some(dbm) = dbms.get(name) {
            return Ok(Arc::clone(dbm));
        }
        let options = RecordsOptions {
            segment_bytes: self.config.segment_bytes,
            checkpoint_bytes: self.config.checkpoint_bytes,
            sync: self.config.record_sync,
        };
        let disk = self.disk.subdir(RECORDS)?.subdir(name)?;
        let opened = Records::open(disk, options, &*self.ambient);
        let dbm = Arc::new(opened.map_err(|e| e.with("dbm", name))?);
        self.say(&format!("DBM `{name}`"), dbm.messages());
        dbms.insert(name.to_owned(), Arc::clone(&dbm));
        Ok(dbm)
    }

    /// What the opening of its parts found that somebody who runs the store
    /// should know, a sentence each.
    pub fn messages(&self) -> Vec<String> {
        self.messages.lock().clone()
    }

    fn say(&self, what: &str, messages: &[String]) {
        self.messages.lock().extend(messages.iter().map(|message| format!("{what}: {message}")));
    }

    fn open_pages(&self) -> Result<Arc<dyn PageStore>> {
        let mut id = [0; 8];
        self.ambient.fill_random(&mut id);
        let options = VolumeOptions {
            segment_bytes: self.config.segment_bytes,
            checkpoint_bytes: self.config.checkpoint_bytes,
            volume_id: u64::from_le_bytes(id),
        };
        let (engine, opening) = Engine::open(self.disk.subdir(PAGES)?, options)?;
        self.say("pages", &opening.messages);
        let config = OrderedPagesConfig {
            commit_id_keep: Duration::from_secs(self.config.commit_id_keep_s),
            strict: self.config.strict.then_some(Limits::FOUNDATIONDB),
        };
        let engine = Sequenced::open(engine)?;
        let pages = OrderedPages::open(engine, config, Arc::clone(&self.ambient));
        Ok(Arc::new(exec::block_on(pages)?))
    }
}

impl Store for Hashdbm {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        let mut pages = self.pages.lock();
        if let Some(pages) = &*pages {
            return Ok(Arc::clone(pages));
        }
        let opened = self.open_pages()?;
        *pages = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        Ok(self.dbm(dbm)?)
    }

    fn dbms(&self) -> Result<Vec<String>> {
        dbms_in(&self.config.path)
    }
}

/// The names of the DBMs in a store's directory, sorted.
pub(crate) fn dbms_in(store: &Path) -> Result<Vec<String>> {
    let path = store.join(RECORDS);
    let unreadable = |e| io_error(e, "the store's directory cannot be read", &path);
    let entries = match fs::read_dir(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(unreadable)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().map_err(unreadable)?.is_dir() && check_dbm_name(&name).is_ok() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The directory of a store, locked; made and marked if nothing is there.
pub(crate) fn open_directory(path: &Path, timeout: Duration) -> Result<Arc<dyn Disk>> {
    hozo_directory::make(path)?;
    let ours = |name: &str| name == LOCK_FILE;
    if !MARKER.is_on(path)? {
        hozo_directory::refuse_foreign(path, ours)?;
    }
    let lock = Lock::acquire(path, LOCK_FILE, timeout)?;
    // Again, now that nobody else can be making it.
    if !MARKER.is_on(path)? {
        hozo_directory::refuse_foreign(path, ours)?;
        MARKER.put_on(path)?;
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(path)?);
    Ok(Arc::new(Held { disk, lock: Arc::new(lock) }))
}

/// A directory of a store, which is locked for as long as anybody has it. Of
/// no use to a forked child.
struct Held {
    disk: Arc<dyn Disk>,
    lock: Arc<Lock>,
}

impl Held {
    fn disk(&self) -> Result<&dyn Disk> {
        self.lock.refuse_child()?;
        Ok(&*self.disk)
    }
}

impl Disk for Held {
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        self.disk()?.open(name)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        self.disk()?.create(name)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.disk()?.list()
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk()?.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.disk()?.remove(name)
    }

    fn sync_dir(&self) -> Result<()> {
        self.disk()?.sync_dir()
    }

    fn subdir(&self, name: &str) -> Result<Arc<dyn Disk>> {
        let disk = self.disk()?.subdir(name)?;
        Ok(Arc::new(Held { disk, lock: Arc::clone(&self.lock) }))
    }
}

impl std::fmt::Debug for Hashdbm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashdbm").field("path", &self.config.path).finish_non_exhaustive()
    }
}
