//! What of a commit can be seen to be wrong without looking at the store.

use std::collections::HashSet;

use hozo_traits::{Commit, Error, ErrorKind, MetaWrite, Result, Version};

use crate::{OrderedEngine, OrderedPages, keys};

/// The longest metadata value.
const META_VALUE_BYTES_MAX: usize = 64 * 1024;

impl<E: OrderedEngine> OrderedPages<E> {
    /// An error if the commit cannot be meant.
    pub(crate) fn check(&self, commit: &Commit) -> Result<()> {
        let invalid = |message| Error::new(ErrorKind::Invalid, message);
        if commit.at.is_some() && !self.engine.capabilities().chosen_versions {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store lacks the capability chosen_versions: it numbers commits by itself",
            ));
        }
        let mut namespaces = HashSet::new();
        for change in &commit.namespaces {
            if !namespaces.insert(change.namespace) {
                return Err(invalid("a namespace appears twice in one commit")
                    .with("namespace", change.namespace));
            }
            let mut pages = HashSet::with_capacity(change.writes.len());
            for write in &change.writes {
                if !pages.insert(write.page) {
                    return Err(invalid("a page is written twice in one commit")
                        .with("namespace", change.namespace)
                        .with("page", write.page));
                }
                if write.image.len() != change.page_size.get() as usize {
                    return Err(invalid("an image has not the page size of its commit")
                        .with("namespace", change.namespace)
                        .with("page", write.page)
                        .with("bytes", write.image.len())
                        .with("page size", change.page_size.get()));
                }
            }
        }
        commit.meta.iter().try_for_each(check_meta)
    }
}

fn check_meta(write: &MetaWrite) -> Result<()> {
    let invalid = |message| Error::new(ErrorKind::Invalid, message);
    if write.key.is_empty() || write.key.len() > keys::META_KEY_BYTES_MAX {
        return Err(invalid("a metadata key has 1 to 1024 bytes").with("bytes", write.key.len()));
    }
    let Some(value) = &write.value else { return Ok(()) };
    if value.bytes.len() > META_VALUE_BYTES_MAX {
        return Err(
            invalid("a metadata value has at most 65536 bytes").with("bytes", value.bytes.len())
        );
    }
    let fits = |at: usize| at.checked_add(Version::LEN).is_some_and(|end| end <= value.bytes.len());
    match value.version_at {
        Some(at) if !fits(at) => {
            Err(invalid("the version's 10 bytes do not fit into the metadata value there")
                .with("position", at)
                .with("bytes", value.bytes.len()))
        }
        _ => Ok(()),
    }
}
