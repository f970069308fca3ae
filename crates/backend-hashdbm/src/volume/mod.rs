//! A log and its index: opening, checkpoints, cleaning.
//!
//! A [`Volume`] is generic over what its index is ([`Index`]): the hash table
//! of records, or the tree and the table of pages. It keeps the promises that
//! are the same for both:
//!
//! - **Opening** reads the roots file, and replays the log from where the index
//!   is complete. Without roots, or with an index that cannot be what was
//!   written, everything is replayed from the tail: only the log is needed.
//! - **Checkpoints** make a later opening short. All locks are held only while
//!   the directories are copied; pages of the index that a checkpoint holds are
//!   never written again (copy on write).
//! - **Cleaning** walks the log from its tail: what is still the newest is
//!   appended again, the rest is dropped; then whole segments go. It runs in a
//!   thread of its own, and writers that make garbage faster than that help.
//!
//! Lock order: `checkpoint`, `cleaner`, then the index's own, then the log's
//! and the pager's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use hozo_log::disk::Disk;
use hozo_log::{Log, Position, Record};
use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use crate::index::{PAGE_BYTES, PageSet, Pager};

mod checkpoint;
mod clean;
mod keeper;
mod open;
mod pins;
pub(crate) mod roots;
mod usable;

use self::clean::Cleaner;
use self::keeper::Keeper;
pub(crate) use self::open::{Opening, VolumeOptions};
pub(crate) use self::pins::Pin;
use self::pins::Pins;
use self::usable::Usable;

/// What a volume's index works on.
pub(crate) struct Core {
    /// Where everything is said.
    pub(crate) log: Log,
    /// The index's pages.
    pub(crate) pager: Pager,
    /// The volume's id, random at its creation: also the seed of its hashes,
    /// so that they are the same after a rebuild from the log alone.
    pub(crate) volume_id: u64,
    pins: Pins,
    usable: Usable,
}

