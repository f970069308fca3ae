//! A disk for tests that loses what nobody synced.
//!
//! Files are anonymous memory of the kernel, so that mappings behave as those
//! of real files do, down to the SIGBUS beyond the end. Beside its content each
//! file has the content of its last sync, and each directory its names as of
//! its last sync and what was done since. A crash makes a new disk out of that.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hozo_traits::Result;
use parking_lot::Mutex;

use super::{Disk, DiskFile, error};

mod crash;
mod file;
pub mod golden;
mod luck;

use file::SimFile;
use luck::Luck;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A directory of a simulated disk.
pub struct SimDisk {
    machine: Arc<Machine>,
    directory: Arc<Directory>,
}

/// What all directories of a disk share.
struct Machine {
    root: Arc<Directory>,
    faults: Mutex<Faults>,
    /// Operations so far that change something.
    operations: AtomicU64,
}

/// What is to go wrong, and when.
#[derive(Default)]
struct Faults {
    /// Counts down; the operation that finds 1 fails.
    allocate: u64,
    sync: u64,
    /// So many renames and removals to come fail.
    names: u64,
    /// No more space than this for all files.
    budget: Option<u64>,
    /// Just before the operation of this number an image is taken: of a power
    /// loss with this seed, or of the end of the process.
    crash_at: Option<(u64, Option<u64>)>,
    image: Option<SimDisk>,
}

#[derive(Default)]
struct Directory {
    names: Mutex<Names>,
    subdirs: Mutex<BTreeMap<String, Arc<Directory>>>,
}

#[derive(Default)]
struct Names {
    now: BTreeMap<String, Arc<Content>>,
    synced: BTreeMap<String, Arc<Content>>,
    since: Vec<Change>,
}

