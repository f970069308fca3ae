//! Servers from which nothing comes, by a clock that the tests have in hand.

use std::time::Duration;

use hozo_client::{Client, ErrorKind};
use hozo_proto::hozo_v1::hello::Start as Sent;
use hozo_traits::{FeedReader, Position, Start};
use prost::Message;
use tokio::time::{Instant, sleep, timeout};

use super::fake::{Call, client, client_of};
use super::{part, reader, update, welcome};
use crate::run_paused;
use crate::scripted::frame;

async fn reading<F>(serve: fn(Call) -> F) -> Box<dyn FeedReader>
where
    F: Future<Output = ()> + Send + 'static,
{
    let client = client(move |mut call| async move {
        call.hello().await;
        call.give(&welcome());
        serve(call).await;
    });
    let feed = client.feed(&reader()).await.expect("it is welcome");
    feed.open(Start::After(Position::default()), reader()).await.expect("it is welcome")
}

async fn silent(mut call: Call) {
    call.left().await;
}

const SILENCE: Duration = Duration::from_secs(10);

#[test]
fn a_server_that_says_nothing_is_gone_after_ten_seconds() {
    run_paused(async {
        let mut updates = reading(silent).await;
        let began = Instant::now();
        let error = updates.next(1).await.expect_err("nothing comes");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("nothing came"), "{error}");
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs());
        // That is the end of it: something that comes now is too late.
        let again = updates.next(1).await.expect_err("it is over");
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs());
    });
}

#[test]
fn who_waits_in_many_pieces_waits_no_longer() {
    run_paused(async {
        let mut updates = reading(silent).await;
        let mut waits = 0;
        let error = loop {
            match timeout(Duration::from_secs(1), updates.next(1)).await {
                Ok(next) => break next.expect_err("nothing comes"),
                Err(_) => waits += 1,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!((9..=10).contains(&waits), "{waits}");
    });
}

#[test]
fn a_server_that_says_that_there_is_nothing_is_there() {
    run_paused(async {
        let mut updates = reading(|mut call| async move {
            for _ in 0..20 {
                sleep(SILENCE - Duration::from_secs(1)).await;
                call.give(&part(Vec::new(), 10));
            }
            call.left().await;
        })
        .await;
        for _ in 0..20 {
            assert_eq!(updates.next(1).await.expect("nothing, said").updates, []);
        }
        updates.next(1).await.expect_err("nothing comes");
    });
}

#[test]
fn a_large_message_on_a_slow_way_may_take_its_time() {
    run_paused(async {
        let mut updates = reading(|mut call| async move {
            for byte in frame(&part(vec![update(11, 20)], 11).encode_to_vec()) {
                sleep(SILENCE / 2).await;
                call.give_bytes(vec![byte].into());
            }
            call.left().await;
        })
        .await;
        assert_eq!(updates.next(1).await.expect("it came").updates.len(), 1);
    });
}

#[test]
fn what_came_while_nobody_waited_is_not_too_late() {
    run_paused(async {
        let mut updates = reading(|mut call| async move {
            call.give(&part(vec![update(11, 20)], 11));
            sleep(60 * SILENCE).await;
            call.give(&part(vec![update(12, 20)], 12));
            call.left().await;
        })
        .await;
        updates.next(1).await.expect("the first");
        // Who reads is busy for longer than the server says nothing.
        sleep(61 * SILENCE).await;
        updates.next(1).await.expect("the second");
    });
}

#[test]
fn a_welcome_may_take_as_long_as_a_call() {
    run_paused(async {
        let builder = Client::builder("").timeout(Duration::from_secs(40));
        let client = client_of(builder, 1 << 20, |mut call: Call| async move {
            if !matches!(call.hello().await.start, Some(Sent::Greeting(_))) {
                std::future::pending::<()>().await;
            }
            sleep(Duration::from_secs(39)).await;
            call.give(&welcome());
            call.left().await;
        });
        let feed = client.feed(&reader()).await.expect("it took a while");
        let began = Instant::now();
        let opened = feed.open(Start::After(Position::default()), reader()).await;
        let error = opened.err().expect("nobody welcomes it");
        assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::TimedOut, 40));
    });
}
