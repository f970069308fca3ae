//! Following the namespaces of a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hozo_traits::{
    Error, ErrorKind, FollowState, PageFeed, PagesPart, PagesSource, PagesStart, Reader, Result,
    Version,
};

use super::Store;
use super::apply::Applying;
use crate::follow::{Applying as Busy, End, Network, PART_BYTES, reader};
use crate::retry::Attempts;
use crate::shared::Shared;

/// How often the home of namespaces looks whether the other master thinks that
/// it is the home.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Follows the commits of a source's store.
pub(crate) struct Commits<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) network: &'a dyn Network,
    pub(crate) store: &'a Arc<Store>,
}

#[async_trait]
impl Attempts for Commits<'_> {
    fn begin(&self, address: Option<&str>) {
        *self.store.following.lock() = address.map(|_| PagesSource {
            state: FollowState::Connecting,
            error: None,
            newest: Version::ZERO,
            behind: 0,
        });
    }

    async fn attempt(&self, address: &str, generation: u64, went_well: &AtomicBool) -> Result<End> {
        match self.follow(address, generation, went_well).await {
            Err(error) if is_final(error.kind()) => Ok(End::Stopped(error)),
            ended => ended,
        }
    }

    fn failed(&self, state: FollowState, error: &Error) {
        self.store.note(|source| {
            source.state = state;
            source.error = Some(error.to_string());
        });
    }

    fn what(&self) -> &str {
        &self.store.name
    }
}

/// Whether trying again makes no sense.
fn is_final(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Conflict
            | ErrorKind::VersionGone
            | ErrorKind::Unsupported
            | ErrorKind::Invalid
            | ErrorKind::Corrupt
    )
}

impl Commits<'_> {
    async fn follow(&self, address: &str, generation: u64, went_well: &AtomicBool) -> Result<End> {
        let Commits { shared, network, store } = self;
        let me = reader(shared);
        let feed = network.connect(address, &me).await?;
        if feed.server() == shared.ulog.me() {
            let what = "the source has the server id of this one: each has one of its own";
            return Err(Error::new(ErrorKind::Invalid, what).with("server_id", feed.server()));
        }
        let theirs = feed.pages(&store.name)?;
        if shared.pages.home.is_chosen_of_two() {
            return self.look(&*theirs, me, generation, went_well).await;
        }
        // Commits of clients that were let in before this became a follower.
        drop(store.gate.alone().await);
        let epoch = me.epoch;
        let PagesStart { after, last } = {
            let Some(_busy) = Busy::begin(&shared.follow, generation) else {
                return Ok(End::Turned);
            };
            store.follows();
            store.tidy().await?;
            store.place().await?
        };
        let mut commits = theirs.open(PagesStart { after, last }, me).await?;
        // The source may not know: it may have been started again, and somebody
        // wait for this.
        commits.acknowledge(after, epoch)?;
        let mut applying = Applying::new(store, after, last);
        loop {
            let part = commits.next(PART_BYTES).await?;
            went_well.store(true, Ordering::Relaxed);
            let part = self.heard(part);
            if part.pieces.is_empty() {
                continue;
            }
            let Some(_busy) = Busy::begin(&shared.follow, generation) else {
                return Ok(End::Turned);
            };
            let before = applying.at();
            for piece in part.pieces {
                applying.piece(piece).await?;
            }
            if applying.at() > before {
                store.inner.wait_durable(applying.at()).await?;
                commits.acknowledge(applying.at(), shared.ulog.state().epoch)?;
                // Others may follow this server.
                store.moves_on();
            }
        }
    }

    /// Takes note of what the source says of itself.
    fn heard(&self, part: PagesPart) -> PagesPart {
        self.shared.pages.home.other_says(part.home);
        self.store.note(|source| {
            source.state = FollowState::Following;
            source.error = None;
            source.newest = source.newest.max(part.head);
        });
        part
    }

    /// Looks now and then whether the other one of two masters is the home as
    /// well: nothing of it is followed.
    async fn look(
        &self,
        theirs: &dyn PageFeed,
        me: Reader,
        generation: u64,
        went_well: &AtomicBool,
    ) -> Result<End> {
        let me = Reader { acknowledges: false, ..me };
        let nothing = PagesStart { after: Version::ZERO, last: None };
        while self.shared.follow.generation.load(Ordering::SeqCst) == generation {
            let part = match theirs.open(nothing, me.clone()).await {
                Ok(mut reader) => Some(reader.next(0).await?),
                // Its list of changes does not begin at the beginning, and nothing is
                // said to who would read from there.
                Err(error) if error.kind() == ErrorKind::VersionGone => None,
                Err(error) => return Err(error),
            };
            went_well.store(true, Ordering::Relaxed);
            if let Some(part) = part {
                self.heard(part);
            }
            self.network.sleep(LOOK_AGAIN).await;
        }
        Ok(End::Turned)
    }
}
