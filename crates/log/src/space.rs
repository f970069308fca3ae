//! Space before it is needed: growing segments, new ones, and files that are
//! used again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hozo_traits::{ErrorKind, Result};

use super::segment::{self, Header, Segment};
use super::{Log, Position};
use crate::disk::{Disk, DiskFile};

/// Files grow by this much.
const STEP_BYTES: u64 = 1 << 20;
/// The least that a file grows by, when the disk is too full for a step.
const PAGE_BYTES: u64 = 4096;
/// As much is ready beyond the head where somebody prepares it.
const AHEAD_BYTES: u64 = 1 << 20;
/// Files of discarded segments that are kept for further use.
const SPARES_MAX: usize = 2;

/// What is left of discarded segments.
#[derive(Default)]
pub(super) struct Discarded {
    /// Those of the last call: somebody may still look at their memory for a
    /// moment.
    memory: Vec<Arc<Segment>>,
    /// Files that could not be removed.
    files: Vec<String>,
}

/// Files that wait for their next use.
#[derive(Default)]
pub(super) struct Spares {
    /// Ready to be taken.
    names: Vec<String>,
    /// Being made or taken: nobody else may use the names.
    busy: Vec<String>,
}

impl Spares {
    /// Removes the spare files that are in a directory when a log is opened.
    ///
    /// One of them may have been about to become a segment when the power
    /// failed. It has a header and records then that are valid for the number
    /// which the next segment gets: they must not come back with it.
    pub(super) fn remove_all(disk: &dyn Disk, names: &[String]) -> Result<()> {
        names.iter().filter(|name| is_spare(name)).try_for_each(|name| disk.remove(name))
    }

    /// A name for one more, if there may be one. Whoever gets it makes the file
    /// without holding this, and says what came of it by [`Spares::done`].
    fn begin(&mut self) -> Option<String> {
        let free = |name: &String| !self.names.contains(name) && !self.busy.contains(name);
        let name = (0..SPARES_MAX).map(spare_name).find(free)?;
        self.busy.push(name.clone());
        Some(name)
    }

    /// A file to use, if there is one. Its name is free after [`Spares::done`].
    fn take(&mut self) -> Option<String> {
        let name = self.names.pop()?;
        self.busy.push(name.clone());
        Some(name)
    }

    /// There is a spare file of this name now, or there is none.
    fn done(&mut self, name: String, ready: bool) {
        self.busy.retain(|busy| *busy != name);
        if ready {
            self.names.push(name);
        }
    }
}

fn spare_name(i: usize) -> String {
    format!("{i}.spare")
}

fn is_spare(name: &str) -> bool {
    name.ends_with(".spare")
}

/// Gives `file` its header and space for a first step; `allocated` bytes it has
/// already.
pub(super) fn begin(file: Arc<dyn DiskFile>, header: Header, allocated: u64) -> Result<Segment> {
    let mut ready = allocated;
    if ready < PAGE_BYTES {
        let step = STEP_BYTES.min(1 << header.segment_log2);
        ready = match file.allocate(allocated, step) {
            Ok(()) => step,
            // On a full disk a page is enough to open a log.
            Err(_) => file.allocate(allocated, PAGE_BYTES).map(|()| PAGE_BYTES)?,
        };
    }
    let segment = Segment::new(header, file, ready)?;
    if allocated == 0 {
        segment.memory.populate(0, ready as usize);
    }
    // The very last: a file that was given up may come back in a crash, and
    // with a header it would cut the log where that says that it ends.
    segment.file.write_at(0, &header.encode())?;
    Ok(segment)
}

/// Sees to it that the file has space up to `bytes`.
pub(super) fn grow(segment: &Segment, bytes: u64) -> Result<()> {
    if bytes <= segment.allocated() {
        return Ok(());
    }
    let _growing = segment.growing.lock();
    let from = segment.allocated();
    if bytes <= from {
        return Ok(());
    }
    let limit = segment.limit() - segment.start();
    let step = bytes.next_multiple_of(STEP_BYTES).min(limit);
    let least = bytes.next_multiple_of(PAGE_BYTES).min(limit);
    let to = match segment.file.allocate(from, step) {
        Ok(()) => Ok(step),
        // The last of the space is as good as any.
        Err(_) if least < step => segment.file.allocate(from, least).map(|()| least),
        Err(error) => Err(error),
    }
    .inspect_err(|_| cut(segment))?;
    segment.set_allocated(to);
    let page = from / PAGE_BYTES * PAGE_BYTES;
    segment.memory.populate(page as usize, (to - page) as usize);
    Ok(())
}

