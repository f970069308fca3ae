//! What the process is told from outside.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level;

use crate::exit;
use crate::failure::Done;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    Stop,
    Reload,
}

impl Signal {
    /// Whoever quits with the keyboard, as tkrzw_server may be, is to lose nothing
    /// either: SIGQUIT dumps no core.
    const CAUGHT: [i32; 4] = [SIGHUP, SIGINT, SIGTERM, SIGQUIT];

    fn of(number: i32) -> Signal {
        if number == SIGHUP { Signal::Reload } else { Signal::Stop }
    }
}

/// The signals that came and were not looked at.
pub(super) struct Signals(Arc<Waiting>);

impl Signals {
    /// Catches signals from now on. Who is told to stop twice stops at once,
    /// whatever it is doing.
    pub(super) fn catch() -> Done<Self> {
        let mut signals = signal_hook::iterator::Signals::new(Signal::CAUGHT)?;
        let waiting = Arc::new(Waiting::default());
        let told = Arc::clone(&waiting);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut stopping = false;
            for signal in signals.forever() {
                let signal = Signal::of(signal);
                if signal == Signal::Stop && stopping {
                    let _ = writeln!(std::io::stderr(), "told to stop twice: stopped at once");
                    // Without running what runs at an ordinary exit: other threads
                    // are in the middle of their work.
                    low_level::exit(exit::FAILED.into());
                }
                stopping |= signal == Signal::Stop;
                told.add(signal);
            }
        })?;
        Ok(Signals(waiting))
    }

    /// The next signal, waiting so long for one.
    pub(super) fn next(&self, within: Duration) -> Option<Signal> {
        self.0.next(within)
    }
}

/// At most one signal of each kind: another one would say nothing new. Adding one
/// never waits, since who waited here would not see a second request to stop.
#[derive(Default)]
struct Waiting {
    pending: Mutex<Pending>,
    more: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Pending {
    stop: bool,
    reload: bool,
}

impl Waiting {
    fn add(&self, signal: Signal) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match signal {
            Signal::Stop => pending.stop = true,
            Signal::Reload => pending.reload = true,
        }
        self.more.notify_one();
    }

    /// A request to stop goes before others.
    fn next(&self, within: Duration) -> Option<Signal> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |pending: &mut Pending| !pending.stop && !pending.reload;
        let waited = self.more.wait_timeout_while(pending, within, none);
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let Pending { stop, reload } = *pending;
        if stop {
            pending.stop = false;
            return Some(Signal::Stop);
        }
        pending.reload = false;
        reload.then_some(Signal::Reload)
    }
}

#[cfg(test)]
mod tests;
