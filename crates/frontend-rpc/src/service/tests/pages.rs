//! `hozo.v1.Replication/FollowPages`.

use std::time::Duration;

use hozo_proto::hozo_v1 as wire;
use hozo_proto::hozo_v1::follow_pages_request::Request as Said;
use hozo_traits::{
    CommitId, ErrorKind, NamespaceId, NamespacePages, NamespaceShape, PageNo, PageSize, PagesEnd,
    PagesPart, PagesPiece, PagesStart, Reader, Version,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::commits::nothing;
use super::follow::replication_with;
use super::replicator::server;
use super::*;
use crate::service::{Grant, KIND, Right};

struct Follower {
    say: mpsc::Sender<wire::FollowPagesRequest>,
    told: Streaming<wire::FollowPagesResponse>,
}

fn version(seq: u64) -> Bytes {
    Bytes::copy_from_slice(Version::from_seq(seq).as_bytes())
}

fn hello() -> wire::PagesHello {
    wire::PagesHello {
        server: 2,
        epoch: 3,
        name: "db2:1978".into(),
        acknowledges: true,
        store: "main".into(),
        after: version(4),
        last: vec![5; 16].into(),
    }
}

fn said(request: Said) -> wire::FollowPagesRequest {
    wire::FollowPagesRequest { request: Some(request) }
}

fn has(seq: u64) -> wire::FollowPagesRequest {
    said(Said::Acknowledge(wire::PagesAcknowledge { version: version(seq), epoch: 3 }))
}

impl Follower {
    async fn new(service: &Service, access: Access, first: wire::FollowPagesRequest) -> Follower {
        let mut client = replication_with(service, Some(access));
        let (say, receiver) = mpsc::channel(100);
        say.send(first).await.expect("it listens");
        let told = client.follow_pages(ReceiverStream::new(receiver)).await.expect("a call");
        Follower { say, told: told.into_inner() }
    }

    async fn next(&mut self) -> wire::FollowPagesResponse {
        self.told.message().await.expect("a message").expect("a message")
    }

    async fn end(mut self) -> Status {
        loop {
            match self.told.message().await {
                Ok(message) => assert!(message.is_some(), "it ends without an error"),
                Err(status) => return status,
            }
        }
    }
}

fn service(log: &Log) -> Service {
    Fixture::replicating(Options::default(), Some(log)).service
}

/// A commit of one page, which is a part of its own.
fn commit(seq: u64, bytes: usize) -> PagesPart {
    let namespace = NamespaceId(7);
    let page_size = PageSize::new(512).expect("a size");
    let shape = NamespaceShape { namespace, page_size, page_count: 1 };
    let pages = vec![(PageNo::ONE, vec![1; bytes].into())];
    let piece = PagesPiece {
        version: Version::from_seq(seq),
        commit_id: CommitId::from_bytes([seq as u8; 16]),
        pages: vec![NamespacePages { namespace, pages }],
        end: Some(PagesEnd {
            time: Timestamp::from_micros(seq),
            namespaces: vec![shape],
            meta: vec![("k".into(), Some("v".into())), ("gone".into(), None)],
        }),
    };
    PagesPart { pieces: vec![piece], ..nothing() }
}

#[tokio::test]
async fn a_follower_is_told_how_far_the_store_is_and_then_of_commits() {
    let log = Log::new();
    let service = service(&log);
    let mut follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
    let told = follower.next().await;
    let empty = wire::FollowPagesResponse {
        server: 1,
        epoch: 3,
        home: true,
        head: version(9),
        pieces: Vec::new(),
    };
    assert_eq!(told, empty);
    let start =
        PagesStart { after: Version::from_seq(4), last: Some(CommitId::from_bytes([5; 16])) };
    let reader =
        Reader { server: Some(server(2)), epoch: 3, name: "db2:1978".into(), acknowledges: true };
    assert_eq!(log.state().commits.opened, [(start, reader)]);

    log.change(|state| state.commits.parts.push(commit(5, 512)));
    let piece = follower.next().await.pieces.remove(0);
    let page = wire::Page { number: 1, image: vec![1; 512].into() };
    let expected = wire::PagesPiece {
        version: version(5),
        commit_id: vec![5; 16].into(),
        namespaces: vec![wire::NamespacePages { namespace: 7, pages: vec![page] }],
        end: Some(wire::PagesEnd {
            time: 5,
            namespaces: vec![wire::NamespaceShape { namespace: 7, page_size: 512, page_count: 1 }],
            meta: vec![
                wire::MetaWrite { key: "k".into(), value: Some("v".into()) },
                wire::MetaWrite { key: "gone".into(), value: None },
            ],
        }),
    };
    assert_eq!(piece, expected);

    // It is heard although there is nothing to tell it.
    for seq in 5..8 {
        follower.say.send(has(seq)).await.expect("it listens");
        let heard = log.until(|state| state.commits.acknowledged.len() as u64 == seq - 4).await;
        assert_eq!(heard.commits.acknowledged.last(), Some(&(Version::from_seq(seq), 3)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_is_told_that_there_is_nothing() {
    let log = Log::new();
    let service = service(&log);
    let mut follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
    for _ in 0..5 {
        assert_eq!(follower.next().await.pieces, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_may_take_longer_than_others() {
    let log = Log::new();
    log.change(|state| state.commits.first_takes = Duration::from_secs(60));
    let service = service(&log);
    let mut follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
    assert_eq!(follower.next().await.head, version(9));
    // And then it is told of commits.
    log.change(|state| state.commits.parts.push(commit(5, 512)));
    assert_eq!(follower.next().await.pieces.len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let log = Log::new();
    let service = service(&log);
    for (request, words) in [
        (wire::FollowPagesRequest::default(), "what a follower says first is a hello"),
        (has(1), "what a follower says first is a hello"),
        (said(Said::Hello(wire::PagesHello { server: 1, ..hello() })), "cannot follow itself"),
        (said(Said::Hello(wire::PagesHello { server: 1 << 31, ..hello() })), "1 to 2147483647"),
        (said(Said::Hello(wire::PagesHello { name: "x".repeat(257), ..hello() })), "name"),
        (said(Said::Hello(wire::PagesHello { store: "x".repeat(257), ..hello() })), "store's name"),
        (said(Said::Hello(wire::PagesHello { after: "short".into(), ..hello() })), "10 bytes"),
        (said(Said::Hello(wire::PagesHello { last: "short".into(), ..hello() })), "16 bytes"),
    ] {
        let status = Follower::new(&service, Access::Full, request).await.end().await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(words), "{status}");
    }
    assert!(log.state().commits.opened.is_empty());
    for (request, words) in [
        (said(Said::Hello(hello())), "a hello is said once, and first"),
        (wire::FollowPagesRequest::default(), "a follower says hello, and what it has"),
    ] {
        let follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
        follower.say.send(request).await.expect("it listens");
        let status = follower.end().await;
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, words));
    }
}

#[tokio::test]
async fn why_it_cannot_be_followed_is_told() {
    let log = Log::new();
    let service = service(&log);
    let other = wire::PagesHello { store: "other".into(), ..hello() };
    let status = Follower::new(&service, Access::Full, said(Said::Hello(other))).await.end().await;
    assert_eq!(status.code(), Code::NotFound, "{status}");
    log.change(|state| state.commits.fails_to_open = Some(ErrorKind::Conflict));
    let follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
    let status = follower.end().await;
    let kind = status.metadata().get(KIND).expect("a kind");
    assert!(status.code() == Code::Aborted && kind == "conflict", "{status}");
    log.change(|state| state.commits.fails_to_open = None);
    // More than a message may have.
    log.change(|state| state.commits.parts.push(commit(5, 100 << 20)));
    let follower = Follower::new(&service, Access::Full, said(Said::Hello(hello()))).await;
    let status = follower.end().await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("max_message_bytes"), "{status}");
}

#[tokio::test]
async fn only_who_may_administrate_may_follow() {
    let log = Log::new();
    let service = service(&log);
    let grant = |right| Access::Rights(Arc::new(Grant::new("t", [Some(right), Some(right)])));
    for right in [Right::Read, Right::Write] {
        let mut client = replication_with(&service, Some(grant(right)));
        let hello = tokio_stream::iter([said(Said::Hello(hello()))]);
        let status = client.follow_pages(hello).await.expect_err("it is refused");
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
    let mut allowed =
        Follower::new(&service, grant(Right::Admin), said(Said::Hello(hello()))).await;
    allowed.next().await;
}
