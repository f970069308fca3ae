//! Pieces of commits as messages.

use bytes::Bytes;
use hozo_proto::hozo_v1 as wire;
use hozo_traits::{
    NamespacePages, NamespaceShape, PageNo, PagesEnd, PagesPart, PagesPiece, ServerId,
};

use super::convert::to_version;

/// Two of the largest pages, and what is beside them: less than this a message
/// of pages may always have.
pub(super) const SMALLEST_MESSAGE_BYTES_MAX: usize = 160 << 10;

pub(super) fn message(server: ServerId, part: PagesPart) -> wire::FollowPagesResponse {
    let PagesPart { pieces, head, home, epoch } = part;
    wire::FollowPagesResponse {
        server: server.get(),
        epoch,
        home,
        head: to_version(head),
        pieces: pieces.into_iter().map(piece).collect(),
    }
}

fn piece(piece: PagesPiece) -> wire::PagesPiece {
    let PagesPiece { version, commit_id, pages: of, end: ends } = piece;
    wire::PagesPiece {
        version: to_version(version),
        commit_id: Bytes::copy_from_slice(commit_id.as_bytes()),
        namespaces: of.into_iter().map(pages).collect(),
        end: ends.map(end),
    }
}

fn pages(of: NamespacePages) -> wire::NamespacePages {
    let page = |(number, image): (PageNo, Bytes)| wire::Page { number: number.get(), image };
    let pages = of.pages.into_iter().map(page).collect();
    wire::NamespacePages { namespace: of.namespace.0, pages }
}

fn end(end: PagesEnd) -> wire::PagesEnd {
    let shape = |shape: NamespaceShape| wire::NamespaceShape {
        namespace: shape.namespace.0,
        page_size: shape.page_size.get(),
        page_count: shape.page_count,
    };
    let meta = |(key, value)| wire::MetaWrite { key, value };
    wire::PagesEnd {
        time: end.time.as_micros(),
        namespaces: end.namespaces.into_iter().map(shape).collect(),
        meta: end.meta.into_iter().map(meta).collect(),
    }
}
