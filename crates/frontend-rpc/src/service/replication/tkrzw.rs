//! The rpcs that Tkrzw has: its servers follow ours by `Replicate`, and are told
//! by `ChangeMaster` whom to follow.

use std::time::Duration;

use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::replicate_response::OpType;
use hozo_proto::tkrzw_rpc::{
    ChangeMasterRequest, ChangeMasterResponse, ReplicateRequest, ReplicateResponse,
};
use hozo_traits::{
    ChangeFeed, Effect, Error, ErrorKind, FeedReader, Position, Reader, ServerId, Start, Timestamp,
    Update, What,
};
use prost::Message;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::feeding::BEAT;
use super::parts::ask_bytes;
use super::{NO_REPLICATION, follow};
use crate::service::access::Access;
use crate::service::answers::{Answers, Out, stopped};
use crate::service::call::Call;
use crate::service::status::{failure, plain, success};
use crate::service::waiting::duration;
use crate::service::{Inner, Service};

/// How soon again it is said that there is nothing new, however little the client
/// would wait.
const IDLE_MIN: Duration = Duration::from_millis(100);

pub(in crate::service) async fn replicate(
    call: Call,
    access: Access,
    request: ReplicateRequest,
) -> Result<Answers<ReplicateResponse>, Status> {
    let service = call.service();
    let Ok(replicator) = service.replicator() else { return Ok(unimplemented(call)) };
    let feed = replicator.feed().map_err(|error| match error.kind() {
        ErrorKind::Unsupported => Status::failed_precondition("disabled update logging"),
        _ => service.refusal(&error),
    })?;
    // Who has no server's id is none.
    let server = u32::try_from(request.server_id).ok().and_then(|id| ServerId::new(id).ok());
    if server == Some(feed.server()) {
        return Err(Status::invalid_argument("self server ID"));
    }
    let since = u64::try_from(request.min_timestamp).unwrap_or(0).saturating_mul(1000);
    let reader = Reader { server, name: "Tkrzw-RPC".into(), ..Reader::default() };
    let opened = feed.open(Start::Since(Timestamp::from_micros(since)), reader);
    let opened = service.options.stopping.or(opened).await?;
    let reader = opened.map_err(|error| service.refusal(&error))?;
    Ok(Answers::new(|out| async move {
        let first = ReplicateResponse {
            op_type: OpType::OpNoop.into(),
            server_id: wire_id(feed.server()),
            ..ReplicateResponse::default()
        };
        out.give(first).await;
        let service = call.service();
        let mut told = Told { service, access: &access, server, out: &out };
        told.all(&*feed, reader, wait(request.wait_time)).await
    }))
}

/// What there is to say without replication. Tkrzw's clients look at the call's
/// status alone.
fn unimplemented(call: Call) -> Answers<ReplicateResponse> {
    Answers::new(|out| async move {
        let _call = call;
        let status = Some(StatusCode::NotImplementedError.with(NO_REPLICATION));
        out.give(ReplicateResponse { status, ..ReplicateResponse::default() }).await;
        Err(Status::unimplemented(NO_REPLICATION))
    })
}

/// For how long there is to be nothing new before that is said; `None` is for ever.
fn wait(seconds: f64) -> Option<Duration> {
    if seconds < 0.0 { None } else { Some(duration(seconds)) }
}

/// Tells one reader of updates, effect by effect.
struct Told<'a> {
    service: &'a Inner,
    access: &'a Access,
    /// Who reads.
    server: Option<ServerId>,
    out: &'a Out<ReplicateResponse>,
}

