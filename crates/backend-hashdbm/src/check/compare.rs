//! Comparing the log with its index, record by record.
//!
//! The index has to point to the newest record of each key, and to nothing
//! else. So each record below the checkpoint is looked up: it is what the index
//! points to, or the index points to something later, or there is nothing for
//! its key, and then something later must have removed it.

use std::collections::BTreeSet;

use hozo_log::disk::Disk;
use hozo_log::survey::{Batch, Gap, Survey, Visit};
use hozo_log::{Position, Record};
use hozo_ordered::{Space, salvage};
use hozo_traits::Result;

use super::Kind;
use super::broken::Broken;
use super::findings::NAMES_MAX;
use super::index::{Entry, View};

/// What a record says.
pub(super) enum Said {
    Set,
    Remove,
    /// All from the key to below this.
    RemoveRange(Vec<u8>),
    RemoveAll,
}

/// What a record says, and of which key of the index.
pub(super) fn said(kind: Kind, record: &Record<'_>) -> (Said, Vec<u8>) {
    match kind {
        Kind::Records => {
            let said = match record.kind {
                2 => Said::Set,
                3 => Said::Remove,
                _ => Said::RemoveAll,
            };
            (said, record.key.to_vec())
        }
        Kind::Pages => {
            let space = record.kind % 16;
            let of = |key: &[u8]| [&[space], key].concat();
            let said = match record.kind / 16 {
                1 => Said::Set,
                2 => Said::Remove,
                _ => Said::RemoveRange(of(record.value)),
            };
            (said, of(record.key))
        }
    }
}

/// Goes through the log.
pub(super) struct Compare<'a> {
    kind: Kind,
    view: Option<&'a View>,
    survey: &'a Survey,
    complete: Position,
    disk: &'a dyn Disk,
    read: &'a mut dyn FnMut(u64),
    outcome: Outcome,
    /// Records of batches that are not whole: where they are.
    parts: Vec<(Position, Position)>,
    /// How many records the index points to, and what they take.
    pointed: u64,
    live: u64,
    newest: u64,
    cleared: Position,
    /// Of a batch that is not whole, what no index knows.
    broken: Broken,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) records: u64,
    pub(super) gaps: Vec<Gap>,
    /// Records of batches that are not whole...
    pub(super) parts: u64,
    /// ...and of them, those that no index knows, and that are dropped.
    pub(super) parts_unknown: u64,
    /// Commits of pages among these, in words.
    pub(super) commits: Vec<String>,
    /// Records that the index does not know of yet, because no checkpoint came.
    pub(super) since: u64,
    /// Why the index is wrong.
    pub(super) wrong: Option<String>,
    /// Keys that the log has and the index has not, without a removal.
    pub(super) pending: BTreeSet<Vec<u8>>,
    /// What the index points to that cannot be read.
    pub(super) lost: Vec<Entry>,
    /// Pages that cannot be read, of which no index knows, but the rest of their
    /// commits.
    pub(super) lacking: Vec<Entry>,
}

impl<'a> Compare<'a> {
    pub(super) fn new(
        kind: Kind,
        view: Option<&'a View>,
        survey: &'a Survey,
        complete: Position,
        disk: &'a dyn Disk,
        read: &'a mut dyn FnMut(u64),
    ) -> Self {
        Compare {
            kind,
            view,
            survey,
            complete,
            disk,
            read,
            outcome: Outcome::default(),
            parts: Vec::new(),
            pointed: 0,
            live: 0,
            newest: 0,
            cleared: 0,
            broken: Broken::default(),
        }
    }

    /// The index is not what the log says.
    fn wrong(&mut self, what: String) {
        self.outcome.wrong.get_or_insert(what);
        self.view = None;
    }

    fn compare(&mut self, record: &Record<'_>) {
        let Some(view) = self.view else { return };
        if let Err(error) = self.compare_with(view, record) {
            self.wrong(error.to_string());
        }
    }

    fn compare_with(&mut self, view: &View, record: &Record<'_>) -> Result<()> {
        let position = record.position;
        let (said, key) = said(self.kind, record);
        let older = match said {
            Said::RemoveAll => {
                self.outcome.pending.clear();
                if position < self.complete {
                    self.cleared = position;
                }
                return Ok(());
            }
            Said::RemoveRange(end) => {
                if key < end {
                    let within: Vec<_> =
                        self.outcome.pending.range(key.clone()..end.clone()).cloned().collect();
                    for key in within {
                        self.outcome.pending.remove(&key);
                    }
                }
                position < self.complete && view.has_older(&key, &end, position)?
            }
            Said::Remove => {
                self.outcome.pending.remove(&key);
                position < self.complete && self.points_before(view, &key, position)?
            }
            Said::Set if position >= self.complete => {
                self.outcome.pending.remove(&key);
                false
            }
            Said::Set => self.compare_set(view, record, key)?,
        };
        if older {
            self.wrong(format!("it points to a record that was superseded at position {position}"));
        }
        Ok(())
    }

