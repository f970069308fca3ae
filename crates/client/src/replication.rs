//! The administration of replication: how it is, and what is to change.

use std::time::Duration;

use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::source::State;
use hozo_proto::hozo_v1::status_response::Role as RoleCode;
use hozo_traits::{
    ConflictReport, FollowState, FollowerStatus, PagesFollower, PagesSource, PagesStatus,
    ReplicationStatus, Result, Role, SourceStatus, Timestamp,
};

use crate::Client;
use crate::error::of_replication;
use crate::follow::pieces::version;
use crate::follow::wire::{position, server, server_if_any, wrong};
use crate::rpcs::Unary;

/// The kinds of replication that are known here.
const KINDS: [&str; 2] = ["ulog", "fdb-native"];

impl Client {
    /// How replication is on the server. A kind that is not known here is
    /// `other`. A server of Tkrzw, as one without replication, is
    /// [`Unsupported`](hozo_traits::ErrorKind::Unsupported), here and below.
    pub async fn replication_status(&self) -> Result<ReplicationStatus> {
        let status = self.ask(proto::StatusRequest {}).await?;
        read_status(status).map_err(|error| error.with("server", &self.inner.address))
    }

    /// Tells the server to follow the one at this address from now on, in place
    /// of another. `skew_ms` moves the moment from which updates are asked for
    /// where that one has no positions, as Tkrzw's servers have none.
    pub async fn follow(&self, address: impl Into<String>, skew_ms: i64) -> Result<()> {
        let address = address.into();
        if address.is_empty() {
            let what = "the address of the server to follow is empty; `unfollow` follows nobody";
            return Err(hozo_traits::Error::new(hozo_traits::ErrorKind::Invalid, what));
        }
        self.ask(proto::ChangeSourceRequest { address, skew_ms }).await.map(drop)
    }

    /// Tells the server to follow nobody any more, and to keep its role.
    pub async fn unfollow(&self) -> Result<()> {
        self.ask(proto::ChangeSourceRequest::default()).await.map(drop)
    }

    /// Makes the server a master that follows nobody, in a new epoch, which is
    /// answered.
    pub async fn promote(&self) -> Result<u64> {
        Ok(self.ask(proto::PromoteRequest {}).await?.epoch)
    }

    /// The records that two masters changed without knowing of each other: at
    /// most so many, those that were found last, newest first.
    pub async fn conflicts(&self, limit: usize) -> Result<Vec<ConflictReport>> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let answer = self.ask(proto::ConflictsRequest { limit }).await?;
        let reports: Result<_> = answer.conflicts.into_iter().map(read_conflict).collect();
        reports.map_err(|error| error.with("server", &self.inner.address))
    }

    /// Removes what is older than this from the server's log, as far as
    /// retention and followers allow; answers the bytes that were freed.
    pub async fn prune(&self, before: Timestamp) -> Result<u64> {
        Ok(self.ask(proto::PruneRequest { before: before.as_micros() }).await?.freed_bytes)
    }

    async fn ask<Q: Unary>(&self, request: Q) -> Result<Q::Answer> {
        self.call(request).await.map_err(of_replication)
    }
}

fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn read_status(status: proto::StatusResponse) -> Result<ReplicationStatus> {
    let role = match RoleCode::try_from(status.role) {
        Ok(RoleCode::Master) => Role::Master,
        Ok(RoleCode::DualMaster) => Role::DualMaster,
        Ok(RoleCode::Follower) => Role::Follower,
        Err(_) => {
            return Err(wrong("the server has a role that is not known: it may be newer")
                .with("role", status.role));
        }
    };
    Ok(ReplicationStatus {
        kind: KINDS.into_iter().find(|kind| *kind == status.kind).unwrap_or("other"),
        server: server(status.server)?,
        role,
        epoch: status.epoch,
        fenced: said(status.fenced),
        head: position(status.head)?,
        newest: Timestamp::from_micros(status.newest),
        log_bytes: status.log_bytes,
        source: status.source.map(read_source).transpose()?,
        followers: status.followers.into_iter().map(read_follower).collect::<Result<_>>()?,
        ack: status.ack,
        conflicts: status.conflicts,
        pages: status.pages.into_iter().map(read_pages).collect::<Result<_>>()?,
    })
}

fn read_pages(pages: proto::PagesStatus) -> Result<PagesStatus> {
    let source = |source: proto::PagesSource| {
        Ok(PagesSource {
            state: read_state(source.state)?,
            error: said(source.error),
            newest: version(&source.newest)?,
            behind: source.behind,
        })
    };
    let follower = |follower: proto::PagesFollower| {
        let has = (!follower.has.is_empty()).then(|| version(&follower.has));
        Ok(PagesFollower {
            server: server_if_any(follower.server)?,
            name: follower.name,
            connected: follower.connected,
            has: has.transpose()?,
            behind: follower.behind,
        })
    };
    Ok(PagesStatus {
        store: pages.store,
        home: pages.home,
        durable: version(&pages.durable)?,
        source: pages.source.map(source).transpose()?,
        followers: pages.followers.into_iter().map(follower).collect::<Result<_>>()?,
    })
}

fn read_state(state: i32) -> Result<FollowState> {
    Ok(match State::try_from(state) {
        Ok(State::Connecting) => FollowState::Connecting,
        Ok(State::Loading) => FollowState::Loading,
        Ok(State::Following) => FollowState::Following,
        Ok(State::Stopped) => FollowState::Stopped,
        Err(_) => {
            return Err(wrong(
                "following is in a state that is not known: the server may be newer",
            )
            .with("state", state));
        }
    })
}

fn read_source(source: proto::Source) -> Result<SourceStatus> {
    let state = read_state(source.state)?;
    // Without a snapshot both are 0, and so they are at its very beginning.
    let loaded = (source.loaded, source.loaded_of);
    Ok(SourceStatus {
        address: source.address,
        server: server_if_any(source.server)?,
        state,
        error: said(source.error),
        behind: source.behind,
        lag: Duration::from_micros(source.lag_us),
        loaded: (state == FollowState::Loading || loaded != (0, 0)).then_some(loaded),
    })
}

fn read_follower(follower: proto::Follower) -> Result<FollowerStatus> {
    Ok(FollowerStatus {
        server: server_if_any(follower.server)?,
        name: follower.name,
        connected: follower.connected,
        has: follower.has.map(|has| position(Some(has))).transpose()?,
        behind: follower.behind,
    })
}

fn read_conflict(conflict: proto::Conflict) -> Result<ConflictReport> {
    let by = |id, time| Ok((server(id)?, Timestamp::from_micros(time)));
    Ok(ConflictReport {
        found: Timestamp::from_micros(conflict.found),
        dbm: conflict.dbm,
        key: conflict.key,
        kept: by(conflict.kept_server, conflict.kept_time)?,
        lost: by(conflict.lost_server, conflict.lost_time)?,
    })
}
