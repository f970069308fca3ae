//! Following a source again and again, whatever of it is followed.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use hozo_traits::{Error, FollowState, Result};

use crate::follow::{End, Network};
use crate::shared::Shared;

/// Between two attempts to connect: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How something is followed.
#[async_trait]
pub(crate) trait Attempts: Sync {
    /// The server at this address is to be followed from now on, or nobody.
    fn begin(&self, address: Option<&str>);

    /// Connects and follows, as long as that goes well. It is dropped when
    /// somebody else is to be followed: nothing must be left half-done then that
    /// the next one would not put right.
    async fn attempt(&self, address: &str, generation: u64, went_well: &AtomicBool) -> Result<End>;

    /// An attempt failed: it is tried again, or not.
    fn failed(&self, state: FollowState, error: &Error);

    /// What is followed, for the log.
    fn what(&self) -> &str;
}

/// Follows whomever the server is to follow, until it stops.
pub(crate) async fn retrying(shared: &Shared, network: &dyn Network, how: &dyn Attempts) {
    let follow = &shared.follow;
    loop {
        let generation = follow.generation.load(Ordering::SeqCst);
        let (source, stopped) = {
            let standing = shared.standing.lock();
            (standing.source.clone(), standing.stopped)
        };
        if stopped {
            return;
        }
        how.begin(source.as_deref());
        if let Some(address) = source {
            follow_one(shared, network, how, &address, generation).await;
        }
        let turned = || {
            let now = follow.generation.load(Ordering::SeqCst);
            (now != generation).then_some(())
        };
        follow.changed.until(turned).await;
    }
}

/// Follows one source, again and again; ends when it is not to be followed any
/// more, or when there is nothing more that could be tried.
async fn follow_one(
    shared: &Shared,
    network: &dyn Network,
    how: &dyn Attempts,
    address: &str,
    generation: u64,
) {
    let follow = &shared.follow;
    let what = how.what();
    let mut wait = BACKOFF.0;
    while follow.generation.load(Ordering::SeqCst) == generation {
        let went_well = AtomicBool::new(false);
        let attempt = pin!(how.attempt(address, generation, &went_well));
        let turned = || (follow.generation.load(Ordering::SeqCst) != generation).then_some(());
        let turned = pin!(follow.changed.until(turned));
        let ended = match select(attempt, turned).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => return,
        };
        if went_well.load(Ordering::Relaxed) {
            wait = BACKOFF.0;
        }
        match ended {
            Ok(End::Turned) => return,
            Ok(End::NeedsSnapshot) => continue,
            Ok(End::Stopped(error)) => {
                tracing::error!(source = address, what, %error, "following has stopped");
                how.failed(FollowState::Stopped, &error);
                return;
            }
            Err(error) => {
                tracing::warn!(
                    source = address, what, %error, "following was interrupted: trying again"
                );
                how.failed(FollowState::Connecting, &error);
            }
        }
        let sleep = network.sleep(wait);
        wait = (wait * 2).min(BACKOFF.1);
        let turned = || (follow.generation.load(Ordering::SeqCst) != generation).then_some(());
        let turned = pin!(follow.changed.until(turned));
        if let Either::Right(_) = select(sleep, turned).await {
            return;
        }
    }
}
