//! The thread that cleans, makes checkpoints and has space ready, started when
//! there is first something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hozo_traits::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};

use super::{Index, Inner, Volume};

/// How long the keeper waits before it tries again what failed, as on a full
/// disk, if nobody wakes it.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a writer waits at once for space to come back: so many writes
/// become a little slower, and few are stopped.
const MOMENT: Duration = Duration::from_millis(1);

#[derive(Default)]
pub(super) struct Keeper {
    state: Mutex<State>,
    work: Condvar,
    /// Something has come back, or nothing will for now.
    progress: Condvar,
    /// What was tried last failed.
    failing: AtomicBool,
    /// Somebody found no space.
    pressed: AtomicBool,
    closing: AtomicBool,
}

#[derive(Default)]
struct State {
    thread: Option<JoinHandle<()>>,
    wanted: bool,
    /// The thread has work.
    busy: bool,
}

impl Keeper {
    /// An error when the volume is being closed.
    pub(super) fn refuse_if_closing(&self) -> Result<()> {
        if self.closing.load(Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "the store is being closed"));
        }
        Ok(())
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Relaxed)
    }

    /// Waits so many moments at most for the thread to give enough back, if it
    /// can.
    pub(super) fn wait_moments(&self, most: u32, is_enough: impl Fn() -> bool) {
        let mut state = self.state.lock();
        for _ in 0..most {
            if state.thread.is_none() || self.failing.load(Relaxed) || is_enough() {
                break;
            }
            self.progress.wait_for(&mut state, MOMENT);
        }
    }

    pub(super) fn has_progressed(&self) {
        let _state = self.state.lock();
        self.progress.notify_all();
    }
}

impl<I: Index> Volume<I> {
    /// To be told, without locks, by who wrote `bytes` to the log or made so
    /// many of them garbage; many small ones may be told as one. Keeps the log
    /// in proportion, which may take as long as cleaning twice as much does.
    pub(crate) fn tend(&self, bytes: u64) {
        let inner = &self.inner;
        if inner.checkpoint_is_due() || inner.should_clean() || inner.much_waits() {
            self.wake_keeper();
        }
        inner.help(bytes);
    }

    /// Makes everything durable that was appended before the call. Where that
    /// goes on, the keeper has space ready ahead of it.
    pub(crate) fn sync(&self) -> Result<()> {
        self.inner.core.refuse_in_child()?;
        let log = &self.inner.core.log;
        let before = log.durable();
        if log.sync()? == before {
            return Ok(());
        }
        log.say_durable();
        if log.wants_ahead() {
            self.wake_keeper();
        }
        Ok(())
    }

    /// After somebody found the disk full, without locks: if there is anything
    /// to clean away, it is, earlier than otherwise.
    pub(crate) fn tend_full_disk(&self) {
        self.inner.keeper.pressed.store(true, Relaxed);
        if self.inner.should_clean() {
            self.wake_keeper();
        } else {
            self.inner.keeper.pressed.store(false, Relaxed);
        }
    }

    fn wake_keeper(&self) {
        let keeper = &self.inner.keeper;
        let mut state = keeper.state.lock();
        if state.thread.is_none() && !keeper.closing.load(Relaxed) {
            let inner = Arc::clone(&self.inner);
            let thread = thread::Builder::new().name("hozo-hashdbm".into());
            // Without a thread the next one tries; writers help meanwhile.
            state.thread = thread.spawn(move || inner.keep()).ok();
        }
        if !state.wanted {
            state.wanted = true;
            keeper.work.notify_one();
        }
    }

    /// Returns when the keeper has nothing left to do, or cannot.
    #[cfg(test)]
    pub(crate) fn settle(&self) {
        while self.inner.should_clean() || self.inner.checkpoint_is_due() {
            if self.inner.tend_once().is_err() {
                break;
            }
        }
        // The thread may be about to, or go on for a while.
        let _ = self.inner.let_segments_go(0);
        let keeper = &self.inner.keeper;
        let mut state = keeper.state.lock();
        while state.wanted || state.busy {
            keeper.progress.wait(&mut state);
        }
    }
}

/// If the thread panics, it may have left something half done: nothing is read
/// or written any more, as after an index that failed.
struct Panics<'a, I>(&'a Inner<I>);

impl<I> Drop for Panics<'_, I> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.core.break_with(Error::new(ErrorKind::Internal, "the cleaner panicked"));
        }
    }
}

impl<I: Index> Inner<I> {
    /// The thread.
    fn keep(&self) {
        let _panics = Panics(self);
        let mut again = false;
        let mut said = None;
        loop {
            let mut state = self.keeper.state.lock();
            while !state.wanted && !self.keeper.closing.load(Relaxed) {
                if again {
                    if self.keeper.work.wait_for(&mut state, AGAIN).timed_out() {
                        break;
                    }
                } else {
                    self.keeper.work.wait(&mut state);
                }
            }
            if self.keeper.closing.load(Relaxed) {
                return;
            }
            state.wanted = false;
            state.busy = true;
            drop(state);
            let tended = self.tend_once();
            again = tended.is_err();
            self.say(&mut said, tended.err());
            self.keeper.failing.store(again, Relaxed);
            self.keeper.state.lock().busy = false;
            self.keeper.has_progressed();
        }
    }

    /// Logs a failure once, and once that it is over: nobody else may ever meet
    /// it, and the log only grows meanwhile.
    fn say(&self, said: &mut Option<String>, error: Option<Error>) {
        let error = error.map(|error| error.to_string());
        if *said == error {
            return;
        }
        match &error {
            Some(error) => tracing::error!(
                error,
                "cleaning or a checkpoint fails; files grow until it does not, and it is tried \
                 again every second"
            ),
            None => tracing::info!("cleaning and checkpoints go on"),
        }
        *said = error;
    }

    fn tend_once(&self) -> Result<()> {
        let closing = || self.keeper.closing.load(Relaxed);
        if self.core.log.wants_ahead() {
            // Where there is no space, appends find that out for themselves.
            let _ = self.core.log.prepare_ahead();
        }
        while self.should_clean() && !closing() {
            self.clean(closing)?;
        }
        self.keeper.pressed.store(false, Relaxed);
        if self.much_waits() && !closing() {
            self.let_segments_go(0)?;
        }
        if self.checkpoint_is_due() && !closing() {
            self.make_checkpoint()?;
        }
        Ok(())
    }
}

impl<I: Index> Volume<I> {
    /// Nothing that takes long goes on or begins any more: to be called before
    /// the volume is dropped where others may have it, too.
    pub(crate) fn close(&self) {
        let keeper = &self.inner.keeper;
        let _state = keeper.state.lock();
        keeper.closing.store(true, Relaxed);
        keeper.work.notify_all();
    }
}

impl<I: Index> Drop for Volume<I> {
    fn drop(&mut self) {
        if self.inner.core.refuse_in_child().is_err() {
            // The thread is the parent's, and so are the files.
            return;
        }
        self.close();
        let thread = self.inner.keeper.state.lock().thread.take();
        if let Some(thread) = thread {
            // If it panicked, the log has everything all the same.
            let _ = thread.join();
        }
        if self.inner.core.log.head() != self.inner.complete.load(Relaxed) {
            // Without it the next opening replays more. But what nobody waited
            // for may not be on the disk.
            if let Err(error) = self.inner.make_checkpoint() {
                tracing::error!(%error, "the last checkpoint of a volume that is closed failed");
            }
        }
    }
}
