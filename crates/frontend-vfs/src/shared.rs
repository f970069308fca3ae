//! What all connections of one process share about one namespace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hozo_pages::{Namespace, WriterSlot};
use hozo_traits::{NamespaceId, PageNo, PageRuns, Result, Version};

/// Pages whose last change is remembered at most, per namespace.
const CHANGED_PAGES_MAX: usize = 65536;

/// A namespace within this process: which opened store, and which of its
/// namespaces. Never used again for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct NamespaceKey {
    pub(crate) store: u64,
    pub(crate) namespace: NamespaceId,
}

/// What connections share about one namespace.
pub(crate) struct Shared {
    pub(crate) key: NamespaceKey,
    pub(crate) changes: Changes,
    /// Connections that write it in serial mode.
    pub(crate) serial: AtomicUsize,
    parked: Mutex<Option<Parked>>,
}

/// A writer slot kept for a connection that must take a newer snapshot first.
struct Parked {
    connection: u64,
    slot: WriterSlot,
    until: Instant,
}

impl Shared {
    pub(crate) fn new(key: NamespaceKey) -> Self {
        Shared {
            key,
            changes: Changes::default(),
            serial: AtomicUsize::new(0),
            parked: Mutex::default(),
        }
    }

    /// Whether anybody has it open for writing in serial mode.
    pub(crate) fn has_serial(&self) -> bool {
        self.serial.load(Ordering::SeqCst) > 0
    }

    /// Keeps the slot for a connection that will be back in a moment.
    pub(crate) fn park(&self, connection: u64, slot: WriterSlot, grace: Duration) {
        let parked = Parked { connection, slot, until: Instant::now() + grace };
        // One slot exists, so nothing is parked here already.
        *self.parked() = Some(parked);
    }

    /// The slot that was kept for this connection, if it still is.
    pub(crate) fn unpark(&self, connection: u64) -> Option<WriterSlot> {
        self.parked().take_if(|parked| parked.connection == connection).map(|parked| parked.slot)
    }

    /// Whether the slot is kept for somebody.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked().is_some()
    }

    /// Releases a slot whose connection did not come back in time. Whoever
    /// waits for the slot calls this now and then.
    pub(crate) fn release_overdue(&self) {
        let now = Instant::now();
        drop(self.parked().take_if(|parked| parked.until <= now));
    }

    fn parked(&self) -> MutexGuard<'_, Option<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which pages of a namespace were written lately, so that cached images can be
/// told from stale ones without asking the store for each.
#[derive(Default)]
pub(crate) struct Changes(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Known for versions above `from`, up to `to`; `None` before the first look.
    span: Option<(Version, Version)>,
    /// A version at or above each page's last change in the span.
    last: HashMap<PageNo, Version>,
}

impl Changes {
    /// Whether no commit in (`from`, `to`] wrote the page, for all that is known.
    pub(crate) fn unchanged(&self, page: PageNo, from: Version, to: Version) -> bool {
        let known = self.lock();
        known.span.is_some_and(|(start, end)| start <= from && to <= end)
            && known.last.get(&page).is_none_or(|last| *last <= from)
    }

    /// Learns what was written up to `to`, which is sequenced.
    pub(crate) async fn learn(&self, namespace: &Namespace, to: Version) -> Result<()> {
        let span = self.lock().span;
        match span {
            None => self.add(to, to, Some(&PageRuns::default())),
            Some((_, end)) if to <= end => {}
            Some((_, end)) => {
                let written = namespace.changes_since(end, to).await?;
                self.add(end, to, written.as_ref());
            }
        }
        Ok(())
    }

    /// Notes that these pages, and no others, were written in (`from`, `to`].
    pub(crate) fn add(&self, from: Version, to: Version, written: Option<&PageRuns>) {
        let mut known = self.lock();
        match known.span {
            // Somebody else learned more meanwhile.
            Some((_, end)) if end >= to => return,
            // There would be a gap.
            Some((_, end)) if end != from => return,
            None if from != to => return,
            _ => {}
        }
        match written {
            Some(written) => known.last.extend(written.pages().map(|page| (page, to))),
            None => known.restart(to),
        }
        if known.last.len() > CHANGED_PAGES_MAX {
            known.restart(to);
        }
        let start = known.span.map_or(to, |(start, _)| start);
        known.span = Some((start, to));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets everything below `at`.
    fn restart(&mut self, at: Version) {
        self.last.clear();
        self.span = Some((at, at));
    }
}

#[cfg(test)]
mod tests;
