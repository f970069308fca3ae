//! Lanes: each sends one request after the other. A connection has as many as
//! requests may be under way on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;

use super::call::unary;
use super::case::Mode;
use super::connection::Connection;
use super::pace::{Next, Pace, Schedule, Window};
use super::requests::{self, METHODS, Requests};
use super::stream::{Slot, Stream};
use super::tally::Tally;
use super::trouble::Trouble;
use crate::latency::Op;

#[cfg(test)]
mod tests;

/// What lanes send requests over.
pub(super) trait Link {
    /// Sends one, and waits for its answer.
    async fn call(&self, slot: &Rc<Slot>, method: usize, message: Bytes) -> Result<Bytes, Trouble>;
}

/// A connection in the mode of the case.
pub(super) enum Wire {
    Unary { send: SendRequest<Bytes>, heads: Box<[Request<()>; METHODS.len()]> },
    Stream(Stream),
}

impl Wire {
    pub(super) async fn over(connection: &Connection, mode: Mode) -> Result<Self, Trouble> {
        Ok(match mode {
            Mode::Unary => Wire::Unary {
                send: connection.sender(),
                heads: Box::new(METHODS.map(|method| connection.head(method))),
            },
            Mode::Stream => Wire::Stream(Stream::open(connection).await?),
        })
    }
}

impl Link for Wire {
    async fn call(&self, slot: &Rc<Slot>, method: usize, message: Bytes) -> Result<Bytes, Trouble> {
        match self {
            Wire::Unary { send, heads } => unary(send, &heads[method], message).await,
            Wire::Stream(stream) => stream.call(slot, message).await,
        }
    }
}

/// What the lanes of a connection share.
pub(super) struct Shared<L, P> {
    pub(super) link: L,
    pub(super) pace: P,
    pub(super) schedule: Schedule,
    pub(super) window: Window,
    pub(super) tally: RefCell<Tally>,
    /// Nothing more can be asked of the connection.
    pub(super) lost: Cell<bool>,
}

/// What is under way on a lane: its kind, and when it should have begun.
pub(super) type UnderWay = Rc<Cell<Option<(Op, u64)>>>;

/// Sends requests until there are no more, or the connection is lost.
pub(super) async fn run<L: Link, P: Pace>(
    shared: &Shared<L, P>,
    requests: &Requests,
    mut lane: requests::Lane,
    under_way: UnderWay,
) {
    let slot = Rc::new(Slot::default());
    while !shared.lost.get() {
        let made = requests.next(&mut lane);
        let intended = match shared.schedule.next(shared.pace.now()) {
            Next::Never => break,
            Next::Now => shared.pace.now(),
            Next::At(at) => {
                under_way.set(Some((made.op, at)));
                shared.pace.until(at).await;
                at
            }
        };
        under_way.set(Some((made.op, intended)));
        let answer = shared.link.call(&slot, made.method, made.message).await;
        let ended = shared.pace.now();
        under_way.set(None);
        let judged =
            answer.and_then(|answer| requests.check(made.expected, made.method, &mut lane, answer));
        let mut tally = shared.tally.borrow_mut();
        match judged {
            Ok(()) => tally.answered(shared.window, made.op, intended, ended),
            Err(trouble) => {
                tally.failed(&trouble);
                if trouble.lost && !shared.lost.replace(true) {
                    tally.lost += 1;
                }
            }
        }
    }
}

/// Counts what never ended, and what arrived and never began, at `now`.
pub(super) fn settle<L, P>(shared: &Shared<L, P>, lanes: &[UnderWay], now: u64) {
    let mut tally = shared.tally.borrow_mut();
    for (op, intended) in lanes.iter().filter_map(|lane| lane.get()) {
        tally.failed(&Trouble::of("unanswered", "no answer came until long after the end"));
        if shared.window.has(intended) {
            tally.recorder.record(op, now.saturating_sub(intended));
        }
    }
    let op = tally.recorder.first_op();
    for arrived in shared.schedule.untaken() {
        tally.recorder.record(op, now.saturating_sub(arrived));
        tally.unstarted += 1;
    }
}
