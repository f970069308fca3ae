//! Following the commits of a store.

use bytes::Bytes;
use hozo_client::{Client, Error, ErrorKind};
use hozo_proto::hozo_v1 as proto;
use hozo_proto::hozo_v1::follow_pages_request::Request;
use hozo_traits::{CommitId, PageFeed, PagesStart, Reader, Version};
use std::sync::Arc;

use super::fake::{Call, client_of};
use super::{reader, welcome};
use crate::run_paused;

fn version(seq: u64) -> Bytes {
    Bytes::copy_from_slice(Version::from_seq(seq).as_bytes())
}

fn piece(seq: u64, ends: bool) -> proto::PagesPiece {
    let page = proto::Page { number: 1, image: vec![7; 512].into() };
    proto::PagesPiece {
        version: version(seq),
        commit_id: vec![seq as u8; 16].into(),
        namespaces: vec![proto::NamespacePages { namespace: 5, pages: vec![page] }],
        end: ends.then(proto::PagesEnd::default),
    }
}

fn said(pieces: Vec<proto::PagesPiece>) -> proto::FollowPagesResponse {
    proto::FollowPagesResponse { server: 7, epoch: 3, home: true, head: version(9), pieces }
}

const START: PagesStart =
    PagesStart { after: Version::from_seq(2), last: Some(CommitId::from_bytes([2; 16])) };

/// The store of a server that answers a hello like this, and then with what it
/// hears.
async fn store(
    answers: impl Fn() -> Vec<proto::FollowPagesResponse> + Clone + Send + Sync + 'static,
) -> Arc<dyn PageFeed> {
    let builder = Client::builder("").max_message_bytes(4 << 20);
    let client = client_of(builder, 1 << 20, move |mut call: Call| {
        let answers = answers();
        async move {
            if !call.path.ends_with("/FollowPages") {
                call.hello().await;
                call.give(&welcome());
                return call.left().await;
            }
            let first: Option<proto::FollowPagesRequest> = call.next().await;
            let Some(Request::Hello(hello)) = first.and_then(|first| first.request) else {
                panic!("no hello");
            };
            assert_eq!((&*hello.store, hello.after), ("main", version(2)));
            assert_eq!(hello.last, vec![2; 16]);
            for answer in answers {
                call.give(&answer);
            }
            // What was acknowledged comes back as how far the store is.
            while let Some(said) = call.next::<proto::FollowPagesRequest>().await {
                let Some(Request::Acknowledge(has)) = said.request else { panic!("{said:?}") };
                call.give(&proto::FollowPagesResponse {
                    head: has.version,
                    ..super::commits::said(Vec::new())
                });
            }
        }
    });
    client.feed(&reader()).await.expect("it is welcome").pages("main").expect("a store")
}

/// What is said to a feed that goes on like this.
async fn fed(answers: Vec<proto::FollowPagesResponse>) -> Error {
    let store = store(move || answers.clone()).await;
    let mut commits = match store.open(START, reader()).await {
        Ok(commits) => commits,
        Err(error) => return error,
    };
    for _ in 0..5 {
        if let Err(error) = commits.next(1 << 20).await {
            let again = commits.next(1 << 20).await.expect_err("it is over");
            assert_eq!(again.to_string(), error.to_string());
            return error;
        }
    }
    panic!("nothing is found to be wrong");
}

#[test]
fn commits_come_as_they_were_sent_and_are_acknowledged() {
    run_paused(async {
        let store = store(|| {
            let parts = vec![piece(3, true), piece(5, false), piece(5, false), piece(5, true)];
            vec![said(Vec::new()), said(parts)]
        });
        let mut commits = store.await.open(START, reader()).await.expect("it is begun");
        let first = commits.next(1 << 20).await.expect("an answer");
        assert!(first.pieces.is_empty() && first.home);
        assert_eq!((first.head, first.epoch), (Version::from_seq(9), 3));
        // What came is divided, but not a piece.
        let mut came = Vec::new();
        for expected in [2, 1, 1] {
            let bytes_max = if expected == 2 { 1024 } else { 1 };
            let part = commits.next(bytes_max).await.expect("an answer");
            assert_eq!(part.pieces.len(), expected);
            came.extend(part.pieces);
        }
        let came: Vec<_> =
            came.iter().map(|piece| (piece.version.seq(), piece.end.is_some())).collect();
        assert_eq!(came, [(3, true), (5, false), (5, false), (5, true)]);
        commits.acknowledge(Version::from_seq(5), 3).expect("it is sent");
        let heard = commits.next(1 << 20).await.expect("an answer");
        assert_eq!(heard.head, Version::from_seq(5));
    });
}

#[test]
fn who_acknowledges_nothing_sends_nothing() {
    run_paused(async {
        let store = store(|| vec![said(Vec::new())]).await;
        let silent = Reader { acknowledges: false, ..reader() };
        let mut commits = store.open(START, silent).await.expect("it is begun");
        commits.next(1 << 20).await.expect("an answer");
        commits.acknowledge(Version::from_seq(5), 3).expect("it is taken");
        let error = commits.next(1 << 20).await.expect_err("nothing comes");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
}

#[test]
fn what_no_server_sends_in_earnest_is_an_error() {
    run_paused(async {
        let nothing = || said(Vec::new());
        let spoiled = |spoil: fn(&mut proto::PagesPiece)| {
            let mut spoiled = piece(3, true);
            spoil(&mut spoiled);
            vec![nothing(), said(vec![spoiled])]
        };
        let other = proto::FollowPagesResponse { server: 8, ..nothing() };
        let head = proto::FollowPagesResponse { head: "x".into(), ..nothing() };
        for (answers, words) in [
            (vec![other.clone()], "another server"),
            (vec![nothing(), other], "another server"),
            (vec![head], "10 bytes"),
            // What the reader has, and what came already.
            (vec![nothing(), said(vec![piece(2, true)])], "not in their order"),
            (vec![nothing(), said(vec![piece(4, true), piece(4, true)])], "not in their order"),
            (vec![nothing(), said(vec![piece(4, true), piece(3, true)])], "not in their order"),
            // Another one in the middle of one.
            (vec![nothing(), said(vec![piece(3, false), piece(4, true)])], "not in their order"),
            (spoiled(|piece| piece.version = Bytes::new()), "not in their order"),
            (spoiled(|piece| piece.commit_id = Bytes::new()), "16 bytes"),
            (spoiled(|piece| piece.namespaces[0].pages[0].number = 0), "number 0"),
        ] {
            let error = fed(answers).await;
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
        // Two bytes each, and a lot more in memory.
        let mut many = piece(3, true);
        many.namespaces[0].pages = vec![proto::Page::default(); 400_000];
        let error = fed(vec![nothing(), said(vec![many])]).await;
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    });
}