/// A change to a directory.
#[derive(Clone)]
enum Change {
    Create(String, Arc<Content>),
    Rename(String, String),
    Remove(String),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Arc<Content>>) {
        match self {
            Change::Create(name, content) => {
                names.insert(name.clone(), Arc::clone(content));
            }
            Change::Rename(from, to) => {
                if let Some(content) = names.remove(from) {
                    names.insert(to.clone(), content);
                }
            }
            Change::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

struct Content {
    file: File,
    synced: Mutex<Vec<u8>>,
}

impl Content {
    fn new(bytes: &[u8]) -> Arc<Content> {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = File::from(rustix::fs::memfd_create("sim", flags).expect("memory"));
        file.write_all_at(bytes, 0).expect("memory");
        Arc::new(Content { file, synced: Mutex::new(bytes.to_vec()) })
    }

    fn len(&self) -> u64 {
        self.file.metadata().expect("memory").len()
    }

    fn bytes(&self) -> Vec<u8> {
        loop {
            let mut bytes = vec![0; self.len() as usize];
            match self.file.read_exact_at(&mut bytes, 0) {
                Ok(()) => return bytes,
                // Somebody has cut it meanwhile.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(e) => panic!("memory: {e}"),
            }
        }
    }
}

impl Default for SimDisk {
    fn default() -> SimDisk {
        SimDisk::new()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::of(Arc::default())
    }

    fn of(root: Arc<Directory>) -> SimDisk {
        let machine = Machine {
            root: Arc::clone(&root),
            faults: Mutex::default(),
            operations: AtomicU64::new(0),
        };
        SimDisk { machine: Arc::new(machine), directory: root }
    }

    /// The same disk once more, for who opens it again after closing it.
    pub fn again(&self) -> SimDisk {
        SimDisk { machine: Arc::clone(&self.machine), directory: Arc::clone(&self.directory) }
    }

    /// How many operations changed something so far.
    pub fn operations(&self) -> u64 {
        self.machine.operations.load(Ordering::SeqCst)
    }

    /// Takes a crash image just before the operation of this number, counted
    /// from the disk's beginning, while who uses the disk goes on. The seed
    /// decides what is on the image, as for [`crash`](SimDisk::crash).
    pub fn crash_at(&self, operation: u64, seed: u64) {
        self.machine.faults.lock().crash_at = Some((operation, Some(seed)));
    }

    /// Takes an image just before the operation of this number as the end of
    /// the process would leave it, while who uses the disk goes on.
    pub fn kill_at(&self, operation: u64) {
        self.machine.faults.lock().crash_at = Some((operation, None));
    }

    /// The image that [`crash_at`](SimDisk::crash_at) or
    /// [`kill_at`](SimDisk::kill_at) asked for.
    pub fn image(&self) -> Option<SimDisk> {
        self.machine.faults.lock().image.take()
    }

    /// Whether there is such an image already.
    pub fn has_image(&self) -> bool {
        self.machine.faults.lock().image.is_some()
    }

    /// No more crash image is wanted.
    pub fn forget_crash(&self) {
        self.machine.faults.lock().crash_at = None;
    }

    /// Makes the n-th growth of a file from now on fail for want of space.
    pub fn fail_allocate(&self, n: u64) {
        self.machine.faults.lock().allocate = n;
    }

    /// Makes the n-th sync of a file or directory from now on fail.
    pub fn fail_sync(&self, n: u64) {
        self.machine.faults.lock().sync = n;
    }

    /// Makes the next n renames and removals fail.
    pub fn fail_names(&self, n: u64) {
        self.machine.faults.lock().names = n;
    }

    /// Gives the disk this much space, or as much as is asked for.
    pub fn set_budget(&self, bytes: Option<u64>) {
        self.machine.faults.lock().budget = bytes;
    }

    /// The length of all files.
    pub fn used(&self) -> u64 {
        self.machine.root.used()
    }

    /// Changes a byte behind everybody's back.
    pub fn flip(&self, name: &str, at: u64) {
        let content = Arc::clone(&self.directory.names.lock().now[name]);
        let mut byte = [0];
        content.file.read_exact_at(&mut byte, at).expect("there");
        content.file.write_all_at(&[byte[0] ^ 0x10], at).expect("memory");
    }

    /// Puts a file with this content in place of what has the name.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut names = self.directory.names.lock();
        let content = Content::new(bytes);
        names.now.insert(name.to_owned(), Arc::clone(&content));
        names.synced.insert(name.to_owned(), content);
    }

    /// The content of a file.
    pub fn get(&self, name: &str) -> Vec<u8> {
        let content = Arc::clone(&self.directory.names.lock().now[name]);
        content.bytes()
    }
}

impl Directory {
    fn used(&self) -> u64 {
        let files: u64 = self.names.lock().now.values().map(|content| content.len()).sum();
        files + self.subdirs.lock().values().map(|dir| dir.used()).sum::<u64>()
    }
}

impl Machine {
    /// Counts an operation, before it happens.
    fn operation(&self) {
        let number = self.operations.fetch_add(1, Ordering::SeqCst);
        let mut faults = self.faults.lock();
        if let Some((_, seed)) = faults.crash_at.take_if(|(at, _)| number >= *at) {
            let image = match seed {
                Some(seed) => self.root.crash(&mut Luck::new(seed)),
                None => self.root.copy(&mut BTreeMap::new()),
            };
            faults.image = Some(SimDisk::of(image));
        }
    }

    /// How much of what a file wants to grow by it can.
    fn space(&self, grows_by: u64) -> u64 {
        if grows_by == 0 {
            return 0;
        }
        let mut faults = self.faults.lock();
        if count_down(&mut faults.allocate) {
            return grows_by / 2;
        }
        let left = faults.budget.map_or(u64::MAX, |budget| budget.saturating_sub(self.root.used()));
        left.min(grows_by)
    }

    fn sync(&self) -> io::Result<()> {
        match count_down(&mut self.faults.lock().sync) {
            true => Err(broken()),
            false => Ok(()),
        }
    }

    /// Asked before the names are locked: who looks for space holds the faults
    /// and counts the files.
    fn change_names(&self) -> io::Result<()> {
        let names = &mut self.faults.lock().names;
        let fails = *names > 0;
        *names = names.saturating_sub(1);
        if fails { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken, says the test")
}

/// Whether this was the one to fail.
fn count_down(n: &mut u64) -> bool {
    let due = *n == 1;
    *n = n.saturating_sub(1);
    due
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        match self.directory.names.lock().now.get(name) {
            Some(content) => Ok(self.file(name, content)),
            None => Err(error::map(io::ErrorKind::NotFound.into(), "opening", name)),
        }
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>> {
        self.machine.operation();
        let mut names = self.directory.names.lock();
        if names.now.contains_key(name) {
            return Err(error::map(io::ErrorKind::AlreadyExists.into(), "creating", name));
        }
        let content = Content::new(&[]);
        names.change(Change::Create(name.to_owned(), Arc::clone(&content)));
        Ok(self.file(name, &content))
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.directory.names.lock().now.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.machine.operation();
        self.machine.change_names().map_err(|e| error::map(e, "renaming", from))?;
        let mut names = self.directory.names.lock();
        if !names.now.contains_key(from) {
            return Err(error::map(io::ErrorKind::NotFound.into(), "renaming", from));
        }
        names.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.machine.operation();
        self.machine.change_names().map_err(|e| error::map(e, "removing", name))?;
        let mut names = self.directory.names.lock();
        if !names.now.contains_key(name) {
            return Err(error::map(io::ErrorKind::NotFound.into(), "removing", name));
        }
        names.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> Result<()> {
        self.machine.operation();
        self.machine.sync().map_err(|e| error::map(e, "syncing the directory", ""))?;
        let mut names = self.directory.names.lock();
        names.synced = names.now.clone();
        names.since.clear();
        Ok(())
    }

    fn subdir(&self, name: &str) -> Result<Arc<dyn Disk>> {
        let mut subdirs = self.directory.subdirs.lock();
        let directory = Arc::clone(subdirs.entry(name.to_owned()).or_default());
        Ok(Arc::new(SimDisk { machine: Arc::clone(&self.machine), directory }))
    }
}

impl SimDisk {
    fn file(&self, name: &str, content: &Arc<Content>) -> Arc<dyn DiskFile> {
        let (machine, content) = (Arc::clone(&self.machine), Arc::clone(content));
        Arc::new(SimFile { machine, content, name: name.to_owned() })
    }
}

impl Names {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.since.push(change);
    }
}