    /// Whether the index points to something before this record instead of it.
    fn compare_set(&mut self, view: &View, record: &Record<'_>, key: Vec<u8>) -> Result<bool> {
        let position = record.position;
        let found = view.find(&key)?;
        if found.contains(&position) {
            self.pointed += 1;
            self.live += record.bytes;
            self.outcome.pending.remove(&key);
            match view.newest(&key, position)? {
                Some(true) => self.newest += 1,
                Some(false) => {
                    self.wrong("its table of newest versions has an older one".to_owned());
                }
                None => {}
            }
            return Ok(false);
        }
        if found.iter().any(|found| *found > position) {
            self.outcome.pending.remove(&key);
            return Ok(false);
        }
        let older = self.points_before(view, &key, position)?;
        self.outcome.pending.insert(key);
        Ok(older)
    }

    /// Whether the index points to a record of this key before a position.
    fn points_before(&self, view: &View, key: &[u8], position: Position) -> Result<bool> {
        for found in view.find(key)? {
            // The tree knows its keys; entries of a table may be of another.
            let same = || match self.kind {
                Kind::Pages => true,
                Kind::Records => self.survey.key_at(self.disk, found).as_deref() == Some(key),
            };
            if found < position && same() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a position is in what cannot be read, or in a batch that is not
    /// whole.
    fn is_lost(&self, position: Position) -> bool {
        let before = |ranges: &[(Position, Position)]| {
            let at = ranges.partition_point(|range| range.0 <= position);
            at > 0 && position < ranges[at - 1].1
        };
        position < self.survey.tail()
            || before(&self.parts)
            || self.outcome.gaps.iter().any(|gap| (gap.from..gap.to).contains(&position))
    }

    /// A batch that is not whole has ended.
    fn close(&mut self) {
        let broken = std::mem::take(&mut self.broken);
        if let Some((page, gap)) = broken.lacks() {
            let key = [&[Space::Pages.number()], page.key().as_slice()].concat();
            self.outcome.lacking.push(Entry { key: Some(key), hash: 0, position: gap.from });
            return;
        }
        self.outcome.parts_unknown += broken.len();
        for commit in broken.commits() {
            if self.outcome.commits.len() < NAMES_MAX {
                self.outcome.commits.push(salvage::name_of(Space::Log, commit.key));
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Outcome> {
        self.close();
        if let Some(view) = self.view
            && let Err(error) = self.look_at_all(view)
        {
            self.wrong(error.to_string());
        }
        Ok(self.outcome)
    }

    /// The other way round: what the index points to is there.
    fn look_at_all(&mut self, view: &View) -> Result<()> {
        let mut lost = Vec::new();
        let mut beyond = None;
        view.each(&mut |entry| {
            if entry.position >= self.complete || entry.position < self.cleared {
                beyond = Some(entry.position);
            } else if self.is_lost(entry.position) {
                lost.push(entry);
            }
        })?;
        let damaged = !self.outcome.gaps.is_empty() || self.outcome.parts > 0;
        let (keys, pointed) = (view.keys(), self.pointed + lost.len() as u64);
        if let Some(position) = beyond {
            self.wrong(format!("it points to position {position}, where nothing can be"));
        } else if pointed != keys {
            self.wrong(format!("it has {keys} keys, of which the log has {pointed}"));
        } else if !damaged && !self.outcome.pending.is_empty() {
            let missing = self.outcome.pending.len();
            self.wrong(format!("it lacks {missing} keys that the log has"));
        } else if !damaged && self.live != view.live {
            self.wrong(format!("it counts {} bytes in use, which are {}", view.live, self.live));
        } else if !damaged && self.kind == Kind::Pages && self.newest != view.in_tables() {
            self.wrong("its table of newest versions has what the tree has not".to_owned());
        }
        self.outcome.lost = lost;
        Ok(())
    }
}

impl Visit for Compare<'_> {
    fn batch(&mut self, batch: &Batch<'_>) -> Result<()> {
        self.close();
        self.outcome.records += batch.len() as u64;
        for record in batch {
            self.outcome.since += u64::from(record.position >= self.complete);
            self.compare(record);
        }
        Ok(())
    }

    fn part(&mut self, records: &Batch<'_>) -> Result<()> {
        let whole = records.len() as u64;
        self.outcome.records += whole;
        self.outcome.parts += whole;
        for record in records {
            let is_known = record.position < self.complete;
            self.outcome.since += u64::from(!is_known);
            if self.kind == Kind::Pages && (!is_known || self.view.is_none()) {
                self.broken.push(record);
            } else {
                self.outcome.parts_unknown += u64::from(!is_known);
            }
            // A page's version that the index knows is kept by itself: what
            // else the commit wrote is there too, or an error to read.
            if self.kind == Kind::Pages
                && is_known
                && let Some(view) = self.view
                && matches!(said(self.kind, record), (Said::Set, key)
                    if view.find(&key).is_ok_and(|found| found.contains(&record.position)))
            {
                self.compare(record);
            } else {
                self.parts.push((record.position, record.position + record.bytes));
            }
        }
        Ok(())
    }

    fn gap(&mut self, gap: Gap, bytes: &[u8]) -> Result<()> {
        self.broken.gap(&gap, bytes);
        self.outcome.gaps.push(gap);
        Ok(())
    }

    fn ended(&mut self) -> Result<()> {
        self.close();
        Ok(())
    }

    fn progress(&mut self, bytes: u64) {
        (self.read)(bytes);
    }
}
