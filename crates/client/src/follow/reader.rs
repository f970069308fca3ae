//! Reading updates of a Hozo server.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use hozo_proto::hozo_v1::follow_request::Request;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_proto::hozo_v1::{Acknowledge, FollowRequest, FollowResponse};
use hozo_traits::{FeedPart, FeedReader, Position, Result, Timestamp, Update};

use super::acknowledging::Newest;
use super::heard::{Heard, SILENCE_MAX};
use super::native::Known;
use super::{weigh, wire};

/// An open feed of updates.
pub(super) struct Updates {
    stream: Heard,
    known: Arc<Known>,
    /// Where acknowledgements are put, if the reader said that it sends some.
    acknowledges: Option<Arc<Newest<FollowRequest>>>,
    /// Where the feed is after what was answered. Since a moment, it lacks what
    /// the server has not told yet.
    position: Position,
    /// How far the updates of each server came.
    came: Position,
    rest: Rest,
}

/// What came and was not answered yet.
#[derive(Default)]
struct Rest {
    updates: VecDeque<Update>,
    position: Position,
    head: Position,
    newest: Timestamp,
}

impl Updates {
    pub(super) fn new(
        stream: Heard,
        known: Arc<Known>,
        position: Position,
        acknowledges: Option<Arc<Newest<FollowRequest>>>,
    ) -> Updates {
        let (came, rest) = (Position::default(), Rest::default());
        Updates { stream, known, acknowledges, position, came, rest }
    }

    /// Takes a part that came, which has to go on where the last one ended.
    fn take(&mut self, response: FollowResponse) -> Result<()> {
        let Some(Response::Part(part)) = response.response else {
            return Err(wire::wrong("the server sent something else than updates"));
        };
        let part = wire::part(part)?;
        for update in &part.updates {
            if update.reach.seq <= self.came.of(update.origin).seq {
                let error = wire::wrong("the server sent updates that are not in their order");
                return Err(error.with("of", update.origin).with("number", update.reach.seq));
            }
            self.came.set(update.origin, update.reach);
        }
        if !part.position.covers(&self.came) {
            let error = wire::wrong("the server says that it is before what it has sent");
            return Err(error.with("position", part.position).with("sent", &self.came));
        }
        self.known.part(&part);
        let FeedPart { updates, position, head, newest } = part;
        self.rest = Rest { updates: updates.into(), position, head, newest };
        Ok(())
    }

    /// As much of what came as may be answered at once.
    fn cut(&mut self, bytes_max: usize) -> FeedPart {
        let (mut updates, mut bytes) = (Vec::new(), 0usize);
        while let Some(update) = self.rest.updates.front() {
            bytes = bytes.saturating_add(wire::bytes_of(update));
            if bytes > bytes_max && !updates.is_empty() {
                break;
            }
            if update.reach.seq > self.position.of(update.origin).seq {
                self.position.set(update.origin, update.reach);
            }
            updates.extend(self.rest.updates.pop_front());
        }
        if self.rest.updates.is_empty() {
            self.position = std::mem::take(&mut self.rest.position);
        }
        let (head, newest) = (self.rest.head.clone(), self.rest.newest);
        FeedPart { updates, position: self.position.clone(), head, newest }
    }
}

#[async_trait]
impl FeedReader for Updates {
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        if self.rest.updates.is_empty() {
            let response = self.stream.next(weigh::check, SILENCE_MAX).await?;
            self.take(response).map_err(|error| self.stream.ends(error))?;
        }
        Ok(self.cut(bytes_max))
    }

    fn acknowledge(&mut self, position: &Position, epoch: u64) -> Result<()> {
        self.stream.check()?;
        if let Some(newest) = &self.acknowledges {
            let position = Some(wire::position_sent(position));
            let request = Request::Acknowledge(Acknowledge { position, epoch });
            newest.put(FollowRequest { request: Some(request) });
        }
        Ok(())
    }
}
