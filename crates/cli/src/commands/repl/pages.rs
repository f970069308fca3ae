//! How the replication of namespaces is on a server.

use hozo::traits::{FollowState, PagesFollower, PagesSource, PagesStatus};
use serde_json::{Value, json};

use crate::output;

/// Whether the store has all that its source has, and its followers all that it has.
pub(super) fn is_settled(store: &PagesStatus, followers: usize) -> bool {
    let mut connected = store.followers.iter().filter(|follower| follower.connected);
    let there = connected.clone().filter(|follower| follower.has.is_some()).count();
    // The home of two masters follows nobody, and the other master follows it.
    (store.home || store.source.as_ref().is_none_or(has_all))
        && there >= followers
        && connected.all(|follower| follower.behind == 0)
}

/// Whether all that the source has is here.
fn has_all(source: &PagesSource) -> bool {
    source.state == FollowState::Following && source.error.is_none() && source.behind == 0
}

/// Whether following has begun, and all that the source has is here.
pub(super) fn is_whole(store: &PagesStatus) -> bool {
    store.source.as_ref().is_some_and(has_all)
}

/// Whether somebody has to do something.
pub(super) fn is_stuck(store: &PagesStatus) -> bool {
    store.source.as_ref().is_some_and(|source| source.state == FollowState::Stopped)
}

/// Why it does not go on by itself, if it does not.
pub(super) fn stopped(store: &PagesStatus) -> Option<String> {
    is_stuck(store).then(|| {
        let error = store.source.as_ref().and_then(|source| source.error.as_deref());
        format!("namespaces of {}: {}", store.store, error.unwrap_or("following has stopped"))
    })
}

/// Whether the source cannot be reached just now.
pub(super) fn is_interrupted(store: &PagesStatus) -> bool {
    let interrupted =
        |source: &PagesSource| source.state == FollowState::Connecting && source.error.is_some();
    store.source.as_ref().is_some_and(interrupted)
}

/// A line for each store, and one for each follower of it.
pub(super) fn list(stores: &[PagesStatus]) -> String {
    let mut rows = Vec::new();
    for store in stores {
        let state = match (&store.source, store.home) {
            (_, true) => "home".to_owned(),
            (None, false) => "takes no commits".to_owned(),
            (Some(source), false) => source.state.as_str().to_owned(),
        };
        let behind = match &store.source {
            Some(source) if !store.home => source.behind.to_string(),
            _ => "-".to_owned(),
        };
        rows.push([store.store.clone(), state, store.durable.to_string(), behind]);
        rows.extend(store.followers.iter().map(follower));
    }
    output::list(["NAMESPACES", "STATE", "VERSION", "BEHIND"], &[3], rows)
}

fn follower(follower: &PagesFollower) -> [String; 4] {
    let state = if follower.connected { "connected" } else { "gone" };
    [
        format!("  {}", follower.name),
        state.to_owned(),
        follower.has.map_or_else(|| "-".to_owned(), |has| has.to_string()),
        follower.has.map_or_else(|| "-".to_owned(), |_| follower.behind.to_string()),
    ]
}

pub(super) fn view(store: &PagesStatus) -> Value {
    let source = store.source.as_ref().map(|source| {
        json!({
            "state": source.state.as_str(),
            "error": source.error,
            "version": source.newest.to_string(),
            "behind": source.behind,
        })
    });
    let follower = |follower: &PagesFollower| {
        json!({
            "server": follower.server.map(|server| server.get()),
            "name": follower.name,
            "connected": follower.connected,
            "has": follower.has.map(|has| has.to_string()),
            "behind": follower.behind,
        })
    };
    json!({
        "store": store.store,
        "home": store.home,
        "version": store.durable.to_string(),
        "source": source,
        "followers": store.followers.iter().map(follower).collect::<Vec<_>>(),
    })
}