impl Told<'_> {
    async fn all(
        &mut self,
        feed: &dyn ChangeFeed,
        mut reader: Box<dyn FeedReader>,
        wait: Option<Duration>,
    ) -> Result<(), Status> {
        let after = |wait: Duration| Instant::now() + wait;
        let bytes_max = ask_bytes(self.service.options.message_bytes_max);
        let mut idle = wait.map(after);
        // Where the reader is, once that is known, and where the log was when the
        // reader lacked something of it last.
        let (mut position, mut lacking) = (None, None);
        loop {
            let look = after(BEAT);
            let end = idle.map_or(look, |idle| idle.min(look));
            let next = timeout_at(end, reader.next(bytes_max));
            let next = self.service.options.stopping.or(next).await?;
            self.access.holds()?;
            match next {
                Ok(part) => {
                    let part = part.map_err(|error| self.service.refusal(&error))?;
                    let mut gave = false;
                    for update in part.updates {
                        gave |= self.one(update).await?;
                    }
                    position = Some(part.position);
                    if gave {
                        idle = wait.map(after);
                    } else {
                        // There may be any number of those, and others want their turn.
                        tokio::task::yield_now().await;
                    }
                }
                Err(_) if idle.is_some_and(|idle| idle <= Instant::now()) => {
                    // Before the judgement: what comes in between it does not have.
                    let newest = feed.newest();
                    let again = if self.has_all(feed, position.as_ref(), &mut lacking) {
                        self.nothing_new(newest).await;
                        wait.map(|wait| wait.max(IDLE_MIN))
                    } else {
                        Some(IDLE_MIN)
                    };
                    idle = again.map(after);
                }
                Err(_) => {}
            }
        }
    }

    /// Whether a reader that waits has all: who is told so never asks for what was
    /// before. It may wait although its feed is further, if that went on just now,
    /// or if the rest is nothing that is given: then it waits on.
    fn has_all(
        &self,
        feed: &dyn ChangeFeed,
        position: Option<&Position>,
        lacking: &mut Option<Position>,
    ) -> bool {
        let head = feed.head();
        if position.is_none_or(|position| position.covers(&head)) {
            return true;
        }
        let waits_on = lacking.as_ref() == Some(&head);
        *lacking = Some(head);
        waits_on
    }

    /// Tells of an update; false if there was nothing to tell.
    async fn one(&self, update: Update) -> Result<bool, Status> {
        let (dbm, effects) = match update.what {
            What::Records { dbm, effects, .. } => (dbm, effects),
            What::Nothing | What::Epoch(_) => return Ok(false),
            What::Reset => {
                tracing::warn!(
                    server = %update.origin,
                    "a reader that speaks Tkrzw's protocol goes on over updates that were lost \
                     in a power cut: copy the records to it anew"
                );
                return Ok(false);
            }
        };
        if Some(update.server) == self.server {
            return Ok(false);
        }
        let told = !effects.is_empty();
        for effect in effects {
            let (op_type, key, value) = match effect {
                Effect::Set { key, value } => (OpType::OpSet, key, value),
                Effect::Remove { key } => (OpType::OpRemove, key, Default::default()),
                Effect::Clear => (OpType::OpClear, Default::default(), Default::default()),
            };
            let response = ReplicateResponse {
                status: success(),
                timestamp: wire_time(update.time),
                server_id: wire_id(update.server),
                dbm_index: i32::try_from(dbm).unwrap_or(i32::MAX),
                op_type: op_type.into(),
                key,
                value,
            };
            self.check(&update.reach, &response)?;
            self.access.holds()?;
            if self.service.options.stopping.is_said() {
                return Err(stopped());
            }
            self.out.give(response).await;
        }
        Ok(told)
    }

    fn check(
        &self,
        reach: &hozo_traits::Reach,
        response: &ReplicateResponse,
    ) -> Result<(), Status> {
        let (bytes, most) = (response.encoded_len(), self.service.options.message_bytes_max);
        if bytes <= most {
            return Ok(());
        }
        let what = "a record is larger than a message of this server may be, so nobody can \
                    follow it: set a larger max_message_bytes there";
        let error = Error::new(ErrorKind::TooLarge, what)
            .with("update", reach.seq)
            .with("bytes", bytes)
            .with("max_message_bytes", most);
        Err(self.service.refusal(&error))
    }

    /// Says that there is nothing after this time. A reader that comes again begins
    /// with it, so it is not the clock's: updates that are made already, but are not
    /// yet on stable storage and so not given, are older.
    async fn nothing_new(&self, newest: Timestamp) {
        let response = ReplicateResponse {
            status: plain(StatusCode::InfeasibleError),
            timestamp: wire_time(newest),
            ..ReplicateResponse::default()
        };
        self.out.give(response).await;
    }
}

/// Milliseconds, as Tkrzw has them.
fn wire_time(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn wire_id(server: ServerId) -> i32 {
    i32::try_from(server.get()).unwrap_or(i32::MAX)
}

pub(in crate::service) async fn change_master(
    service: &Service,
    request: ChangeMasterRequest,
) -> ChangeMasterResponse {
    let Some(replicator) = service.0.replication.clone() else {
        let status = Some(StatusCode::NotImplementedError.with(NO_REPLICATION));
        return ChangeMasterResponse { status };
    };
    let ChangeMasterRequest { master, timestamp_skew } = request;
    let followed = follow(replicator, master, timestamp_skew);
    let status = match service.long_to_its_end(followed).await {
        Ok(()) => success(),
        Err(error) => failure(&error),
    };
    ChangeMasterResponse { status }
}
