//! What exists once per process: the page cache, and what connections share
//! about each namespace.
//!
//! A child that was forked gets a new one: locks in the old one may be held by
//! threads that the child does not have.

use std::collections::HashMap;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use hozo_pages::{Namespace, Namespaces};

use crate::cache::{self, PageCache};
use crate::shared::{NamespaceKey, Shared};

/// Namespaces of which something is remembered after nobody has them open.
const REMEMBERED_MAX: usize = 1024;

/// How often this process's ancestors forked since the VFS was first used.
static GENERATION: AtomicU64 = AtomicU64::new(0);
static CURRENT: PerProcess<Process> = PerProcess::new();
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Process {
    pub(crate) cache: PageCache,
    known: Mutex<Known>,
}

/// A value of which each process has its own: a forked child makes a new one,
/// and never touches its parent's, whose locks may be held for ever.
pub(crate) struct PerProcess<T: 'static>(AtomicPtr<(u64, T)>);

impl<T: Default + Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// This process's value. Never freed, so there is one leak per fork.
    pub(crate) fn get(&self) -> &'static T {
        loop {
            let now = generation();
            let found = self.0.load(Ordering::Acquire);
            // SAFETY: what is stored there was leaked from a box and is never freed.
            if let Some((generation, value)) = unsafe { found.as_ref() }
                && *generation == now
            {
                return value;
            }
            let made = Box::into_raw(Box::new((now, T::default())));
            let replaced =
                self.0.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire);
            if replaced.is_err() {
                // SAFETY: made above and seen by nobody else.
                drop(unsafe { Box::from_raw(made) });
            }
        }
    }
}

#[derive(Default)]
struct Known {
    stores: Vec<(Weak<Namespaces>, u64)>,
    next_store: u64,
    namespaces: HashMap<NamespaceKey, Arc<Shared>>,
}

/// Which generation of forks this is. A connection works only in the generation
/// in which it was opened.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// A number that no other connection of this process has.
pub(crate) fn next_connection() -> u64 {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed)
}

/// Makes forks be noticed, from the first call on.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::AcqRel);
    }
    ONCE.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is allowed after a
        // fork in a process with several threads.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// This process's one.
pub(crate) fn current() -> &'static Process {
    CURRENT.get()
}

impl Default for Process {
    fn default() -> Self {
        Process { cache: PageCache::new(cache::BYTES_MAX), known: Mutex::default() }
    }
}

impl Process {
    /// What this process shares about a namespace.
    pub(crate) fn shared(&self, namespace: &Namespace) -> Arc<Shared> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let store = known.store(namespace.namespaces());
        let key = NamespaceKey { store, namespace: namespace.info().id };
        if known.namespaces.len() >= REMEMBERED_MAX && !known.namespaces.contains_key(&key) {
            known.namespaces.retain(|_, shared| Arc::strong_count(shared) > 1);
        }
        known.namespaces.entry(key).or_insert_with(|| Arc::new(Shared::new(key))).clone()
    }
}

impl Known {
    /// The number of an opened store; a store that is opened again gets another.
    fn store(&mut self, namespaces: &Arc<Namespaces>) -> u64 {
        self.stores.retain(|(store, _)| store.strong_count() > 0);
        let found = self.stores.iter().find(|(s, _)| s.as_ptr() == Arc::as_ptr(namespaces));
        if let Some((_, number)) = found {
            return *number;
        }
        // What was known of stores that are gone is of no more use.
        let alive: Vec<u64> = self.stores.iter().map(|(_, number)| *number).collect();
        self.namespaces.retain(|key, _| alive.contains(&key.store));
        self.next_store += 1;
        self.stores.push((Arc::downgrade(namespaces), self.next_store));
        self.next_store
    }
}
