//! Loading all records of a source.

use std::sync::atomic::{AtomicBool, Ordering};

use hozo_traits::{
    ChangeFeed, Durability, Effect, Error, ErrorKind, FollowState, KvStoreExt, Result, Role,
    Selection, SnapshotPlace,
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
    let (mut loaded, mut unsynced) = (0u64, 0);
    let mut reached: Option<SnapshotPlace> = place;
    while let Some(part) = snapshot.next(PART_BYTES).await? {
        let Some(_applying) = Applying::begin(follow, generation) else { return Ok(End::Turned) };
        loaded += part.records.len() as u64;
        let records = shared.records.get(part.place.dbm as usize).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "the source has a DBM that this server has not")
                .with("dbm_index", part.place.dbm)
        })?;
        put_all(&**records, &part.records).await?;
        let of = part.of.max(loaded);
        follow.note(|status| status.loaded = Some((loaded, of)));
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
    shared.ulog.restart(from, feed.newest(), feed.epoch())?;
    shared.checkpoint_now()?;
    Loading::remove(disk)?;
    tracing::info!(records = loaded, "all records were loaded");
    Ok(End::NeedsSnapshot)
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
