//! Updates of a source that are applied together.

use hozo_traits::{Effect, Result};

use crate::inflight::Entered;
use crate::shared::{Shared, make};
use crate::ulog::Place;
use crate::unsettled::Guard;

/// Some updates, applied one after the other, then [finished](Batch::finish).
///
/// A follower logs all, puts the log on stable storage, and makes the records
/// what it says only then. So after a power cut they have nothing that the log
/// lost: the server may be promoted, or follow another source that never had it.
/// One of two masters cannot wait, since clients change its records as well: its
/// records come with the log, and a power cut needs a
/// [`Reset`](hozo_traits::What::Reset).
///
/// Dropped before it is finished, what is in the log is
/// [settled](crate::unsettled).
pub(crate) struct Batch<'a> {
    shared: &'a Shared,
    _under_way: Entered<'a>,
    defers: bool,
    logged: Guard<'a>,
    /// What is in the log, and not in the records: of which DBMs.
    to_do: Vec<(u32, Vec<Effect>)>,
}

impl Shared {
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            shared: self,
            _under_way: self.inflight.enter(),
            defers: !self.standing.lock().role.takes_writes(),
            logged: self.unsettled.guard(),
            to_do: Vec::new(),
        }
    }
}

impl Batch<'_> {
    /// Whether updates are only logged until it is finished.
    pub(crate) fn defers(&self) -> bool {
        self.defers
    }

    /// Logs an update by `append`, which answers what is to be done in a DBM and
    /// where the log ends.
    pub(crate) fn log(
        &mut self,
        dbm: u32,
        append: impl FnOnce() -> Result<(Vec<Effect>, Place)>,
    ) -> Result<()> {
        self.logged.begins(self.shared.ulog.end());
        let (effects, end) = append()?;
        self.logged.ends((end, 0));
        self.to_do.push((dbm, effects));
        Ok(())
    }

    /// Has what was logged on stable storage, then in the records.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if self.to_do.is_empty() {
            return Ok(());
        }
        self.shared.ulog.wait(self.shared.ulog.end()).await?;
        for (dbm, effects) in &self.to_do {
            make(&self.shared.records, *dbm, effects).await?;
        }
        self.logged.settled();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
