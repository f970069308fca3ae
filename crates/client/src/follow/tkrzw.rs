//! The feed of a server of Tkrzw, whose updates have a time and no numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::iter;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::replicate_response::OpType;
use hozo_proto::tkrzw_rpc::{ReplicateRequest, ReplicateResponse, StatusProto};
use hozo_traits::{
    ChangeFeed, Effect, Error, ErrorKind, FeedPart, FeedReader, PageFeed, Position, Reach, Reader,
    Result, ServerId, SnapshotPlace, SnapshotReader, Start, Timestamp, Update, What,
};

use super::heard::{Heard, SILENCE_MAX};
use super::wire;
use crate::Client;
use crate::error::check;

const PATH: &str = "/tkrzw_rpc.DBMService/Replicate";

/// After so many seconds without an update the server says that it has none.
const WAIT_S: f64 = 1.0;
/// How long it may look for the first update: it reads its log from the
/// beginning of a file on, without a word.
const SEARCH_MAX: Duration = Duration::from_secs(120);
/// At most so many updates make a part.
const PART_UPDATES_MAX: usize = 4096;
/// Its log has 48 bits for a time.
const MILLIS_MAX: u64 = (1 << 48) - 1;

/// A server's log, from afar.
pub(super) struct Feed {
    client: Client,
    server: ServerId,
    newest: Arc<Newest>,
}

/// The newest time that was heard, in microseconds.
#[derive(Default)]
struct Newest(AtomicU64);

impl Newest {
    fn heard(&self, time: Timestamp) {
        self.0.fetch_max(time.as_micros(), Ordering::Relaxed);
    }