/// Cuts off what was written beyond the space that is said to be there.
pub(super) fn give_back(segment: &Segment) {
    let _growing = segment.growing.lock();
    cut(segment);
}

fn cut(segment: &Segment) {
    // Where this fails too, the next growth writes over it.
    let _ = segment.file.truncate(segment.allocated());
}

impl Log {
    /// A new segment's file, from a spare one if there is one.
    pub(super) fn new_segment(
        &self,
        number: u64,
        spans: u32,
        follows: Position,
    ) -> Result<Segment> {
        let header = Header {
            volume_id: self.volume_id,
            number,
            spans,
            segment_log2: self.segment_log2,
            follows,
        };
        let name = segment::file_name(number);
        let spare = self.spares.lock().take();
        if let Some(spare) = spare {
            let begun = self.use_spare(&spare, &name, header);
            self.spares.lock().done(spare, false);
            return begun;
        }
        let file = match self.disk.create(&name) {
            // An earlier attempt failed, and so did removing what it left,
            // which must not come back with another header.
            Err(error) if error.kind() == ErrorKind::Exists => {
                let file = self.disk.open(&name)?;
                file.truncate(0)?;
                file.sync()?;
                file
            }
            other => other?,
        };
        begin(file, header, 0).inspect_err(|_| {
            let _ = self.disk.remove(&name);
        })
    }

    fn use_spare(&self, spare: &str, name: &str, header: Header) -> Result<Segment> {
        let begun = self.disk.open(spare).and_then(|file| {
            let limit = header.limit() - header.start();
            let len = file.len()?;
            if len > limit {
                file.truncate(limit)?;
            }
            let segment = begin(file, header, len.min(limit))?;
            self.disk.rename(spare, name)?;
            Ok(segment)
        });
        // What has got a header once is not used for another one.
        begun.inspect_err(|_| {
            let _ = self.disk.remove(spare);
        })
    }

    /// Frees the segments that lie wholly below `position`.
    ///
    /// What replaces their records is durable then: this syncs first. The
    /// caller sees to it that nobody holds or reads a record of theirs; memory
    /// of theirs is let go at the next call only, as a second net.
    pub fn discard_before(&self, position: Position) -> Result<()> {
        self.sync()?;
        let mut discarded = self.discarded.lock();
        discarded.memory.clear();
        // Were the next one removed before it, the log would have a hole.
        while let Some(name) = discarded.files.first() {
            self.remove_durably(name)?;
            discarded.files.remove(0);
        }
        drop(discarded);
        while let Some((segment, next)) = self.first_two() {
            if segment.end() > position {
                break;
            }
            // From the log's sight first: a failure after that leaves a file
            // too many, which the next opening finds again.
            self.first.store(next, Ordering::Release);
            self.window.clear(&segment);
            self.segments.lock().remove(&segment.header.number);
            self.discarded.lock().memory.push(Arc::clone(&segment));
            // Whoever has space ready in its file has done so, or finds that it
            // is none of the log's any more.
            drop(segment.growing.lock());
            // No lock is held while the disk is waited for: a new segment must
            // not wait as well.
            let fits = u64::from(segment.header.spans) <= self.next_spans();
            let spare = if fits { self.spares.lock().begin() } else { None };
            let name = segment.name();
            let kept = match &spare {
                Some(spare) => self.disk.rename(&name, spare).is_ok(),
                None => false,
            };
            // One by one and in order: after a crash the log has no hole. And
            // a file is written again only when its old name is surely gone.
            let gone = if kept { self.disk.sync_dir() } else { self.remove_durably(&name) };
            if let Some(spare) = spare {
                self.spares.lock().done(spare, kept && gone.is_ok());
            }
            gone.inspect_err(|_| self.discarded.lock().files.push(name))?;
        }
        Ok(())
    }

    fn remove_durably(&self, name: &str) -> Result<()> {
        match self.disk.remove(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => self.disk.sync_dir(),
        }
    }

    /// The first segment and where the second begins, if there are two.
    fn first_two(&self) -> Option<(Arc<Segment>, Position)> {
        let segments = self.segments.lock();
        let mut two = segments.values();
        Some((Arc::clone(two.next()?), two.next()?.first()))
    }
}

