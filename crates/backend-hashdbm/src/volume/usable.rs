//! Whether a volume may be used: one load to find out.
//!
//! The word to look at is in memory that the kernel wipes in a forked child.
//! The child has the volume's mapped files, shared with its parent: a write of
//! one would be damage to the other. And it has the parent's locks, but not the
//! threads that would let go of them.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::process;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hozo_traits::{Error, ErrorKind, Result, Retry};
use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Memory comes in pages of this, or more.
const PAGE_BYTES: usize = 4096;

/// What a word says that needs no second look.
const USABLE: u32 = 1;

/// Whether a volume may be used, and if not, why.
pub(super) struct Usable {
    word: Word,
    /// Who opened the volume.
    pid: u32,
    why: Mutex<Option<Arc<str>>>,
}

impl Default for Usable {
    fn default() -> Usable {
        Usable { word: Word::new(), pid: process::id(), why: Mutex::default() }
    }
}

impl Usable {
    /// An error if this is a forked child, or if the volume was
    /// [spoiled](Self::spoil).
    #[inline]
    pub(super) fn check(&self) -> Result<()> {
        match self.word.get().load(Ordering::Relaxed) {
            USABLE => Ok(()),
            _ => self.look(),
        }
    }

    #[cold]
    fn look(&self) -> Result<()> {
        // First: in a child nobody may ever let go of the lock.
        self.check_process()?;
        match &*self.why.lock() {
            Some(why) => Err(Error::new(
                ErrorKind::Unavailable,
                "the index could not follow the log; reopen the store, which sets it right",
            )
            .with("failure", Arc::clone(why))
            .retrying(Retry::Never)),
            // The kernel does not wipe: one cannot tell without this look.
            None => Ok(()),
        }
    }

    /// An error if this is a forked child.
    pub(super) fn check_process(&self) -> Result<()> {
        if self.is_in_child() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store was opened before this process was forked; open it after forking",
            )
            .with("opened by pid", self.pid));
        }
        Ok(())
    }

    pub(super) fn is_in_child(&self) -> bool {
        self.pid != process::id()
    }

    /// From now on it may not be used.
    pub(super) fn spoil(&self, error: &Error) {
        self.why.lock().get_or_insert_with(|| Arc::from(error.to_string()));
        self.word.get().store(0, Ordering::Release);
    }
}

/// A word that is not [`USABLE`] any more in a forked child.
struct Word {
    page: Option<NonNull<AtomicU32>>,
}

// SAFETY: the page is this value's until it is dropped, and only its word, an
// atomic, is used.
unsafe impl Send for Word {}
// SAFETY: as above.
unsafe impl Sync for Word {}

impl Word {
    /// Where the kernel does not offer it, the word is never usable.
    fn new() -> Word {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: new memory, at an address that the kernel chooses.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), PAGE_BYTES, access, flags) };
        let page = mapped.ok().and_then(|page| NonNull::new(page.cast::<AtomicU32>()));
        let word = Word { page };
        if let Some(page) = word.page {
            // SAFETY: the page of above, of which nobody else knows.
            let wiped =
                unsafe { madvise(page.as_ptr().cast(), PAGE_BYTES, Advice::LinuxWipeOnFork) };
            if wiped.is_ok() {
                word.get().store(USABLE, Ordering::Release);
            }
        }
        word
    }

    #[inline]
    fn get(&self) -> &AtomicU32 {
        static NEVER: AtomicU32 = AtomicU32::new(0);
        // SAFETY: the page is mapped until this is dropped, and begins with
        // zeros or with what was stored there.
        self.page.as_ref().map_or(&NEVER, |page| unsafe { page.as_ref() })
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        if let Some(page) = self.page {
            // SAFETY: mapped in `new`; no reference to it outlives this value.
            // What fails leaves a page mapped.
            let _ = unsafe { munmap(page.as_ptr().cast::<c_void>(), PAGE_BYTES) };
        }
    }
}
