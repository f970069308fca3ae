//! Commits on the wire as what the traits have. Nothing that comes in is
//! believed: what cannot be is an error that says what was wrong.

use bytes::Bytes;
use hozo_proto::hozo_v1 as proto;
use hozo_traits::{
    CommitId, NamespaceId, NamespacePages, NamespaceShape, PageNo, PageSize, PagesEnd, PagesPart,
    PagesPiece, Result, Timestamp, Version,
};

use super::wire::wrong;

#[cfg(test)]
mod tests;

pub(crate) fn version_sent(version: Version) -> Bytes {
    Bytes::copy_from_slice(version.as_bytes())
}

/// A version; nothing is that before all.
pub(crate) fn version(sent: &[u8]) -> Result<Version> {
    if sent.is_empty() {
        return Ok(Version::ZERO);
    }
    let bytes = <[u8; Version::LEN]>::try_from(sent);
    bytes.map(Version::from_bytes).map_err(|_| {
        wrong("the server sent a version that has not 10 bytes").with("bytes", sent.len())
    })
}

pub(super) fn part(sent: proto::FollowPagesResponse) -> Result<PagesPart> {
    Ok(PagesPart {
        pieces: sent.pieces.into_iter().map(piece).collect::<Result<_>>()?,
        head: version(&sent.head)?,
        home: sent.home,
        epoch: sent.epoch,
    })
}

fn piece(sent: proto::PagesPiece) -> Result<PagesPiece> {
    let commit_id = CommitId::from_slice(&sent.commit_id)
        .map_err(|_| wrong("the server sent a commit id that has not 16 bytes"))?;
    Ok(PagesPiece {
        version: version(&sent.version)?,
        commit_id,
        pages: sent.namespaces.into_iter().map(pages).collect::<Result<_>>()?,
        end: sent.end.map(end).transpose()?,
    })
}

fn pages(sent: proto::NamespacePages) -> Result<NamespacePages> {
    let page = |page: proto::Page| match PageNo::new(page.number) {
        Some(number) => Ok((number, page.image)),
        None => Err(wrong("the server sent a page with the number 0")),
    };
    let pages = sent.pages.into_iter().map(page).collect::<Result<_>>()?;
    Ok(NamespacePages { namespace: NamespaceId(sent.namespace), pages })
}

fn end(sent: proto::PagesEnd) -> Result<PagesEnd> {
    let shape = |shape: proto::NamespaceShape| {
        let page_size = PageSize::new(shape.page_size).map_err(|_| {
            wrong("the server sent a page size that cannot be").with("bytes", shape.page_size)
        })?;
        let (namespace, page_count) = (NamespaceId(shape.namespace), shape.page_count);
        Ok(NamespaceShape { namespace, page_size, page_count })
    };
    Ok(PagesEnd {
        time: Timestamp::from_micros(sent.time),
        namespaces: sent.namespaces.into_iter().map(shape).collect::<Result<_>>()?,
        meta: sent.meta.into_iter().map(|meta| (meta.key, meta.value)).collect(),
    })
}
