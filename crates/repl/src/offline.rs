//! Looking at the update log of a directory from outside, also while a server
//! writes to it: no lock is taken and nothing is changed, but for
//! [`prune`](UlogDir::prune).
//!
//! What is seen is what was appended, whether or not it is on stable storage yet.

mod prune;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo_log::disk::{Disk, RealDisk};
use hozo_log::survey::Gap;
use hozo_log::view::{Step, View};
use hozo_traits::{Error, ErrorKind, Result, ServerId, Timestamp, Update, What};

use crate::ulog::Place;
use crate::ulog::checkpoint::Checkpoint;
use crate::ulog::codec::{self, STATE, State, UPDATE};

pub use prune::Pruned;
pub use verify::{Problem, Verified};

/// The directory of an update log.
pub struct UlogDir {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
}

/// One file of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// The position in the log's bytes at which its first record is.
    pub first: u64,
    /// Its records are below this.
    pub end: u64,
    /// Bytes of the file, with space that is ready for what is to come.
    pub bytes: u64,
    /// Updates in it.
    pub updates: u64,
    /// The time of the oldest of them.
    pub oldest: Option<Timestamp>,
    /// The time of the newest of them.
    pub newest: Option<Timestamp>,
    /// Something of it cannot be read.
    pub damaged: bool,
}

/// Which updates are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only those of this time or a later one.
    pub since: Timestamp,
    /// Only those that this server made.
    pub server: Option<ServerId>,
    /// Only those that changed records of the DBM with this index.
    pub dbm: Option<u32>,
}

impl Filter {
    fn takes(&self, update: &Update) -> bool {
        let dbm = match update.what {
            What::Records { dbm, .. } => Some(dbm),
            _ => None,
        };
        update.time >= self.since
            && self.server.is_none_or(|server| server == update.server)
            && (self.dbm.is_none() || self.dbm == dbm)
    }
}

impl UlogDir {
    /// The update log in a directory; [`NotFound`](ErrorKind::NotFound) if there
    /// is none.
    pub fn open(dir: impl Into<PathBuf>) -> Result<UlogDir> {
        let dir = dir.into();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::read_only(&dir));
        let log = UlogDir { dir, disk };
        log.view()?;
        Ok(log)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn view(&self) -> Result<View> {
        // First, so that the log reaches to where it says.
        let checkpoint = Checkpoint::read(&self.disk).map_err(|e| self.none(e))?;
        let durable = checkpoint.map(|checkpoint| checkpoint.place);
        View::new(Arc::clone(&self.disk), durable).map_err(|e| self.none(e))
    }

    fn none(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::NotFound {
            return error;
        }
        Error::new(ErrorKind::NotFound, "there is no update log here")
            .with("dir", self.dir.display())
            .caused_by(error)
    }

    /// The files of the log, the oldest first. All of them are read.
    pub fn segments(&self) -> Result<Vec<Segment>> {
        let view = self.view()?;
        let pieces = view.pieces();
        let mut segments: Vec<Segment> = pieces
            .iter()
            .map(|piece| Segment {
                path: self.dir.join(&piece.name),
                first: piece.first,
                end: piece.end,
                bytes: piece.bytes,
                updates: 0,
                oldest: None,
                newest: None,
                damaged: false,
            })
            .collect();
        let mut reading = view.read();
        while let Some(step) = reading.step()? {
            let place = match &step {
                Step::Record(record) => record.position,
                Step::Damage(gap) => gap.from,
            };
            let holds = segments.iter_mut().rfind(|segment| segment.first <= place);
            // What was begun since is not among them.
            let Some(segment) = holds.filter(|segment| place < segment.end) else { continue };
            match step {
                Step::Damage(_) => segment.damaged = true,
                Step::Record(record) if record.kind == UPDATE => {
                    let Ok(head) = codec::decode_head(record.key) else {
                        segment.damaged = true;
                        continue;
                    };
                    segment.updates += 1;
                    let oldest = segment.oldest.map_or(head.time, |oldest| oldest.min(head.time));
                    segment.oldest = Some(oldest);
                    segment.newest = segment.newest.max(Some(head.time));
                }
                Step::Record(_) => {}
            }
        }
        if let Some(last) = segments.last_mut() {
            last.end = last.end.min(reading.end().max(last.first));
        }
        if reading.passed_over() > 0 {
            segments.retain(|segment| segment.path.exists());
        }
        Ok(segments)
    }

    /// Gives `each` the updates that are asked for, in the order of the log, until
    /// it answers `false`. What is removed meanwhile is left out.
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) where the log is damaged; what is before
    /// that was given.
    pub fn updates(
        &self,
        filter: &Filter,
        each: &mut dyn FnMut(Update) -> Result<bool>,
    ) -> Result<()> {
        let view = self.view()?;
        let mut reading = match self.place_before(&view, filter.since)? {
            Some(place) => view.read_from(place),
            None => view.read(),
        };
        while let Some(step) = reading.step()? {
            let record = match step {
                Step::Record(record) => record,
                Step::Damage(gap) => return Err(damaged(&gap)),
            };
            if record.kind != UPDATE {
                continue;
            }
            let at = |error: Error| error.with("position", record.position);
            if codec::decode_head(record.key).map_err(at)?.time < filter.since {
                continue;
            }
            let update = codec::decode(record.key, record.value).map_err(at)?;
            if filter.takes(&update) && !each(update)? {
                break;
            }
        }
        Ok(())
    }

    /// Where a segment begins below which everything is older than a time.
    fn place_before(&self, view: &View, time: Timestamp) -> Result<Option<Place>> {
        if time == Timestamp::default() {
            return Ok(None);
        }
        for piece in view.pieces().iter().rev() {
            let mut reading = view.read_from(piece.first);
            while let Some(Step::Record(record)) = reading.step()? {
                if record.position >= piece.end {
                    break;
                }
                if record.kind == STATE {
                    if State::decode(record.value).is_ok_and(|state| state.newest < time) {
                        return Ok(Some(piece.first));
                    }
                    break;
                }
            }
        }
        Ok(None)
    }
}

fn damaged(gap: &Gap) -> Error {
    Error::new(ErrorKind::Corrupt, "the update log is damaged: what comes now cannot be read")
        .with("why", gap.what)
        .with("file", &gap.file)
        .with("offset", gap.offset)
}

#[cfg(test)]
mod tests;
