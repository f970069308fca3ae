//! What the process is told from outside.

use std::io::Write;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level;

use crate::exit;
use crate::failure::Done;

/// Signals that wait to be looked at; more of them would say nothing new.
const WAITING_MAX: usize = 16;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    Stop,
    Reload,
}

/// The signals that came and were not looked at.
pub(super) struct Signals(Receiver<Signal>);

impl Signals {
    /// Catches signals from now on. Who is told to stop twice stops at once,
    /// whatever it is doing.
    pub(super) fn catch() -> Done<Self> {
        let all = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
        let mut signals = signal_hook::iterator::Signals::new(all)?;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut stopping = false;
            for signal in signals.forever() {
                let signal = if signal == SIGHUP { Signal::Reload } else { Signal::Stop };
                if signal == Signal::Stop && stopping {
                    let _ = writeln!(std::io::stderr(), "told to stop twice: stopped at once");
                    // Without running what runs at an ordinary exit: other threads
                    // are in the middle of their work.
                    low_level::exit(exit::FAILED.into());
                }
                if signal == Signal::Stop {
                    stopping = true;
                    // Nobody listens any more where it is stopping by itself.
                    let _ = sender.send(signal);
                } else {
                    let _ = sender.try_send(signal);
                }
            }
        })?;
        Ok(Signals(receiver))
    }

    /// The next signal, waiting so long for one.
    pub(super) fn next(&self, within: Duration) -> Option<Signal> {
        self.0.recv_timeout(within).ok()
    }
}
