//! One request, from its acceptance until its answer is handed over.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, Response};
use http_body::Body as _;
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;

use super::access::Asked;
use super::places::Place;
use super::room::Share;
use super::router::{Accepted, Answer, Times, translate};

/// What a client takes in a second, at least, of an answer whose room others
/// need. One that takes a byte now and then would keep the room for ever.
const TAKEN_PER_SECOND_MIN: u64 = 16 << 10;

/// One request that is being answered. It ends when the answer is handed to the
/// connection, or when the client is gone.
pub(super) struct Call {
    stage: Stage,
    times: Times,
    clock: Option<Clock>,
    /// Room for what of the answer is not sent yet.
    share: Share,
    /// Whether the answer is given whether there is room or not.
    owed: bool,
    stall: Option<Stall>,
    asked: Option<Box<Asked>>,
    _places: (Place, Option<Place>),
}

enum Stage {
    /// The answer has not begun.
    Answering { answer: Answer, respond: SendResponse<Bytes> },
    /// The answer's messages are on their way.
    Sending(Sending),
}

struct Sending {
    body: Body,
    stream: SendStream<Bytes>,
    /// What the client has no room for yet.
    rest: Bytes,
    /// How many bytes it took.
    taken: u64,
}

/// A client that is slow to take an answer.
struct Stall {
    /// What it had taken when this began.
    taken: u64,
    sleep: Pin<Box<Sleep>>,
}

/// Runs from when a request first had to wait: most never do, and need none.
struct Clock {
    began: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Call {
    /// Begins to answer; what is not answered at once becomes a task of its own.
    pub(super) fn begin(accepted: Accepted, respond: SendResponse<Bytes>) {
        let Accepted { answer, asked, times, place, own_place, share, owed } = accepted;
        let stage = Stage::Answering { answer, respond };
        let mut call = Call {
            stage,
            times,
            clock: None,
            share,
            owed,
            stall: None,
            asked,
            _places: (place, own_place),
        };
        // Nobody need be woken: whatever has to wait is polled again as a task.
        let mut context = Context::from_waker(Waker::noop());
        if Pin::new(&mut call).poll(&mut context).is_pending() {
            tokio::spawn(call);
        }
    }

    /// Whether the request has had its time.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let Some(limit) = [self.times.client, self.times.server].into_iter().flatten().min()
            else {
                return false;
            };
            let clock = self.clock.get_or_insert_with(|| {
                let began = Instant::now();
                Clock { began, sleep: Box::pin(tokio::time::sleep_until(began + limit)) }
            });
            if clock.sleep.as_mut().poll(context).is_pending() {
                return false;
            }
            let by_client = self.times.client.is_some_and(|client| client <= limit);
            let arrived = self.times.arrived.as_ref().is_some_and(|arrived| arrived.is_whole());
            if by_client || !arrived {
                return true;
            }
            // It has arrived, and may wait as long as it says.
            self.times.server = None;
            if let Some(client) = self.times.client {
                clock.sleep.as_mut().reset(clock.began + client);
            }
        }
    }
}

impl Call {
    /// Whether the client took too little in its time of an answer whose room
    /// others need: `taken` is what it took so far.
    fn is_in_the_way(&mut self, taken: u64, context: &mut Context<'_>) -> bool {
        let patience = self.times.taking;
        let stall = self
            .stall
            .get_or_insert_with(|| Stall { taken, sleep: Box::pin(tokio::time::sleep(patience)) });
        while stall.sleep.as_mut().poll(context).is_ready() {
            let least = patience.as_secs().saturating_mul(TAKEN_PER_SECOND_MIN);
            if taken - stall.taken < least && self.share.is_scarce() {
                return true;
            }
            stall.taken = taken;
            stall.sleep.as_mut().reset(Instant::now() + patience);
        }
        false
    }
}

