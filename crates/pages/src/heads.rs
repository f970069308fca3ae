//! The newest versions of a namespace, remembered while nothing moves.

use std::sync::{Mutex, PoisonError};

use hozo_traits::{PageStore, PageStoreExt, Result, Version, Watermarks};

use crate::{Head, Heads, NamespaceInfo};

/// What was found at some watermarks. A watermark that has not moved means
/// that no namespace of the store has, so the log need not be read.
#[derive(Default)]
pub(crate) struct HeadsCache {
    known: Mutex<Option<(Watermarks, Heads)>>,
}

impl HeadsCache {
    /// The heads as of now: a commit that was answered before the call is seen.
    pub(crate) async fn heads(&self, store: &dyn PageStore, info: &NamespaceInfo) -> Result<Heads> {
        let now = store.watermarks().await?;
        let known = self.get();
        let sequenced = match known {
            Some((marks, heads)) if marks.sequenced == now.sequenced => heads.sequenced,
            _ => head_at(store, info, now.sequenced).await?,
        };
        let durable = match known {
            // What is below both watermarks needs no second look.
            _ if sequenced.version <= now.durable => sequenced,
            Some((marks, heads)) if marks.durable == now.durable => heads.durable,
            _ => head_at(store, info, now.durable).await?,
        };
        let heads = Heads { durable, sequenced };
        self.put(now, heads);
        Ok(heads)
    }

    /// A version that is surely sequenced; perhaps not the newest such.
    pub(crate) fn known_sequenced(&self) -> Version {
        self.get().map_or(Version::ZERO, |(marks, _)| marks.sequenced)
    }

    fn get(&self) -> Option<(Watermarks, Heads)> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slow caller may put an older one over a newer: that costs the next one
    /// a look at the log and is never taken for the present.
    fn put(&self, marks: Watermarks, heads: Heads) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((marks, heads));
    }
}

/// The namespace's shape at a version that is sequenced.
pub(crate) async fn head_at(
    store: &dyn PageStore,
    info: &NamespaceInfo,
    at: Version,
) -> Result<Head> {
    let entry = store.head(info.id, at).await?;
    Ok(entry.map_or_else(|| info.empty_head(), |entry| Head::from(&entry)))
}
