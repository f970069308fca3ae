//! Whether a client is there, and whether it wants anything.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

/// How often a client is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection without requests may take to close when it was told to.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches one connection, with one timer.
pub(super) struct Pulse {
    sleep: Pin<Box<Sleep>>,
    every: Duration,
    idle: Duration,
    pings: Option<PingPong>,
    /// When to ask next.
    ask_at: Instant,
    /// By when it is to be answered, if it was asked.
    answer_until: Option<Instant>,
    used: bool,
    quiet_since: Instant,
    closing: bool,
}

/// What the connection should do.
pub(super) enum Beat {
    /// Nothing.
    Wait,
    /// Go on, and write what was asked.
    Again,
    /// Close: nobody wanted anything for long.
    Idle,
    /// Go: the client is not there.
    Gone,
}

impl Pulse {
    pub(super) fn new(idle: Duration, pings: Option<PingPong>) -> Self {
        let every = ASK_EVERY.min(idle);
        Pulse {
            sleep: Box::pin(tokio::time::sleep(every)),
            every,
            idle,
            pings,
            ask_at: Instant::now() + every,
            answer_until: None,
            used: false,
            quiet_since: Instant::now(),
            closing: false,
        }
    }

    /// There was a request.
    pub(super) fn used(&mut self) {
        self.used = true;
    }

    /// The client was told that there will be no more.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.sleep.as_mut().reset(Instant::now() + CLOSE_TIMEOUT);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>, busy: bool) -> Beat {
        if self.answer_until.is_some()
            && let Some(pings) = &mut self.pings
            && pings.poll_pong(context).is_ready()
        {
            self.answer_until = None;
            self.ask_at = Instant::now() + self.every;
            self.sleep_on();
        }
        if self.sleep.as_mut().poll(context).is_pending() {
            return Beat::Wait;
        }
        let now = Instant::now();
        if self.closing && !busy || self.answer_until.is_some_and(|until| now >= until) {
            return Beat::Gone;
        }
        if self.closing || busy || std::mem::take(&mut self.used) {
            self.quiet_since = now;
        } else if now - self.quiet_since >= self.idle {
            self.close();
            return Beat::Idle;
        }
        // Also while it closes: what is under way may go on for any time.
        if self.answer_until.is_none() && now >= self.ask_at {
            let asked = self.pings.as_mut().map(|pings| pings.send_ping(Ping::opaque()));
            match asked {
                Some(Ok(())) => self.answer_until = Some(now + ANSWER_TIMEOUT),
                _ => self.ask_at = now + self.every,
            }
        }
        self.sleep_on();
        Beat::Again
    }

    /// Until there is something to do.
    fn sleep_on(&mut self) {
        let mut next = self.answer_until.unwrap_or(self.ask_at);
        if self.closing {
            next = next.min(Instant::now() + CLOSE_TIMEOUT);
        }
        self.sleep.as_mut().reset(next);
    }
}

#[cfg(test)]
mod tests;