impl Future for Call {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            match &mut this.stage {
                Stage::Answering { answer, respond } => {
                    let Poll::Ready(Ok(response)) = answer.as_mut().poll(context) else {
                        if respond.poll_reset(context).is_ready() {
                            return Poll::Ready(());
                        }
                        if !this.is_overdue(context) {
                            return Poll::Pending;
                        }
                        this.stage.give_up();
                        return Poll::Ready(());
                    };
                    match begin_sending(response, respond, this.asked.as_deref()) {
                        Some(sending) => this.stage = Stage::Sending(sending),
                        None => return Poll::Ready(()),
                    }
                }
                Stage::Sending(sending) => {
                    if sending
                        .poll(context, &mut this.share, this.owed, this.asked.as_deref())
                        .is_ready()
                    {
                        return Poll::Ready(());
                    }
                    let (taken, waits) = (sending.taken, !sending.rest.is_empty());
                    if !waits || !this.share.is_any() {
                        this.stall = None;
                    } else if this.is_in_the_way(taken, context) {
                        this.stage.give_up();
                        return Poll::Ready(());
                    }
                    if !this.is_overdue(context) {
                        return Poll::Pending;
                    }
                    this.stage.give_up();
                    return Poll::Ready(());
                }
            }
        }
    }
}

impl Stage {
    /// Tells the client that its time is over.
    fn give_up(&mut self) {
        let status = Status::deadline_exceeded("the request was not answered in its time");
        match self {
            Stage::Answering { respond, .. } => {
                // An error is a client that is gone.
                let _ = respond.send_response(status.into_http(), true);
            }
            Stage::Sending(sending) if sending.rest.is_empty() => {
                sending.end(&status);
            }
            // It does not read: trailers would wait behind what it does not take.
            Stage::Sending(sending) => sending.stream.send_reset(Reason::CANCEL),
        }
    }
}

/// Sends the head; `None` if that is all, or if the client is gone.
fn begin_sending(
    response: Response<Body>,
    respond: &mut SendResponse<Bytes>,
    asked: Option<&Asked>,
) -> Option<Sending> {
    let (mut head, body) = response.into_parts();
    if let Some(asked) = asked {
        asked.answered(&head.headers);
    }
    translate(&mut head.headers);
    let ends = body.is_end_stream();
    let stream = respond.send_response(Response::from_parts(head, ()), ends).ok()?;
    (!ends).then_some(Sending { body, stream, rest: Bytes::new(), taken: 0 })
}

impl Sending {
    /// Hands over what the client has room for; ready when all is, or when the
    /// client is gone. What waits for the client has room here; what is `owed`
    /// tells of an update that was made, and to refuse it would be to lose it.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        share: &mut Share,
        owed: bool,
        asked: Option<&Asked>,
    ) -> Poll<()> {
        loop {
            while !self.rest.is_empty() {
                if !ready!(self.send_some(context)) {
                    return Poll::Ready(());
                }
            }
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending if self.stream.poll_reset(context).is_ready() => {
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            };
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                Some(Ok(Ok(data))) if owed => {
                    share.hold_anyway(data.len());
                    self.rest = data;
                }
                Some(Ok(Ok(data))) if share.hold(data.len()) => self.rest = data,
                Some(Ok(Ok(_))) => {
                    let status = Status::resource_exhausted(
                        "too much waits to be sent at once: try again later",
                    );
                    self.end(&status);
                    return Poll::Ready(());
                }
                Some(Ok(Err(frame))) => {
                    let mut trailers = frame.into_trailers().unwrap_or_default();
                    translate(&mut trailers);
                    if let Some(asked) = asked {
                        asked.answered(&trailers);
                    }
                    let _ = self.stream.send_trailers(trailers);
                    return Poll::Ready(());
                }
                Some(Err(status)) => {
                    tracing::debug!(%status, "an answer broke off");
                    self.stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Ends what was begun with this status. An error is a client that is gone.
    fn end(&mut self, status: &Status) {
        let mut trailers = HeaderMap::new();
        let _ = status.add_header(&mut trailers);
        let _ = self.stream.send_trailers(trailers);
    }

    /// Sends some of the rest; false if the client is gone.
    fn send_some(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.stream.capacity() == 0 {
            self.stream.reserve_capacity(self.rest.len());
        }
        while self.stream.capacity() == 0 {
            match self.stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending if self.stream.poll_reset(context).is_ready() => {
                    return Poll::Ready(false);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        let length = self.stream.capacity().min(self.rest.len());
        let some = self.rest.split_to(length);
        self.taken += length as u64;
        Poll::Ready(self.stream.send_data(some, false).is_ok())
    }
}
