//! The rpc `Stream` of one connection: many requests, answered in their order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;

use super::call::{Messages, accepted, data, ended};
use super::connection::Connection;
use super::trouble::Trouble;

/// Where an answer is put for who waits for it.
#[derive(Default)]
pub(super) struct Slot {
    answer: RefCell<Option<Result<Bytes, Trouble>>>,
    waker: Cell<Option<Waker>>,
}

impl Slot {
    fn fill(&self, answer: Result<Bytes, Trouble>) {
        *self.answer.borrow_mut() = Some(answer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for the answer.
    async fn taken(&self) -> Result<Bytes, Trouble> {
        std::future::poll_fn(|cx| match self.answer.borrow_mut().take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// A stream that is open.
pub(super) struct Stream {
    shared: Rc<Shared>,
}

struct Shared {
    send: RefCell<SendStream<Bytes>>,
    /// Who waits, in the order of the answers: at most one for each lane.
    waiting: RefCell<VecDeque<Rc<Slot>>>,
    ended: RefCell<Option<Trouble>>,
}

impl Stream {
    /// Opens one. Its answers are handed out by a task of its own.
    pub(super) async fn open(connection: &Connection) -> Result<Self, Trouble> {
        let mut send = connection.sender().ready().await?;
        let (response, send) = send.send_request(connection.head("Stream"), false)?;
        let shared = Rc::new(Shared {
            send: RefCell::new(send),
            waiting: RefCell::default(),
            ended: RefCell::default(),
        });
        tokio::task::spawn_local(receive(response, Rc::clone(&shared)));
        Ok(Stream { shared })
    }

    /// Sends a request, as it is framed already, and waits for its answer.
    pub(super) async fn call(&self, slot: &Rc<Slot>, message: Bytes) -> Result<Bytes, Trouble> {
        if let Some(trouble) = &*self.shared.ended.borrow() {
            return Err(trouble.clone());
        }
        self.shared.send.borrow_mut().send_data(message, false)?;
        self.shared.waiting.borrow_mut().push_back(Rc::clone(slot));
        slot.taken().await
    }
}

/// Hands out answers until the stream ends; who still waits then gets the
/// reason.
async fn receive(response: ResponseFuture, shared: Rc<Shared>) {
    let end = match hand_out(response, &shared).await {
        Ok(()) => Trouble::lost("the server ended the stream"),
        Err(trouble) => Trouble { lost: true, ..trouble },
    };
    *shared.ended.borrow_mut() = Some(end.clone());
    let waiting = std::mem::take(&mut *shared.waiting.borrow_mut());
    waiting.iter().for_each(|slot| slot.fill(Err(end.clone())));
}

async fn hand_out(response: ResponseFuture, shared: &Shared) -> Result<(), Trouble> {
    let response = response.await?;
    accepted(response.status(), response.headers())?;
    let mut body = response.into_body();
    let mut messages = Messages::default();
    while let Some(bytes) = data(&mut body).await? {
        messages.add(bytes);
        while let Some(message) = messages.next()? {
            let first = shared.waiting.borrow_mut().pop_front();
            let Some(slot) = first else {
                return Err(Trouble::garbage("there is an answer to no request"));
            };
            slot.fill(Ok(message));
        }
    }
    ended(body.trailers().await?.as_ref())
}
