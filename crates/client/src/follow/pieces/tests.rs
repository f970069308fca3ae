use super::*;

fn piece_sent() -> proto::PagesPiece {
    let page = proto::Page { number: 3, image: vec![7; 512].into() };
    let shape = proto::NamespaceShape { namespace: 5, page_size: 512, page_count: 9 };
    let set = proto::MetaWrite { key: "k".into(), value: Some("v".into()) };
    let removed = proto::MetaWrite { key: "gone".into(), value: None };
    proto::PagesPiece {
        version: vec![1; 10].into(),
        commit_id: vec![2; 16].into(),
        namespaces: vec![proto::NamespacePages { namespace: 5, pages: vec![page] }],
        end: Some(proto::PagesEnd { time: 11, namespaces: vec![shape], meta: vec![set, removed] }),
    }
}

fn message(piece: proto::PagesPiece) -> proto::FollowPagesResponse {
    let head = vec![3; 10].into();
    proto::FollowPagesResponse { server: 1, epoch: 4, home: true, head, pieces: vec![piece] }
}

#[test]
fn a_commit_is_read_as_it_was_sent() {
    let read = part(message(piece_sent())).expect("it is read");
    let namespace = NamespaceId(5);
    let page_size = PageSize::new(512).expect("a size");
    let page = (PageNo::new(3).expect("a page"), Bytes::from(vec![7; 512]));
    let piece = PagesPiece {
        version: Version::from_bytes([1; 10]),
        commit_id: CommitId::from_bytes([2; 16]),
        pages: vec![NamespacePages { namespace, pages: vec![page] }],
        end: Some(PagesEnd {
            time: Timestamp::from_micros(11),
            namespaces: vec![NamespaceShape { namespace, page_size, page_count: 9 }],
            meta: vec![("k".into(), Some("v".into())), ("gone".into(), None)],
        }),
    };
    let head = Version::from_bytes([3; 10]);
    assert_eq!(read, PagesPart { pieces: vec![piece], head, home: true, epoch: 4 });
    assert_eq!(version(&[]).expect("none"), Version::ZERO);
}

#[test]
fn what_cannot_be_is_an_error() {
    type Spoil = fn(&mut proto::PagesPiece);
    let spoils: [(&str, Spoil); 4] = [
        ("10 bytes", |piece| piece.version = vec![1; 9].into()),
        ("16 bytes", |piece| piece.commit_id = Bytes::new()),
        ("number 0", |piece| piece.namespaces[0].pages[0].number = 0),
        ("page size", |piece| {
            if let Some(end) = &mut piece.end {
                end.namespaces[0].page_size = 513;
            }
        }),
    ];
    for (says, spoil) in spoils {
        let mut piece = piece_sent();
        spoil(&mut piece);
        let error = part(message(piece)).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
}