impl Log {
    /// Whether [`prepare_ahead`](Log::prepare_ahead) would be of use, as far as
    /// is told quickly: for who has just synced.
    pub fn wants_ahead(&self) -> bool {
        let (head, allocated, limit) = {
            let tail = self.tail.lock();
            (tail.head, tail.segment.start() + tail.segment.allocated(), tail.segment.limit())
        };
        let refused = self.ahead_refused.load(Ordering::Relaxed);
        if refused > 0 && head < refused + AHEAD_BYTES / 2 {
            return false;
        }
        let wanted = head + AHEAD_BYTES / 2;
        // While somebody has the spare files, he may be about to add one.
        let no_spare = || self.spares.try_lock().is_some_and(|spares| spares.names.is_empty());
        allocated < wanted.min(limit) || (wanted > limit && no_spare())
    }

    /// Has space zeroed and on stable storage ahead of the head, and a file for
    /// the next segment, so that a durable append changes nothing but its own
    /// blocks: for a thread that is woken when [`wants_ahead`](Log::wants_ahead)
    /// says so.
    ///
    /// It does nothing while nobody syncs: a load that is not synced writes its
    /// own zeros without waiting for the disk.
    pub fn prepare_ahead(&self) -> Result<()> {
        let durable = self.durable();
        if self.prepared.swap(durable, Ordering::AcqRel) == durable {
            return Ok(());
        }
        // On a full disk it is not tried at every sync.
        self.try_prepare_ahead()
            .inspect_err(|_| self.ahead_refused.store(self.head(), Ordering::Relaxed))
    }

    fn try_prepare_ahead(&self) -> Result<()> {
        self.alive()?;
        let (segment, head) = {
            let tail = self.tail.lock();
            (Arc::clone(&tail.segment), tail.head - tail.segment.start())
        };
        let limit = segment.limit() - segment.start();
        let wanted = (head + AHEAD_BYTES).min(limit);
        if segment.allocated() < wanted
            && let Some(own) = self.grow_ahead(&segment, limit)?
        {
            // Without a lock: who appends goes on meanwhile, and may hold what
            // poisoning needs.
            own.sync().inspect_err(|_| self.poison())?;
        }
        if head + AHEAD_BYTES > limit {
            self.prepare_spare()?;
        }
        Ok(())
    }

    /// Grows a segment's file, but not beyond `limit`; answers the file, to be
    /// synced, unless it is another segment's by now.
    ///
    /// The file has a handle of its own: the system tells each handle once of
    /// an error, and `sync` must not miss the one that is meant for it.
    fn grow_ahead(&self, segment: &Segment, limit: u64) -> Result<Option<Arc<dyn DiskFile>>> {
        let _growing = segment.growing.lock();
        if !self.segments.lock().contains_key(&segment.header.number) {
            return Ok(None);
        }
        let own = self.disk.open(&segment.name())?;
        let from = segment.allocated();
        let to = (from + AHEAD_BYTES).min(limit);
        segment.file.allocate(from, to).inspect_err(|_| cut(segment))?;
        // Not populated: that makes pages dirty, for the next sync to write.
        segment.set_allocated(to);
        Ok(Some(own))
    }

    /// Has a file for the next segment.
    fn prepare_spare(&self) -> Result<()> {
        let name = {
            let mut spares = self.spares.lock();
            if !spares.names.is_empty() || !spares.busy.is_empty() {
                return Ok(());
            }
            spares.begin()
        };
        let Some(name) = name else { return Ok(()) };
        let prepared = self.make_spare(&name);
        self.spares.lock().done(name, prepared.is_ok());
        prepared
    }

    fn make_spare(&self, name: &str) -> Result<()> {
        let file = match self.disk.create(name) {
            // A segment's file that got the name, and then something failed.
            Err(error) if error.kind() == ErrorKind::Exists => {
                self.remove_durably(name)?;
                self.disk.create(name)?
            }
            other => other?,
        };
        let prepared =
            file.allocate(0, AHEAD_BYTES.min(self.segment_bytes())).and_then(|()| file.sync());
        prepared.and_then(|()| self.disk.sync_dir()).inspect_err(|_| {
            // Nothing of the log is in it.
            let _ = self.disk.remove(name);
        })
    }
}
