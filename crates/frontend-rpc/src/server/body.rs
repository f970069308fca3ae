//! The body of a request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tonic::Status;

use super::room::{Framing, Room, Share};
use crate::service::Stopping;

/// The body of a request, as it arrives. What is not read is not received:
/// the client's window stays closed.
pub(super) struct RequestBody {
    stream: RecvStream,
    /// Told when everything has arrived.
    arrived: Option<Arc<Arrival>>,
    /// Room for what has arrived and is not read yet.
    share: Share,
    framing: Framing,
    /// Bytes of messages that were whole, if they are kept.
    kept: Option<usize>,
    /// Ends the body early.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ended: bool,
}

/// What is known of a body that is told of.
#[derive(Default)]
pub(super) struct Arrival {
    whole: AtomicBool,
    /// Its room, after it was read: the request goes on.
    share: Mutex<Option<Share>>,
}

impl Arrival {
    /// Whether everything has arrived.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }
}

impl RequestBody {
    pub(super) fn new(stream: RecvStream, room: &Room) -> Self {
        let (share, framing) = (room.share(), Framing::default());
        RequestBody { stream, arrived: None, share, framing, kept: None, end: None, ended: false }
    }

    /// Tells when everything has arrived, and keeps its room for as long as
    /// somebody is told.
    pub(super) fn telling(mut self) -> (Self, Arc<Arrival>) {
        let arrived = Arc::new(Arrival::default());
        self.arrived = Some(Arc::clone(&arrived));
        self.kept = Some(0);
        (self, arrived)
    }

    /// Whether there is room for this, too.
    fn has_room(&mut self, data: &[u8]) -> bool {
        let partial = self.framing.follow(data);
        let bytes = match &mut self.kept {
            Some(kept) => {
                *kept = kept.saturating_add(data.len());
                *kept
            }
            None => partial,
        };
        self.share.hold(bytes)
    }

    /// Ends when the server stops, whatever the client would still say.
    pub(super) fn until(mut self, stopping: &Stopping) -> Self {
        let stopping = stopping.clone();
        self.end = Some(Box::pin(async move { stopping.said().await }));
        self
    }

    fn end(&mut self) {
        self.ended = true;
        if let Some(arrived) = &self.arrived {
            arrived.whole.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(arrived) = &self.arrived {
            let nothing = self.share.none();
            *arrived.share.lock() = Some(std::mem::replace(&mut self.share, nothing));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(end) = &mut this.end
            && end.as_mut().poll(context).is_ready()
        {
            this.end();
            return Poll::Ready(None);
        }
        match ready!(this.stream.poll_data(context)) {
            Some(Ok(data)) => {
                if !this.has_room(&data) {
                    return Poll::Ready(Some(Err(Status::resource_exhausted(
                        "too much arrives at once: try again later",
                    ))));
                }
                // What is read from here is kept below the limit of a message, so
                // that the client may send as much again.
                let released = this.stream.flow_control().release_capacity(data.len());
                Poll::Ready(Some(match released {
                    Ok(()) => Ok(Frame::data(data)),
                    Err(e) => Err(broken(&e)),
                }))
            }
            Some(Err(e)) => Poll::Ready(Some(Err(broken(&e)))),
            None => {
                let trailers = ready!(this.stream.poll_trailers(context));
                this.end();
                Poll::Ready(match trailers {
                    Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
                    Err(e) => Some(Err(broken(&e))),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Nobody is told: the stream that would carry it is gone.
fn broken(e: &h2::Error) -> Status {
    Status::cancelled(format!("the request broke off: {e}"))
}
