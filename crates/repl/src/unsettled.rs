//! Updates that are in the log and perhaps not in the records.
//!
//! Between the two an update can fail or be given up. Then the log is right,
//! and the records have to be made what it says, before anybody builds on them.

use std::sync::atomic::{AtomicU64, Ordering};

use hozo_traits::{Error, ErrorKind, Result};

use crate::signal::Signal;
use crate::ulog::Place;

/// From where on the log has to be replayed; all is settled at `u64::MAX`.
pub(crate) struct Unsettled {
    from: AtomicU64,
    /// Something is to be settled.
    pub(crate) told: Signal,
}

impl Default for Unsettled {
    fn default() -> Self {
        Unsettled { from: AtomicU64::new(u64::MAX), told: Signal::default() }
    }
}

impl Unsettled {
    /// An error if something is to be settled first.
    pub(crate) fn refuse(&self) -> Result<()> {
        if self.from.load(Ordering::SeqCst) == u64::MAX {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Busy,
            "an update failed half-way, and the records are being made what the update log says; \
             try again soon",
        ))
    }

    /// From where on the log is to be replayed, if it is.
    pub(crate) fn from(&self) -> Option<Place> {
        let from = self.from.load(Ordering::SeqCst);
        (from != u64::MAX).then_some(from)
    }

    /// The log was replayed from there, unless there is something before it now.
    pub(crate) fn settled(&self, from: Place) -> bool {
        self.from.compare_exchange(from, u64::MAX, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Watches over one update.
    pub(crate) fn guard(&self) -> Guard<'_> {
        Guard { unsettled: self, begin: None, end: None }
    }
}

/// One update; dropped between log and records it makes a replay necessary.
pub(crate) struct Guard<'a> {
    unsettled: &'a Unsettled,
    begin: Option<Place>,
    end: Option<(Place, u64)>,
}

impl Guard<'_> {
    /// Whether it is in the log.
    pub(crate) fn is_in_log(&self) -> bool {
        self.end.is_some()
    }

    /// From here on something of it may be in the log.
    pub(crate) fn begins(&mut self, place: Place) {
        self.begin = Some(self.begin.map_or(place, |before| before.min(place)));
    }

    /// It is in the log, which ends here now, with this number.
    pub(crate) fn ends(&mut self, (place, seq): (Place, u64)) {
        self.end = Some((place, seq));
    }

    /// It is in the records as well; answers where it ends in the log.
    pub(crate) fn settled(&mut self) -> Option<(Place, u64)> {
        self.begin = None;
        self.end.take()
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Without an end nothing was appended.
        if let (Some(begin), Some(_)) = (self.begin, self.end) {
            self.unsettled.from.fetch_min(begin, Ordering::SeqCst);
            self.unsettled.told.tell();
        }
    }
}

#[cfg(test)]
mod tests;
