//! When requests begin.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::clock::{Clock, SystemClock};

/// When is what, in nanoseconds of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// When load begins.
    pub(super) start: u64,
    /// Where the warm-up ends.
    pub(super) measured: u64,
    /// After which nothing begins.
    pub(super) end: u64,
}

impl Window {
    /// Whether something that happened then counts.
    pub(super) fn has(&self, at: u64) -> bool {
        (self.measured..self.end).contains(&at)
    }
}

/// The arrivals of one connection in an open loop; in a closed loop there are
/// none, and a request begins when the one before it has ended.
pub(super) struct Schedule {
    window: Window,
    arrivals: Option<Arrivals>,
}

struct Arrivals {
    /// Of all connections, in a second.
    rate: f64,
    connections: usize,
    connection: usize,
    /// How many of this connection were taken.
    taken: Cell<u64>,
}

/// When a lane's next request begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// At once.
    Now,
    /// It arrives then, which may be over already.
    At(u64),
    /// There is none.
    Never,
}

impl Schedule {
    /// Of one of so many connections.
    pub(super) fn new(
        window: Window,
        rate: Option<f64>,
        connection: usize,
        connections: usize,
    ) -> Self {
        let arrivals =
            rate.map(|rate| Arrivals { rate, connections, connection, taken: Cell::new(0) });
        Schedule { window, arrivals }
    }

    /// Takes the next arrival.
    pub(super) fn next(&self, now: u64) -> Next {
        if now >= self.window.end {
            return Next::Never;
        }
        let Some(arrivals) = &self.arrivals else { return Next::Now };
        let at = self.at(arrivals, arrivals.taken.get());
        if at >= self.window.end {
            return Next::Never;
        }
        arrivals.taken.set(arrivals.taken.get() + 1);
        Next::At(at)
    }

    /// Those that arrived in the measured time and nobody took.
    pub(super) fn untaken(&self) -> impl Iterator<Item = u64> + '_ {
        let arrivals = self.arrivals.as_ref().into_iter();
        arrivals
            .flat_map(|a| (a.taken.get()..).map(|number| self.at(a, number)))
            .take_while(|at| *at < self.window.end)
            .filter(|at| self.window.has(*at))
    }

    /// Connections take turns, so that arrivals are evenly spread.
    fn at(&self, arrivals: &Arrivals, number: u64) -> u64 {
        let number = number as f64 * arrivals.connections as f64 + arrivals.connection as f64;
        self.window.start + (number / arrivals.rate * 1e9) as u64
    }
}

/// Time as lanes see it, handed in so that tests can make it.
pub(super) trait Pace {
    /// Nanoseconds since some moment.
    fn now(&self) -> u64;
    /// Ready at `at` or later.
    async fn until(&self, at: u64);
}

/// Wakes the lanes of one thread to the microsecond, which the runtime's own
/// timers, of milliseconds, do not. It sleeps and does not spin.
pub(super) struct Timer {
    clock: Arc<SystemClock>,
    fd: AsyncFd<OwnedFd>,
    /// Who waits, by when; the second number tells apart who waits alike.
    waiting: RefCell<BTreeMap<(u64, u64), Waker>>,
    tickets: Cell<u64>,
}

impl Timer {
    pub(super) fn new(clock: Arc<SystemClock>) -> io::Result<Rc<Self>> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(deprecated, reason = "what replaces it is unsafe; an OwnedFd stays what it is")]
        let fd = AsyncFd::new(fd)?;
        Ok(Rc::new(Timer { clock, fd, waiting: RefCell::default(), tickets: Cell::new(0) }))
    }

    /// Wakes whose time has come, for ever.
    pub(super) async fn run(&self) -> io::Result<()> {
        loop {
            let mut ready = self.fd.readable().await?;
            // How often it expired does not matter.
            let _ = rustix::io::read(self.fd.get_ref(), &mut [0u8; 8]);
            ready.clear_ready();
            let now = self.clock.now();
            let mut waiting = self.waiting.borrow_mut();
            while let Some(first) = waiting.first_entry() {
                if first.key().0 > now {
                    break;
                }
                first.remove().wake();
            }
            if let Some(first) = waiting.first_entry() {
                self.arm(first.key().0 - now)?;
            }
        }
    }

    fn arm(&self, nanos: u64) -> io::Result<()> {
        let nanos = nanos.max(1);
        let it_value = Timespec {
            tv_sec: (nanos / 1_000_000_000) as i64,
            tv_nsec: (nanos % 1_000_000_000) as i64,
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval, it_value };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

impl Pace for Rc<Timer> {
    fn now(&self) -> u64 {
        self.clock.now()
    }

    async fn until(&self, at: u64) {
        let mut ticket = None;
        std::future::poll_fn(|cx| {
            let now = self.clock.now();
            let mut waiting = self.waiting.borrow_mut();
            if let Some(ticket) = ticket {
                waiting.remove(&(at, ticket));
            }
            if now >= at {
                return Poll::Ready(());
            }
            let own = self.tickets.replace(self.tickets.get() + 1);
            ticket = Some(own);
            let first = waiting.first_key_value().map_or(u64::MAX, |(key, _)| key.0);
            waiting.insert((at, own), cx.waker().clone());
            // It cannot fail with a time that is one; and if it did, the lane
            // would only be late.
            if at < first {
                let _ = self.arm(at - now);
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests;
