//! What a follower says that it has.

use futures_util::FutureExt;
use hozo_client::Client;
use hozo_proto::hozo_v1::follow_request::Request;
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_proto::hozo_v1::{Acknowledge, FollowRequest};
use hozo_traits::{FeedReader, Position, Reader, Start};
use tokio::sync::{mpsc, oneshot};

use super::fake::{Call, client_of};
use super::{position, reader, welcome};
use crate::run_paused;

/// A reader of a server that takes so many bytes unread and begins to read them
/// when it is told, and what the server reads.
async fn acknowledging(
    window_bytes: u32,
    me: Reader,
) -> (Box<dyn FeedReader>, oneshot::Sender<()>, mpsc::UnboundedReceiver<Option<Acknowledge>>) {
    let (go, begin) = oneshot::channel::<()>();
    let begin = begin.shared();
    let (heard, acknowledged) = mpsc::unbounded_channel();
    let client = client_of(Client::builder(""), window_bytes, move |mut call: Call| {
        let (heard, begin) = (heard.clone(), begin.clone());
        async move {
            if matches!(call.hello().await.start, Some(Sent::Greeting(_))) {
                call.give(&welcome());
                return call.left().await;
            }
            call.give(&welcome());
            let _ = begin.await;
            loop {
                let said = match call.next::<FollowRequest>().await {
                    Some(FollowRequest { request: Some(Request::Acknowledge(said)) }) => Some(said),
                    None => None,
                    other => panic!("no acknowledgement: {other:?}"),
                };
                let over = said.is_none();
                heard.send(said).expect("the test waits");
                if over {
                    return;
                }
            }
        }
    });
    let feed = client.feed(&me).await.expect("it is welcome");
    let updates = feed.open(Start::After(Position::default()), me).await.expect("it is welcome");
    (updates, go, acknowledged)
}

#[test]
fn what_is_acknowledged_is_sent() {
    run_paused(async {
        let (mut updates, go, mut heard) = acknowledging(1 << 20, reader()).await;
        go.send(()).expect("the server waits");
        for seq in [10, 11] {
            updates.acknowledge(&position(&[(3, 1), (7, seq)]), 5).expect("it is open");
            let said = heard.recv().await.flatten().expect("it says so");
            let position = super::wire(&[(3, 1), (7, seq)]);
            assert_eq!(said, Acknowledge { position, epoch: 5 });
        }
    });
}

#[test]
fn a_slow_server_gets_the_newest_and_keeps_nobody_waiting() {
    run_paused(async {
        // Too little for one of them, which has many servers.
        let (mut updates, go, mut heard) = acknowledging(100, reader()).await;
        for epoch in 0..10_000 {
            let servers: Vec<(u32, u64)> = (1..=20).map(|server| (server, epoch + 1)).collect();
            updates.acknowledge(&position(&servers), epoch).expect("it is open");
            if epoch % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        go.send(()).expect("the server waits");
        let mut epochs = Vec::new();
        while epochs.last() != Some(&9_999) {
            epochs.push(heard.recv().await.flatten().expect("one that is newer").epoch);
        }
        assert!(epochs.is_sorted(), "{epochs:?}");
        assert!(epochs.len() <= 3, "those in between are not sent: {epochs:?}");
    });
}

#[test]
fn a_reader_that_does_not_acknowledge_says_nothing() {
    run_paused(async {
        let me = Reader { acknowledges: false, ..reader() };
        let (mut updates, go, mut heard) = acknowledging(1 << 20, me).await;
        go.send(()).expect("the server waits");
        updates.acknowledge(&position(&[(7, 10)]), 5).expect("it is no error");
        // It had its chance.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(updates);
        assert_eq!(heard.recv().await, Some(None), "nothing but the end");
    });
}
