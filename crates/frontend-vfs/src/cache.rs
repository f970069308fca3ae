//! The process-wide page cache.
//!
//! Pages are immutable: an image belongs to the version that wrote it and holds
//! until the version that wrote the page next. The cache knows of each image a
//! range of versions over which it surely holds; a reader at a version inside
//! gets it without asking the store, and a reader above asks the namespace's
//! [`Changes`] whether the page was written since.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hozo_traits::{PageImage, PageNo, Version};

use crate::shared::{Changes, NamespaceKey};

/// How many parts the cache has, each with a lock of its own.
const SHARDS: usize = 64;
/// Images of one page that are kept at most: the head, and what snapshots read.
const IMAGES_OF_A_PAGE_MAX: usize = 4;
/// What an image costs besides its bytes, roughly.
const OVERHEAD_BYTES: usize = 128;
/// How much the cache holds unless told otherwise.
pub(crate) const BYTES_MAX: usize = 64 << 20;

type Key = (NamespaceKey, PageNo);

/// Images of pages of all namespaces that this process has open.
pub(crate) struct PageCache {
    shards: Vec<Mutex<Shard>>,
    hash: RandomState,
    bytes_max: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    /// A page's images, the one that was read last at the end.
    pages: HashMap<Key, Vec<Entry>>,
    /// Every entry once, in the order in which they are looked at for eviction.
    queue: VecDeque<(Key, Version)>,
    bytes: usize,
}

struct Entry {
    image: PageImage,
    /// The image holds from its own version to this one at least.
    holds_to: Version,
    /// Read since eviction last looked.
    used: bool,
}

impl PageCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        PageCache {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hash: RandomState::new(),
            bytes_max: AtomicUsize::new(bytes_max),
        }
    }

    /// Changes the limit; the next insertions evict down to it.
    pub(crate) fn set_bytes_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    /// The newest image of a page at or below `at`, if it is known here.
    pub(crate) fn get(
        &self,
        namespace: NamespaceKey,
        page: PageNo,
        at: Version,
        changes: &Changes,
    ) -> Option<PageImage> {
        let key = (namespace, page);
        let mut shard = self.shard(&key);
        let entries = shard.pages.get_mut(&key)?;
        let (i, _) = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.image.version <= at)
            .max_by_key(|(_, entry)| entry.image.version)?;
        entries[i..].rotate_left(1);
        let entry = entries.last_mut()?;
        if entry.holds_to < at {
            if !changes.unchanged(page, entry.holds_to, at) {
                return None;
            }
            entry.holds_to = at;
        }
        entry.used = true;
        Some(entry.image.clone())
    }

    /// Keeps an image that is the newest of its page at or below `at`.
    pub(crate) fn insert(
        &self,
        namespace: NamespaceKey,
        page: PageNo,
        image: PageImage,
        at: Version,
    ) {
        let shard_max = self.bytes_max.load(Ordering::Relaxed) / SHARDS;
        let key = (namespace, page);
        let mut shard = self.shard(&key);
        let entries = shard.pages.entry(key).or_default();
        if let Some(entry) = entries.iter_mut().find(|e| e.image.version == image.version) {
            entry.holds_to = entry.holds_to.max(at);
            entry.used = true;
            return;
        }
        let version = image.version;
        let added = cost(&image);
        let mut removed = 0;
        if entries.len() == IMAGES_OF_A_PAGE_MAX {
            // Not the oldest version: a snapshot's readers come back, too. Its
            // place in the queue goes when its turn comes.
            removed = cost(&entries.remove(0).image);
        }
        entries.push(Entry { image, holds_to: at, used: true });
        shard.bytes = shard.bytes + added - removed;
        shard.queue.push_back((key, version));
        shard.evict(shard_max);
        shard.tidy();
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let index = self.hash.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(image: &PageImage) -> usize {
    image.bytes.len() + OVERHEAD_BYTES
}

impl Shard {
    /// Drops places in the queue whose images are gone, when they are most of it.
    fn tidy(&mut self) {
        let most = 1024 + 2 * IMAGES_OF_A_PAGE_MAX * self.pages.len();
        if self.queue.len() > most {
            let pages = &self.pages;
            self.queue.retain(|(key, version)| {
                pages.get(key).is_some_and(|e| e.iter().any(|e| e.image.version == *version))
            });
        }
    }

    /// Takes entries out, oldest first, sparing once those read since.
    fn evict(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some((key, version)) = self.queue.pop_front() else { return };
            let Some(entries) = self.pages.get_mut(&key) else { continue };
            let Some(i) = entries.iter().position(|e| e.image.version == version) else { continue };
            if std::mem::take(&mut entries[i].used) {
                self.queue.push_back((key, version));
                continue;
            }
            self.bytes -= cost(&entries.remove(i).image);
            if entries.is_empty() {
                self.pages.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
