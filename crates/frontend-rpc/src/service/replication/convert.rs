//! Between what the traits say and what goes over the wire.

use bytes::Bytes;
use hozo_proto::hozo_v1 as wire;
use hozo_traits::{
    ChangeFeed, ConflictReport, Effect, Error, ErrorKind, FollowState, FollowerStatus,
    PagesFollower, PagesSource, PagesStatus, Position, Reach, Reader, ReplicationStatus, Result,
    Role, ServerId, SnapshotPart, SnapshotPlace, SourceStatus, Start, Timestamp, Update, Version,
    What,
};
use prost::Message;

/// The longest name of a follower, or of a store.
const NAME_BYTES_MAX: usize = 256;

/// How a follower wants to begin.
pub(super) enum Begin {
    /// With updates.
    Updates(Start),
    /// With all records.
    Snapshot(Option<SnapshotPlace>),
    /// Not at all.
    Greeting,
}

/// Who follows, and how it wants to begin.
pub(super) fn hello(hello: wire::Hello) -> Result<(Reader, Begin)> {
    use wire::hello::Start as Said;
    check_name(&hello.name, "a follower's name is shorter")?;
    let begin = match hello.start {
        Some(Said::After(after)) => Begin::Updates(Start::After(position(after)?)),
        Some(Said::Since(since)) => Begin::Updates(Start::Since(Timestamp::from_micros(since))),
        Some(Said::Snapshot(snapshot)) => {
            Begin::Snapshot(snapshot.place.map(snapshot_place).transpose()?)
        }
        Some(Said::Greeting(_)) => Begin::Greeting,
        None => {
            let what = "a hello says from where on: after a position, since a time, by a \
                        snapshot, or not at all";
            return Err(Error::new(ErrorKind::Invalid, what));
        }
    };
    let reader = Reader {
        server: server(hello.server)?,
        epoch: hello.epoch,
        name: hello.name,
        acknowledges: hello.acknowledges,
    };
    Ok((reader, begin))
}

/// An error, with these words, if a name is too long to be one.
pub(super) fn check_name(name: &str, words: &'static str) -> Result<()> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::new(ErrorKind::Invalid, words)
            .with("bytes", name.len())
            .with("most", NAME_BYTES_MAX));
    }
    Ok(())
}

/// A server; 0 is none.
pub(super) fn server(id: u32) -> Result<Option<ServerId>> {
    if id == 0 { Ok(None) } else { ServerId::new(id).map(Some) }
}

pub(super) fn position(said: wire::Position) -> Result<Position> {
    let mut position = Position::default();
    for wire::Reach { server, seq, digest } in said.reaches {
        let server = ServerId::new(server)?;
        if position.of(server) != Reach::default() {
            return Err(Error::new(ErrorKind::Invalid, "a position has each server once")
                .with("server", server));
        }
        position.set(server, Reach { seq, digest });
    }
    Ok(position)
}

fn snapshot_place(said: wire::SnapshotPlace) -> Result<SnapshotPlace> {
    let wire::SnapshotPlace { from, dbm, key } = said;
    let from = from.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "a place of a snapshot says from where updates go on")
    })?;
    Ok(SnapshotPlace { from: position(from)?, dbm, key })
}

pub(super) fn to_position(position: &Position) -> wire::Position {
    let reach = |(server, reach): (ServerId, Reach)| wire::Reach {
        server: server.get(),
        seq: reach.seq,
        digest: reach.digest,
    };
    wire::Position { reaches: position.iter().map(reach).collect() }
}

pub(super) fn welcome(feed: &dyn ChangeFeed) -> wire::Welcome {
    wire::Welcome {
        server: feed.server().get(),
        epoch: feed.epoch(),
        dbms: feed.dbms(),
        head: Some(to_position(&feed.head())),
        newest: feed.newest().as_micros(),
    }
}

pub(super) fn to_update(update: Update) -> wire::Update {
    let Update { time, origin, reach, server, what } = update;
    let Reach { seq, digest } = reach;
    let mut said = wire::Update {
        time: time.as_micros(),
        reach: Some(wire::Reach { server: origin.get(), seq, digest }),
        server: if server == origin { 0 } else { server.get() },
        ..wire::Update::default()
    };
    match what {
        What::Records { dbm, effects, reduced } => {
            said.set_what(wire::update::What::Records);
            said.dbm = dbm;
            said.effects = effects.into_iter().map(effect).collect();
            said.reduced = reduced;
        }
        What::Nothing => said.set_what(wire::update::What::Nothing),
        What::Epoch(epoch) => {
            said.set_what(wire::update::What::Epoch);
            said.epoch = epoch;
        }
        What::Reset => said.set_what(wire::update::What::Reset),
    }
    said
}

