//! Opening a volume, and making a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use hozo_log::disk::Disk;
use hozo_log::{Log, LogOptions, Position};
use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::Mutex;

use super::clean::Cleaner;
use super::roots::{ROOTS, Roots};
use super::{Core, Index, Inner, Keeper, Pins, Usable, Volume};
use crate::index::{PageSet, Pager};

/// The file of the index's pages.
const INDEX: &str = "index";

/// How a volume is made and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VolumeOptions {
    /// Size of the log's segments: a power of two. A volume that exists keeps
    /// the size that it was made with.
    pub(crate) segment_bytes: u64,
    /// A checkpoint is made when so much was written to the log since the last.
    pub(crate) checkpoint_bytes: u64,
    /// The id of a new volume: random.
    pub(crate) volume_id: u64,
}

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Opening {
    /// What somebody who runs the store should know, a sentence each.
    pub(crate) messages: Vec<String>,
    /// How many records were replayed.
    pub(crate) replayed: u64,
    /// Bytes at the log's end that a crash had left incomplete.
    pub(crate) torn_bytes: u64,
}

/// Why the index is not what the roots promise: made anew, not an error.
struct Unusable(Error);

impl<I: Index> Volume<I> {
    /// Opens the volume of this directory; an empty one becomes a new volume.
    ///
    /// Without roots, or with an index that cannot be what was written, the
    /// index is made anew from the whole log, and a message says so. Damage of
    /// the log is an error of kind `Corrupt`.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: VolumeOptions) -> Result<(Self, Opening)> {
        let roots = Roots::read(disk.as_ref())?;
        let known = roots.as_ref().and_then(Option::as_ref);
        if let Some(roots) = known
            && roots.kind != I::KIND
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                "the directory holds another kind of volume",
            )
            .with("kind", roots.kind)
            .with("wanted", I::KIND));
        }
        let complete = known.map(|roots| roots.complete);
        // There are roots from the beginning on: without them nothing says how
        // much was durable.
        let opened = match complete {
            Some(_) => Log::open(Arc::clone(&disk), complete, &mut |_| Ok(())),
            None => Log::open_in_doubt(Arc::clone(&disk), &mut |_| Ok(())),
        };
        let (log, opened) = match opened {
            // Making it was never finished.
            Err(error) if error.kind() == ErrorKind::NotFound && roots.is_none() => {
                return Ok((create(disk, options)?, Opening::default()));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let message = "there is an index, but the log's segments are missing";
                return Err(Error::new(ErrorKind::Corrupt, message).caused_by(error));
            }
            opened => opened?,
        };
        let mut opening = Opening { torn_bytes: opened.torn_bytes, ..Opening::default() };
        let whole = match roots {
            Some(Some(roots)) if roots.volume_id == log.volume_id() => {
                resume::<I>(&disk, log, &roots, &mut opening)?
            }
            Some(_) => Err((log, unusable("the file `roots` is damaged"))),
            // Nobody misses the roots of what is empty.
            None => {
                Err((log, unusable("the file `roots` is missing, or the index was found damaged")))
            }
        };
        let (core, index, complete, cleaned) = match whole {
            Ok(whole) => whole,
            Err((log, Unusable(error))) => {
                let (core, index) = replay_all::<I>(disk.as_ref(), log, &mut opening)?;
                if opening.replayed > 0 {
                    opening.messages.push(format!(
                        "the index was made anew from the whole log, {} records: {error}",
                        opening.replayed
                    ));
                }
                let tail = core.log.tail();
                // Nothing of it is on the disk yet.
                (core, index, 0, tail)
            }
        };
        let volume = assemble(core, index, disk, options, complete, cleaned);
        if complete == 0 {
            volume.checkpoint()?;
        } else {
            // A crash may have come between a checkpoint and this.
            volume.core().log.discard_before(cleaned - 1)?;
        }
        volume.tend(0);
        Ok((volume, opening))
    }
}

fn unusable(why: &'static str) -> Unusable {
    Unusable(Error::new(ErrorKind::Corrupt, why))
}

