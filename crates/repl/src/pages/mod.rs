//! Namespaces on several servers.
//!
//! What a page store committed is told by the store itself, in the list of its
//! changes, which it writes together with each commit: that is the log of
//! namespaces, and the update log has nothing of them. A follower commits the
//! same at the same versions, so its position is the newest version of its own
//! store, with the id of the commit that made it.

mod apply;
mod commits;
mod follow;
mod home;
mod homed;
mod source;
mod store;

use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, PagesStatus, Result};

pub(crate) use self::follow::Commits;
pub use self::home::Home;
pub use self::homed::HomedPages;
pub(crate) use self::source::Feed;
pub(crate) use self::store::{Served, Store};

/// The page stores of a server that are replicated.
pub(crate) struct Pages {
    pub(crate) home: Arc<Home>,
    pub(crate) stores: Vec<Arc<Store>>,
}

impl Pages {
    /// The store of this name.
    pub(crate) fn store(&self, name: &str) -> Result<&Arc<Store>> {
        self.stores.iter().find(|store| store.name == name).ok_or_else(|| {
            let all: Vec<&str> = self.stores.iter().map(|store| &*store.name).collect();
            let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
            Error::new(
                ErrorKind::NotFound,
                "the namespaces of this store are not replicated here: the configs of both servers \
                 name the same stores (`namespaces` of their replication)",
            )
            .with("store", name)
            .with("replicated", all)
        })
    }

    /// An error if a store cannot follow another one.
    pub(crate) fn refuse_to_follow(&self) -> Result<()> {
        let unable = |store: &&Arc<Store>| !store.inner.capabilities().chosen_versions;
        match self.stores.iter().find(unable) {
            None => Ok(()),
            Some(store) => Err(Error::new(
                ErrorKind::Unsupported,
                "a store lacks the capability chosen_versions, so it cannot have the versions of \
                 another: let a server with another backend follow, or leave the store out of \
                 `namespaces`",
            )
            .with("store", &store.name)
            .with("backend", store.inner.capabilities().backend)),
        }
    }

    /// Forgets what was begun of commits of a source.
    pub(crate) async fn tidy(&self) -> Result<()> {
        for store in &self.stores {
            store.tidy().await?;
        }
        Ok(())
    }

    /// Wakes those who wait for a moment, and who read: `look` if it is time to
    /// look for what others committed.
    pub(crate) fn tick(&self, look: bool) {
        for store in &self.stores {
            store.tick(look);
        }
    }

    pub(crate) fn status(&self) -> Vec<PagesStatus> {
        self.stores.iter().map(|store| store.status(self.home.takes())).collect()
    }
}
