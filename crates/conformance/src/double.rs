//! A page store that is another one with altered bytes.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Ambient, Commit, CommitId, CommitOutcome, NamespaceId, PageImage, PageNo, PageStore, PageWrite,
    Patch, Result, Version,
};

use crate::Fixture;
use crate::layer::{Layer, Layered};

/// Alters every page byte on the way down and back, so that whoever reads
/// through it sees what was written, and whoever goes round it does not.
///
/// Metadata, which holds versions that the store puts in, passes unaltered.
pub struct Obfuscate;

/// `store` behind the [`Obfuscate`] layer.
pub fn obfuscated(store: Arc<dyn PageStore>) -> Arc<dyn PageStore> {
    Layered::new(store, Obfuscate)
}

/// The stores of another fixture, [`obfuscated`].
pub struct Altered<F>(pub F);

impl<F: Fixture> Fixture for Altered<F> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn open(&self, dir: &Path, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
        Ok(obfuscated(self.0.open(dir, ambient)?))
    }

    fn outlives_process(&self) -> bool {
        self.0.outlives_process()
    }
}

/// What stands at `offset` instead of 0. It depends on the page and the place,
/// so that neither pages nor parts of pages can be mixed up unnoticed.
fn mask(page: PageNo, offset: usize) -> u8 {
    let mixed = (page.get() as usize).wrapping_mul(151) ^ offset.wrapping_mul(31) ^ (offset >> 8);
    mixed as u8 | 1
}

fn alter(page: PageNo, start: usize, bytes: &[u8]) -> Bytes {
    bytes.iter().enumerate().map(|(i, b)| b ^ mask(page, start + i)).collect()
}

fn alter_write(write: PageWrite) -> PageWrite {
    let PageWrite { page, image, patch } = write;
    let patch = patch.map(|Patch { base, ranges }| {
        let altered =
            |(offset, bytes): (u32, Bytes)| (offset, alter(page, offset as usize, &bytes));
        Patch { base, ranges: ranges.into_iter().map(altered).collect() }
    });
    PageWrite { page, image: alter(page, 0, &image), patch }
}

#[async_trait]
impl Layer for Obfuscate {
    async fn read_pages(
        &self,
        inner: &dyn PageStore,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        let found = inner.read_pages(namespace, pages, at).await?;
        let clear = |(page, image): (&PageNo, Option<PageImage>)| {
            image.map(|PageImage { version, bytes }| PageImage {
                version,
                bytes: alter(*page, 0, &bytes),
            })
        };
        Ok(pages.iter().zip(found).map(clear).collect())
    }

    async fn commit(&self, inner: &dyn PageStore, mut commit: Commit) -> Result<CommitOutcome> {
        for change in &mut commit.namespaces {
            let writes = std::mem::take(&mut change.writes);
            change.writes = writes.into_iter().map(alter_write).collect();
        }
        inner.commit(commit).await
    }

    async fn stage(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        writes: Vec<PageWrite>,
    ) -> Result<()> {
        inner.stage(id, namespace, writes.into_iter().map(alter_write).collect()).await
    }

    async fn read_staged(
        &self,
        inner: &dyn PageStore,
        id: CommitId,
        namespace: NamespaceId,
        pages: &[PageNo],
    ) -> Result<Vec<Option<Bytes>>> {
        let found = inner.read_staged(id, namespace, pages).await?;
        let clear = |(page, image): (&PageNo, Option<Bytes>)| image.map(|b| alter(*page, 0, &b));
        Ok(pages.iter().zip(found).map(clear).collect())
    }
}