    fn get(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Feed {
    /// Greets the server, by asking for what comes from now on.
    pub(super) async fn greet(client: &Client, reader: &Reader) -> Result<Feed> {
        let (_, server) = open(client, client.inner.ambient.now(), reader).await?;
        Ok(Feed { client: client.clone(), server, newest: Arc::default() })
    }
}

/// Asks for updates, and hears whose they are.
async fn open(client: &Client, since: Timestamp, reader: &Reader) -> Result<(Heard, ServerId)> {
    let request = ReplicateRequest {
        min_timestamp: i64::try_from(since.as_millis().min(MILLIS_MAX)).unwrap_or(i64::MAX),
        server_id: reader.server.map_or(0, |server| server.get().cast_signed()),
        wait_time: WAIT_S,
    };
    let mut stream = Heard::open(client, PATH, iter([request]), |error| error).await?;
    let first: ReplicateResponse = stream.first(|_, _| Ok(())).await?;
    let server = match OpType::try_from(first.op_type) {
        Ok(OpType::OpNoop) => check(first.status).and_then(|()| id_of(first.server_id)),
        _ => Err(wire::wrong("the server did not begin with its server id")),
    };
    let server = server.map_err(|error| stream.ends(error))?;
    Ok((stream, server))
}

fn id_of(id: i32) -> Result<ServerId> {
    wire::server(id.cast_unsigned())
}

#[async_trait]
impl ChangeFeed for Feed {
    fn server(&self) -> ServerId {
        self.server
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn dbms(&self) -> Vec<String> {
        // They have none; how many there are does not matter to who follows.
        Vec::new()
    }

    fn head(&self) -> Position {
        Position::default()
    }

    fn newest(&self) -> Timestamp {
        self.newest.get()
    }

    async fn open(&self, start: Start, reader: Reader) -> Result<Box<dyn FeedReader>> {
        let Start::Since(since) = start else {
            let what = "a server of Tkrzw has no positions: follow it from a time on";
            return Err(
                Error::new(ErrorKind::Unsupported, what).with("server", &self.client.inner.address)
            );
        };
        let (mut stream, server) = open(&self.client, since, &reader).await?;
        if server != self.server {
            let what = "another server answers at this address now: connect again";
            let error = Error::new(ErrorKind::Unavailable, what).with("expected", self.server);
            return Err(stream.ends(error.with("found", server)));
        }
        Ok(Box::new(Updates {
            stream,
            server,
            reader: reader.server,
            newest: self.newest.clone(),
            searching: true,
            held: None,
        }))
    }

    async fn snapshot(
        &self,
        _after: Option<SnapshotPlace>,
        _reader: Reader,
    ) -> Result<Box<dyn SnapshotReader>> {
        let what = "a server of Tkrzw gives no snapshot: export its DBMs (`hozo dbm export`), \
                    import them here, and follow it from the time of the export on";
        Err(Error::new(ErrorKind::Unsupported, what).with("server", &self.client.inner.address))
    }

    fn pages(&self, _store: &str) -> Result<Arc<dyn PageFeed>> {
        let what = "a server of Tkrzw has no namespaces: leave out `namespaces` of the replication";
        Err(Error::new(ErrorKind::Unsupported, what).with("server", &self.client.inner.address))
    }
}

/// An open feed.
struct Updates {
    stream: Heard,
    server: ServerId,
    /// Whose updates are left out.
    reader: Option<ServerId>,
    newest: Arc<Newest>,
    /// Whether the server may still be looking for the first update.
    searching: bool,
    /// What came behind the end of the last part: an update, or an error.
    held: Option<Result<Came>>,
}

/// What came.
enum Came {
    Update(Update),
    /// Nothing new, up to this time.
    Nothing(Timestamp),
}

impl Updates {
    /// The next thing that comes. May be dropped while it waits.
    async fn came(&mut self) -> Result<Came> {
        if let Some(held) = self.held.take() {
            return held;
        }
        let patience = if self.searching { SEARCH_MAX } else { SILENCE_MAX };
        let response = self.stream.next(|_, _| Ok(()), patience).await?;
        self.searching = false;
        self.read(response).map_err(|error| self.stream.ends(error))
    }

    fn read(&self, response: ReplicateResponse) -> Result<Came> {
        let millis = u64::try_from(response.timestamp).ok().filter(|millis| *millis <= MILLIS_MAX);
        let Some(millis) = millis else {
            let error = wire::wrong("the server sent a time that cannot be");
            return Err(error.with("timestamp", response.timestamp));
        };
        let time = Timestamp::from_micros(millis * 1000);
        match response.status.as_ref().map(StatusProto::status_code) {
            Some(StatusCode::InfeasibleError) => return Ok(Came::Nothing(time)),
            _ => check(response.status)?,
        }
        let dbm = u32::try_from(response.dbm_index).map_err(|_| {
            wire::wrong("the server sent an index that cannot be").with("dbm", response.dbm_index)
        })?;
        let effect = match OpType::try_from(response.op_type) {
            Ok(OpType::OpNoop) => return Ok(Came::Nothing(time)),
            Ok(OpType::OpSet) => Effect::Set { key: response.key, value: response.value },
            Ok(OpType::OpRemove) => Effect::Remove { key: response.key },
            Ok(OpType::OpClear) => Effect::Clear,
            Err(_) => {
                let error = wire::wrong("the server sent an update of a kind that is not known");
                return Err(error.with("kind", response.op_type));
            }
        };
        // Logs that its utility wrote may have no server in them.
        let made_by = match response.server_id {
            0 => self.server,
            id => id_of(id)?,
        };
        // The server leaves them out; it would be a loop if it did not.
        let what = if Some(made_by) == self.reader {
            What::Nothing
        } else {
            What::Records { dbm, effects: vec![effect], reduced: false }
        };
        let reach = Reach::default();
        Ok(Came::Update(Update { time, origin: self.server, reach, server: made_by, what }))
    }
}

#[async_trait]
impl FeedReader for Updates {
    async fn next(&mut self, bytes_max: usize) -> Result<FeedPart> {
        let (mut updates, mut bytes) = (Vec::new(), 0usize);
        let mut came = self.came().await?;
        // From here on nothing is waited for, so nothing that came is dropped.
        loop {
            match came {
                Came::Nothing(time) => {
                    self.newest.heard(time);
                    break;
                }
                Came::Update(update) => {
                    bytes = bytes.saturating_add(wire::bytes_of(&update));
                    if bytes > bytes_max && !updates.is_empty() {
                        self.held = Some(Ok(Came::Update(update)));
                        break;
                    }
                    self.newest.heard(update.time);
                    updates.push(update);
                }
            }
            if updates.len() == PART_UPDATES_MAX {
                break;
            }
            match self.came().now_or_never() {
                None => break,
                Some(Ok(next)) => came = next,
                Some(Err(error)) => {
                    self.held = Some(Err(error));
                    break;
                }
            }
        }
        let (position, head) = (Position::default(), Position::default());
        Ok(FeedPart { updates, position, head, newest: self.newest.get() })
    }

    fn acknowledge(&mut self, _position: &Position, _epoch: u64) -> Result<()> {
        // The server does not ask.
        self.stream.check()
    }
}
