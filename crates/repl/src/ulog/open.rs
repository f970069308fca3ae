//! Opening a log, and making a new one.

use std::sync::Arc;

use hozo_log::disk::Disk;
use hozo_log::{Log, LogOptions};
use hozo_ordered::{GroupSync, GroupSyncConfig};
use hozo_traits::{Ambient, Error, ErrorKind, Result, ServerId, Update};
use parking_lot::{Mutex, RwLock};

use super::checkpoint::Checkpoint;
use super::codec::{self, STATE, State, UPDATE};
use super::places::Places;
use super::{Core, Durable, Tail, Ulog};
use crate::loading::Loading;
use crate::merge::Recent;
use crate::signal::Signal;

/// How a log is made and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UlogOptions {
    pub(crate) me: ServerId,
    /// Of a new log: a power of two.
    pub(crate) segment_bytes: u64,
    pub(crate) sync: GroupSyncConfig,
}

/// A log that was opened.
pub(crate) struct Opened {
    pub(crate) ulog: Ulog,
    /// What the directory said about the last time, if there was one.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Updates that were replayed.
    pub(crate) replayed: u64,
}

impl Ulog {
    /// Opens the log of a directory, or makes one; gives `replay` all updates
    /// that the records may lack, in order.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        options: UlogOptions,
        ambient: &dyn Ambient,
        dbms: &[String],
        replay: Replay<'_>,
    ) -> Result<Opened> {
        if dbms.len() > codec::DBMS_MAX {
            return Err(Error::new(ErrorKind::Invalid, "one update log is of too many DBMs")
                .with("most", codec::DBMS_MAX));
        }
        let checkpoint = Checkpoint::read(&disk)?;
        let from = checkpoint.map(|checkpoint| checkpoint.place);
        // What is being loaded from a source must not be mixed with what was
        // there before.
        let complete = Loading::read(&disk)?.is_none();
        let mut found = Found::default();
        let mut each = |record: &hozo_log::Record<'_>| found.record(record);
        let opened = match from {
            Some(_) => Log::open(Arc::clone(&disk), from, &mut each),
            None => Log::open_in_doubt(Arc::clone(&disk), &mut each),
        };
        let log = match opened {
            Ok((log, _)) => log,
            Err(error) if error.kind() == ErrorKind::NotFound && from.is_none() => {
                for name in disk.list()?.iter().filter(|name| name.ends_with(".seg")) {
                    disk.remove(name)?;
                }
                let mut id = [0; 8];
                ambient.fill_random(&mut id);
                let volume_id = u64::from_le_bytes(id);
                let made = LogOptions { segment_bytes: options.segment_bytes, volume_id };
                let log = Log::create(Arc::clone(&disk), made)?;
                // So that a power cut leaves no doubt about what was durable.
                let place = log.head();
                let closed = true;
                Checkpoint { place, closed, ..Checkpoint::default() }.write(&disk)?;
                log
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "the update log's segments are missing, but its checkpoint is there",
                )
                .caused_by(error));
            }
            Err(error) => return Err(error),
        };
        let Found { mut state, .. } = found;
        refuse_other_dbms(&state.dbms, dbms)?;
        state.dbms = dbms.to_vec();
        let begins = state.begins;
        let ulog = Ulog::assemble(disk, log, options, state);
        let mut replayed = 0;
        if complete {
            // Now that all of it is on stable storage: records must not have what
            // a power cut takes from the log.
            ulog.replay(from.unwrap_or(begins), |update| {
                replayed += 1;
                replay(update)
            })?;
        }
        ulog.mark()?;
        Ok(Opened { ulog, checkpoint, replayed })
    }

    fn assemble(disk: Arc<dyn Disk>, log: Log, options: UlogOptions, state: State) -> Ulog {
        let (place, begins) = (log.head(), state.begins);
        let durable = Durable { place, position: state.position.clone(), newest: state.newest };
        let tail = Tail { state, state_at: 0, number: 0, recent: Recent::default(), closed: false };
        let core = Arc::new(Core {
            log,
            me: options.me,
            disk,
            tail: Mutex::new(tail),
            durable: Mutex::new(durable),
        });
        let places = Places::default();
        places.restart(begins);
        let synced = Arc::clone(&core);
        let sync = GroupSync::new(place, options.sync, move |_| synced.sync());
        Ulog { core, sync, appended: Signal::default(), places, pins: RwLock::new(()) }
    }
}

impl Core {
    fn sync(&self) -> Result<()> {
        let reached = {
            let tail = self.tail.lock();
            let position = tail.state.position.clone();
            Durable { place: self.log.head(), position, newest: tail.state.newest }
        };
        self.log.sync()?;
        *self.durable.lock() = reached;
        Ok(())
    }
}

/// Gets what records may lack.
type Replay<'a> = &'a mut dyn FnMut(&Update) -> Result<()>;

/// What was found in a log.
#[derive(Default)]
struct Found {
    state: State,
    /// Whether a state was met: nothing says what is before the first.
    begun: bool,
}

impl Found {
    fn record(&mut self, record: &hozo_log::Record<'_>) -> Result<()> {
        let at = |error: Error| error.with("position", record.position);
        match record.kind {
            STATE => {
                self.state = State::decode(record.value).map_err(at)?;
                self.begun = true;
            }
            UPDATE => {
                let update = codec::decode(record.key, record.value).map_err(at)?;
                if self.begun {
                    self.state.add(&update);
                }
            }
            kind => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "the update log has a record of a kind that is not known; a newer version \
                     of Hozo may have written it",
                )
                .with("kind", kind)
                .with("position", record.position));
            }
        }
        Ok(())
    }
}

/// DBMs are known by their index, which must not become another's.
fn refuse_other_dbms(logged: &[String], now: &[String]) -> Result<()> {
    let differs = |(index, name): (usize, &String)| (now.get(index) != Some(name)).then_some(index);
    match logged.iter().enumerate().find_map(differs) {
        None => Ok(()),
        Some(index) => {
            let wanted = now.get(index).map_or("none", String::as_str);
            Err(Error::new(
                ErrorKind::Invalid,
                "the update log is of other DBMs: new ones go after those that there were, and \
                 none can be left out",
            )
            .with("index", index)
            .with("logged", &logged[index])
            .with("config", wanted))
        }
    }
}
