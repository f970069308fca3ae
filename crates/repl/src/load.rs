//! Loading all records of a source.

use std::sync::atomic::{AtomicBool, Ordering};

use hozo_traits::{
    ChangeFeed, Durability, Effect, Error, ErrorKind, FollowState, KvStoreExt, Position, Result,
    Role, Selection, SnapshotPlace,
};

use crate::follow::{Applying, End, PART_BYTES, reader};
use crate::loading::Loading;
use crate::shared::Shared;

/// After so many bytes of a snapshot it is noted how far it is.
const LOADED_BYTES: usize = if cfg!(test) { 4 << 10 } else { 64 << 20 };

/// One of two masters has records that nobody else has: it must not give them
/// up by itself.
pub(crate) fn refuse_to_load(shared: &Shared) -> Option<End> {
    let dual = shared.standing.lock().role == Role::DualMaster;
    dual.then(|| {
        End::Stopped(Error::new(
            ErrorKind::VersionGone,
            "the other master's log is not enough to go on from where this one was: let this one \
             begin anew as a follower, then make it a master again",
        ))
    })
}

/// Loads all records of the source, from where that was interrupted.
pub(crate) async fn load(
    shared: &Shared,
    feed: &dyn ChangeFeed,
    loading: Option<Loading>,
    generation: u64,
    went_well: &AtomicBool,
) -> Result<End> {
    let follow = &shared.follow;
    if let Some(end) = refuse_to_load(shared) {
        return Ok(end);
    }
    follow.note(|status| status.state = FollowState::Loading);
    let disk = shared.ulog.disk();
    let of_this = |(server, place)| (server == feed.server()).then_some(place);
    let place = loading.and_then(|loading| loading.0).and_then(of_this);
    let begun = feed.snapshot(place.clone(), reader(shared)).await;
    let mut snapshot = match begun {
        Err(error) if error.kind() == ErrorKind::VersionGone && place.is_some() => {
            // From the beginning, then.
            Loading::default().write(disk)?;
            return Ok(End::NeedsSnapshot);
        }
        begun => begun?,
    };
    went_well.store(true, Ordering::Relaxed);
    if place.is_none() {
        let Some(_applying) = Applying::begin(follow, generation) else { return Ok(End::Turned) };
        // What is here is of no use any more, and that must not be forgotten.
        Loading::default().write(disk)?;
        for records in &shared.records {
            records.clear(Durability::Sequenced).await?;
        }
    }
    let (mut loaded_count, mut unsynced) = (0u64, 0);
    let mut reached: Option<SnapshotPlace> = place;
    while let Some(part) = snapshot.next(PART_BYTES).await? {
        let Some(_applying) = Applying::begin(follow, generation) else { return Ok(End::Turned) };
        loaded_count += part.records.len() as u64;
        let records = shared.records.get(part.place.dbm as usize).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "the source has a DBM that this server has not")
                .with("dbm_index", part.place.dbm)
        })?;
        put_all(&**records, &part.records).await?;
        let of = part.of.max(loaded_count);
        follow.note(|status| status.loaded = Some((loaded_count, of)));
        reached = Some(part.place);
        unsynced += part.records.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if unsynced > LOADED_BYTES {
            unsynced = 0;
            for records in &shared.records {
                records.synchronise().await?;
            }
            Loading(reached.clone().map(|place| (feed.server(), place))).write(disk)?;
        }
    }
    let Some(_applying) = Applying::begin(follow, generation) else { return Ok(End::Turned) };
    for records in &shared.records {
        records.synchronise().await?;
    }
    let from = match reached {
        Some(place) => place.from,
        // There were no records.
        None => feed.head(),
    };
    let dbm = shared.records.len() as u32;
    let loaded = SnapshotPlace { from, dbm, key: None };
    Loading(Some((feed.server(), loaded))).write(disk)?;
    tracing::info!(records = loaded_count, "all records were loaded");
    Ok(End::NeedsSnapshot)
}

/// All records were loaded, each as it was at some time since the snapshot
/// began. They are what the log says, and the server can be promoted, follow
/// another source or acknowledge anything, only when it has the updates up to
/// the snapshot's end.
pub(crate) struct CatchingUp {
    /// Until the log goes so far; `None` if it does.
    until: Option<Position>,
}

impl CatchingUp {
    /// Where this server is with this source, to which it has just connected;
    /// `None` if records are to be loaded.
    pub(crate) fn begin(
        shared: &Shared,
        feed: &dyn ChangeFeed,
        loading: Option<&Loading>,
    ) -> Result<Option<CatchingUp>> {
        let all = shared.records.len() as u32;
        match loading {
            None => Ok(Some(CatchingUp { until: None })),
            Some(Loading(Some((server, place))))
                if *server == feed.server() && place.dbm == all =>
            {
                // Also if it was already: updates since then come again.
                shared.ulog.restart(place.from.clone(), feed.newest(), feed.epoch())?;
                shared.checkpoint_now()?;
                // Of a connection that was made after the snapshot's end.
                Ok(Some(CatchingUp { until: Some(feed.head()) }))
            }
            Some(_) => Ok(None),
        }
    }

    /// Whether it has all up to the end, durably.
    pub(crate) fn is_over(&mut self, shared: &Shared) -> Result<bool> {
        if let Some(until) = &self.until {
            if !shared.ulog.durable().position.covers(until) {
                return Ok(false);
            }
            Loading::remove(shared.ulog.disk())?;
            self.until = None;
        }
        Ok(true)
    }
}

async fn put_all(
    records: &dyn hozo_traits::KvStore,
    all: &[(bytes::Bytes, bytes::Bytes)],
) -> Result<()> {
    let keys: Vec<_> = all.iter().map(|(key, _)| key.clone()).collect();
    let effects: Vec<_> = all
        .iter()
        .map(|(key, value)| Effect::Set { key: key.clone(), value: value.clone() })
        .collect();
    let selection = Selection::Keys { keys: &keys, values: false };
    records.update(selection, Durability::Sequenced, &mut |_| Ok(effects.clone())).await?;
    Ok(())
}