fn assemble<I: Index>(
    core: Core,
    index: I,
    disk: Arc<dyn Disk>,
    options: VolumeOptions,
    complete: Position,
    cleaned: Position,
) -> Volume<I> {
    let options = VolumeOptions { segment_bytes: core.log.segment_bytes(), ..options };
    let head = core.log.head();
    let inner = Inner {
        core,
        index,
        disk,
        options,
        cleaner: Mutex::new(Cleaner::at(cleaned)),
        cleaned: AtomicU64::new(cleaned),
        left_percent: AtomicU64::new(100),
        checkpoint: Mutex::new(Some(complete)),
        complete: AtomicU64::new(complete),
        gave_back: AtomicU64::new(head),
        damaged: AtomicBool::new(false),
        keeper: Keeper::default(),
    };
    Volume { inner: Arc::new(inner) }
}

impl Core {
    fn new(log: Log, pager: Pager) -> Core {
        let volume_id = log.volume_id();
        Core { log, pager, volume_id, pins: Pins::default(), usable: Usable::default() }
    }
}

fn create<I: Index>(disk: Arc<dyn Disk>, options: VolumeOptions) -> Result<Volume<I>> {
    // What a creation that was never finished has left.
    for name in disk.list()?.iter().filter(|name| name.ends_with(".seg")) {
        disk.remove(name)?;
    }
    let log_options =
        LogOptions { segment_bytes: options.segment_bytes, volume_id: options.volume_id };
    let log = Log::create(Arc::clone(&disk), log_options)?;
    let tail = log.tail();
    let core = Core::new(log, new_pager(disk.as_ref())?);
    let index = I::empty(&core)?;
    let volume = assemble(core, index, disk, options, tail, tail);
    volume.checkpoint()?;
    Ok(volume)
}

/// A file of index pages with nothing in it, and no roots that could take it
/// for another.
fn new_pager(disk: &dyn Disk) -> Result<Pager> {
    for name in [ROOTS, INDEX] {
        match disk.remove(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
        disk.sync_dir()?;
    }
    Pager::create(disk.create(INDEX)?)
}

type Whole<I> = (Core, I, Position, Position);

/// The index as the roots say, and what the log has after it.
fn resume<I: Index>(
    disk: &Arc<dyn Disk>,
    log: Log,
    roots: &Roots,
    opening: &mut Opening,
) -> Result<Result<Whole<I>, (Log, Unusable)>> {
    let pager = match disk.open(INDEX).and_then(|file| Pager::open(file, roots.epoch)) {
        Ok(pager) => pager,
        Err(error) => return Ok(Err((log, index_error(error)?))),
    };
    let core = Core::new(log, pager);
    let loaded = I::load(&core, &roots.index).and_then(|index| {
        let mut used = PageSet::default();
        used.insert(0);
        index.pages(&core, &mut used)?;
        core.pager.reclaim(&used)?;
        Ok(index)
    });
    let index = match loaded {
        Ok(index) => index,
        Err(error) => return Ok(Err((core.log, index_error(error)?))),
    };
    match replay(&core, &index, roots.complete) {
        Ok(Ok(replayed)) => {
            opening.replayed = replayed;
            let cleaned = roots.cleaned.max(core.log.tail());
            Ok(Ok((core, index, roots.complete, cleaned)))
        }
        Ok(Err(unusable)) => Ok(Err((core.log, unusable))),
        Err(error) => Err(error),
    }
}

/// Damage of the index is a reason to make it anew; anything else is an error.
fn index_error(error: Error) -> Result<Unusable> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::NotFound => Ok(Unusable(error)),
        _ => Err(error),
    }
}

/// Makes the changes that the log has from `from` on.
fn replay<I: Index>(core: &Core, index: &I, from: Position) -> Result<Result<u64, Unusable>> {
    let mut replayed = 0;
    for record in core.log.records_from(from) {
        // What cannot be read here is damage of the log...
        let record = record?;
        if let Err(error) = index.replay(core, &record) {
            // ...and this of the index.
            return index_error(error).map(Err);
        }
        replayed += 1;
    }
    Ok(Ok(replayed))
}

fn replay_all<I: Index>(disk: &dyn Disk, log: Log, opening: &mut Opening) -> Result<(Core, I)> {
    let core = Core::new(log, new_pager(disk)?);
    let index = I::empty(&core)?;
    match replay(&core, &index, core.log.tail())? {
        Ok(replayed) => opening.replayed = replayed,
        // A new index is not damaged: the log says what cannot be.
        Err(Unusable(error)) => return Err(error),
    }
    Ok((core, index))
}