/// What a volume's index must do. It has its own locks.
///
/// Whoever changes something takes the locks that guard it, makes sure that the
/// index can take the change, appends to the log, changes
/// the index, and lets go; then, without locks, tells
/// [`Volume::tend`] about the bytes. An index that fails after the append says
/// so with [`Core::break_with`].
pub(crate) trait Index: Send + Sync + Sized + 'static {
    /// What kind of volume this is; in the roots file.
    const KIND: u32;

    /// An index of nothing.
    fn empty(core: &Core) -> Result<Self>;

    /// The index as [`freeze`](Self::freeze) wrote it to `roots`. Bytes that it
    /// did not write are an error of kind `Corrupt`.
    fn load(core: &Core, roots: &[u8]) -> Result<Self>;

    /// Adds every page of the index that it has.
    fn pages(&self, core: &Core, used: &mut PageSet) -> Result<()>;

    /// Makes the change of one record, which comes after all that were
    /// replayed before. Replaying what is in the index already changes nothing:
    /// so far as it went wrong, as a crash in a batch does, it is set right.
    fn replay(&self, core: &Core, record: &Record<'_>) -> Result<()>;

    /// Takes all locks, so that no change is between log and index; calls
    /// `at_rest`, writes to `roots` what [`load`](Self::load) needs, and lets
    /// go. Nothing slow happens in here.
    fn freeze(&self, roots: &mut Vec<u8>, at_rest: &mut dyn FnMut());

    /// These records were met at the tail, in the log's order. Each that is
    /// still what the index points to is appended again, and the index points
    /// to the copy, without anything between. An error may come after some of
    /// them; then all are met again.
    ///
    /// Tombstones, and all that the index does not point to, need nothing:
    /// whatever they hid was met before them.
    fn relocate(&self, core: &Core, records: &[Record<'_>]) -> Result<()>;

    /// Bytes in the log, with headers and padding, of all that
    /// [`relocate`](Self::relocate) would append. Exact when nothing changes;
    /// takes no locks.
    fn live_bytes(&self) -> u64;
}

/// A log and its index.
///
/// Dropping it ends its thread and makes a checkpoint.
pub(crate) struct Volume<I: Index> {
    inner: Arc<Inner<I>>,
}

struct Inner<I> {
    core: Core,
    index: I,
    disk: Arc<dyn Disk>,
    options: VolumeOptions,
    cleaner: Mutex<Cleaner>,
    /// Nothing below is in the index. Moves while `cleaner` is held.
    cleaned: AtomicU64,
    /// What a whole walk of the cleaner left, in percent of what was live:
    /// where records do not fill segments, there is no getting below.
    left_percent: AtomicU64,
    /// The newest checkpoint in force is complete up to here. One checkpoint at
    /// a time holds it; `None` when a failure ended checkpoints.
    checkpoint: Mutex<Option<Position>>,
    /// The same, to be read without the lock.
    complete: AtomicU64,
    /// Where the head was when segments were last given back.
    gave_back: AtomicU64,
    /// The index was found damaged: no more checkpoints.
    damaged: AtomicBool,
    keeper: Keeper,
}

impl Core {
    /// Keeps positions readable after the lock of the index that guards them is
    /// let go: for values that are too large to be copied under one, and for
    /// scans. To be taken while that lock is held.
    pub(crate) fn pin(&self) -> Pin<'_> {
        self.pins.pin()
    }

    /// An error if an earlier failure left the index behind the log, or if this
    /// is a forked child of the process that opened the volume.
    ///
    /// To be asked before a lock is waited for, which in a child nobody may
    /// ever let go, and again with the lock, under which the failure may have
    /// happened.
    #[inline]
    pub(crate) fn refuse_if_broken(&self) -> Result<()> {
        self.usable.check()
    }

    /// An error if this is a forked child of the process that opened the
    /// volume. Slower than [`refuse_if_broken`](Self::refuse_if_broken).
    pub(crate) fn refuse_in_child(&self) -> Result<()> {
        self.usable.check_process()
    }

    /// The index could not follow the log: until the volume is opened again,
    /// which replays, nothing may be read as if it were whole or written.
    pub(crate) fn break_with(&self, error: Error) -> Error {
        self.usable.spoil(&error);
        error
    }
}

impl<I: Index> Volume<I> {
    /// The log and the pages.
    #[inline]
    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }

    /// The index.
    #[inline]
    pub(crate) fn index(&self) -> &I {
        &self.inner.index
    }

    /// Bytes of the log from its first segment that is still there to its head.
    pub(crate) fn log_bytes(&self) -> u64 {
        let log = &self.inner.core.log;
        log.head().saturating_sub(log.tail())
    }

    /// To be told of the errors of reads and updates, without locks of the
    /// index: what can be done about one is. Gives it back.
    ///
    /// If the index is damaged, the next opening makes it anew from the log:
    /// until then nothing of it becomes a checkpoint.
    #[cold]
    pub(crate) fn failed(&self, error: Error) -> Error {
        let index = error.context().iter().any(|(what, name)| *what == "file" && name == "index");
        if error.kind() == ErrorKind::Corrupt && index {
            self.inner.damaged.store(true, SeqCst);
            // Who makes a checkpoint may wait for this thread, which may have a
            // pin: then he ends them.
            if let Some(mut last) = self.inner.checkpoint.try_lock() {
                self.inner.end_checkpoints(&mut last);
            }
        }
        if error.kind() == ErrorKind::Unavailable {
            self.tend_full_disk();
        }
        error
    }

    /// Bytes of log and index.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.log_bytes() + self.inner.core.pager.pages_used() * PAGE_BYTES as u64
    }

    /// Whether [`rebuild`](Self::rebuild) would free much.
    pub(crate) fn should_be_rebuilt(&self) -> bool {
        let live = self.inner.index.live_bytes();
        self.log_bytes() > live + live / 2 + self.inner.core.log.piece_bytes()
    }
}