fn effect(effect: Effect) -> wire::Effect {
    use wire::effect::Kind;
    let (kind, key, value) = match effect {
        Effect::Set { key, value } => (Kind::Set, key, value),
        Effect::Remove { key } => (Kind::Remove, key, Default::default()),
        Effect::Clear => (Kind::Clear, Default::default(), Default::default()),
    };
    wire::Effect { kind: kind.into(), key, value }
}

pub(super) fn to_snapshot(part: SnapshotPart) -> wire::SnapshotPart {
    let SnapshotPart { place, records, of } = part;
    let record = |(key, value)| wire::Record { key, value };
    wire::SnapshotPart {
        place: Some(wire::SnapshotPlace {
            from: Some(to_position(&place.from)),
            dbm: place.dbm,
            key: place.key,
        }),
        records: records.into_iter().map(record).collect(),
        of,
        end: false,
    }
}

pub(super) fn status(status: ReplicationStatus) -> wire::StatusResponse {
    use wire::status_response::Role as Said;
    let role = match status.role {
        Role::Master => Said::Master,
        Role::DualMaster => Said::DualMaster,
        Role::Follower => Said::Follower,
    };
    wire::StatusResponse {
        kind: status.kind.into(),
        server: status.server.get(),
        role: role.into(),
        epoch: status.epoch,
        fenced: status.fenced.unwrap_or_default(),
        head: Some(to_position(&status.head)),
        newest: status.newest.as_micros(),
        log_bytes: status.log_bytes,
        source: status.source.map(source),
        followers: status.followers.into_iter().map(follower).collect(),
        ack: status.ack,
        conflicts: status.conflicts,
        pages: status.pages.into_iter().map(pages_status).collect(),
    }
}

fn pages_status(pages: PagesStatus) -> wire::PagesStatus {
    let source = |source: PagesSource| wire::PagesSource {
        state: state(source.state).into(),
        error: source.error.unwrap_or_default(),
        newest: to_version(source.newest),
        behind: source.behind,
    };
    let follower = |follower: PagesFollower| wire::PagesFollower {
        server: follower.server.map_or(0, ServerId::get),
        name: follower.name,
        connected: follower.connected,
        has: follower.has.map(to_version).unwrap_or_default(),
        behind: follower.behind,
    };
    wire::PagesStatus {
        store: pages.store,
        home: pages.home,
        durable: to_version(pages.durable),
        source: pages.source.map(source),
        followers: pages.followers.into_iter().map(follower).collect(),
    }
}

pub(super) fn to_version(version: Version) -> Bytes {
    Bytes::copy_from_slice(version.as_bytes())
}

/// A version; nothing is that before all.
pub(super) fn version(said: &[u8]) -> Result<Version> {
    if said.is_empty() {
        return Ok(Version::ZERO);
    }
    let bytes = <[u8; Version::LEN]>::try_from(said);
    bytes.map(Version::from_bytes).map_err(|_| {
        Error::new(ErrorKind::Invalid, "a version has 10 bytes").with("given", said.len())
    })
}

fn state(state: FollowState) -> wire::source::State {
    use wire::source::State;
    match state {
        FollowState::Connecting => State::Connecting,
        FollowState::Loading => State::Loading,
        FollowState::Following => State::Following,
        FollowState::Stopped => State::Stopped,
    }
}

fn source(source: SourceStatus) -> wire::Source {
    let (loaded, loaded_of) = source.loaded.unwrap_or_default();
    wire::Source {
        address: source.address,
        server: source.server.map_or(0, ServerId::get),
        state: state(source.state).into(),
        error: source.error.unwrap_or_default(),
        behind: source.behind,
        lag_us: u64::try_from(source.lag.as_micros()).unwrap_or(u64::MAX),
        loaded,
        loaded_of,
    }
}

fn follower(follower: FollowerStatus) -> wire::Follower {
    wire::Follower {
        server: follower.server.map_or(0, ServerId::get),
        name: follower.name,
        connected: follower.connected,
        has: follower.has.as_ref().map(to_position),
        behind: follower.behind,
    }
}

/// As many as a message may have.
pub(super) fn conflicts(found: Vec<ConflictReport>, bytes_max: usize) -> wire::ConflictsResponse {
    let mut response = wire::ConflictsResponse::default();
    let mut bytes = 0_usize;
    for report in found {
        let said = wire::Conflict {
            found: report.found.as_micros(),
            dbm: report.dbm,
            key: report.key,
            kept_server: report.kept.0.get(),
            kept_time: report.kept.1.as_micros(),
            lost_server: report.lost.0.get(),
            lost_time: report.lost.1.as_micros(),
        };
        bytes = bytes.saturating_add(in_list(said.encoded_len()));
        if bytes > bytes_max {
            break;
        }
        response.conflicts.push(said);
    }
    response
}

/// What a message of so many bytes takes in a list: before it are the number of
/// its field and its length.
pub(super) fn in_list(bytes: usize) -> usize {
    (1 + prost::length_delimiter_len(bytes)).saturating_add(bytes)
}
