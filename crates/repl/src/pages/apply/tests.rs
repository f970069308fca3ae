use std::sync::Arc;

use hozo_conformance::{Model, TestAmbient};
use hozo_traits::exec::block_on;
use hozo_traits::{PageSize, Timestamp};

use super::*;

const A: NamespaceId = NamespaceId(1);

fn store() -> Store {
    Store::new("main".to_owned(), Model::new(Arc::new(TestAmbient::new(1))))
}

fn id(n: u8) -> CommitId {
    CommitId::from_bytes([n; 16])
}

fn pages(namespace: NamespaceId, page: u32, tag: u8) -> NamespacePages {
    let page = PageNo::new(page).expect("a page");
    NamespacePages { namespace, pages: vec![(page, vec![tag; 512].into())] }
}

fn half(seq: u64, n: u8) -> PagesPiece {
    let version = Version::from_seq(seq);
    PagesPiece { version, commit_id: id(n), pages: vec![pages(A, 1, n)], end: None }
}

fn whole(seq: u64, n: u8) -> PagesPiece {
    let (page_size, page_count) = (PageSize::MIN, 1);
    let end = PagesEnd {
        time: Timestamp::from_micros(seq),
        namespaces: vec![NamespaceShape { namespace: A, page_size, page_count }],
        meta: Vec::new(),
    };
    PagesPiece { end: Some(end), ..half(seq, n) }
}

#[test]
fn what_is_here_already_is_left_as_it_is() {
    let store = store();
    let mut applying = Applying::new(&store, Version::ZERO, None);
    let mut apply = |piece| block_on(applying.piece(piece));
    apply(whole(3, 3)).expect("applied");
    apply(whole(3, 3)).expect("known");
    apply(half(3, 3)).expect("known");
    // Nobody asks what is behind that.
    apply(whole(2, 9)).expect("known");
    apply(half(1, 8)).expect("known");
    assert_eq!(*store.half.lock(), None, "something was staged");
    apply(whole(7, 7)).expect("applied");
    assert_eq!(applying.at(), Version::from_seq(7));
    let all = block_on(store.inner.changes(Version::ZERO, 9)).expect("a list");
    let all: Vec<_> = all.iter().map(|change| change.version.seq()).collect();
    assert_eq!(all, [3, 7]);
}

#[test]
fn another_commit_of_a_version_is_another_history() {
    let store = store();
    let mut applying = Applying::new(&store, Version::ZERO, None);
    block_on(applying.piece(whole(3, 3))).expect("applied");
    for piece in [whole(3, 4), half(3, 4)] {
        let error = block_on(applying.piece(piece)).expect_err("it is not the same");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    // Somebody else wrote here meanwhile.
    let mut other = Applying::new(&store, Version::from_seq(3), Some(id(3)));
    block_on(other.piece(whole(4, 4))).expect("applied");
    let error = block_on(applying.piece(whole(5, 5))).expect_err("it is not known");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[test]
fn what_is_no_commit_is_an_error() {
    let store = store();
    let mut applying = Applying::new(&store, Version::ZERO, None);
    let mut stray = whole(1, 1);
    stray.pages.push(pages(NamespaceId(2), 1, 1));
    let error = block_on(applying.piece(stray)).expect_err("nobody wrote there");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    block_on(applying.piece(half(1, 1))).expect("begun");
    for piece in [half(2, 2), whole(2, 2), whole(1, 2)] {
        let error = block_on(applying.piece(piece)).expect_err("the first is not complete");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    block_on(store.tidy()).expect("forgotten");
    let first = [PageNo::ONE];
    let staged = block_on(store.inner.read_staged(id(1), A, &first)).expect("read");
    assert_eq!(staged, [None]);
    assert_eq!(block_on(store.place()).expect("a place").after, Version::ZERO);
}
