use std::time::Duration;

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::{PopFirstRequest, PopFirstResponse, StreamRequest, StreamResponse};
use hozo_traits::{ErrorKind, Health, Running};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::kit::{PATIENCE, echo, keep_log, logged, path, run, serve, set_request};

const UNAVAILABLE: i32 = 14;

fn stop(
    running: Box<dyn Running>,
    within: Duration,
) -> JoinHandle<(Box<dyn Running>, hozo_traits::Result<()>)> {
    tokio::task::spawn_blocking(move || {
        let stopped = running.stop(within);
        (running, stopped)
    })
}

#[test]
fn a_call_that_was_accepted_is_finished() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let address = server.address();
        server.gate.shut();
        let mut call = client.begin(&path("Set"), &[]).await.unwrap();
        call.say(&set_request("tenon", "oak"), true);
        server.gate.waiting(1).await;
        let stopping = stop(server.running, PATIENCE);
        // Nobody new is taken any more; what was taken goes on.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished());
        server.gate.open();
        let reply = call.rest().await;
        assert_eq!((reply.code, reply.answers.len()), (0, 1), "{reply:?}");
        let (running, stopped) = stopping.await.unwrap();
        stopped.unwrap();
        client.ended().await.unwrap();
        // Once more is nothing.
        running.stop(Duration::ZERO).unwrap();
        assert!(matches!(running.health(), Health::Failed(_)));
    });
}

#[test]
fn a_call_that_does_not_end_is_broken_off() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        server.gate.shut();
        let mut call = client.begin(&path("Set"), &[]).await.unwrap();
        call.say(&set_request("tenon", "oak"), true);
        server.gate.waiting(1).await;
        let (_, stopped) = stop(server.running, Duration::from_millis(50)).await.unwrap();
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(call.rest().await.code, -1);
        // What it waited for was dropped with it.
        server.gate.waiting(0).await;
    });
}

#[test]
fn a_stream_is_answered_what_it_asked_and_ends() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut stream = client.begin(&path("Stream"), &[]).await.unwrap();
        let set = RequestOneof::SetRequest(set_request("tenon", "oak"));
        stream.say(&StreamRequest { request_oneof: Some(set), omit_response: false }, false);
        let _: StreamResponse = stream.next().await;
        let stopping = stop(server.running, PATIENCE);
        let reply = stream.rest().await;
        assert_eq!(reply.code, UNAVAILABLE, "{reply:?}");
        assert_eq!(reply.message, "the server is stopping");
        stopping.await.unwrap().1.unwrap();
    });
}

#[test]
fn one_who_waits_is_told_what_there_was() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut pop = client.begin(&path("PopFirst"), &[]).await.unwrap();
        pop.say(&PopFirstRequest { retry_wait: 1e6, ..Default::default() }, true);
        // Answered after it was taken.
        echo(&client).await;
        let stopping = stop(server.running, PATIENCE);
        let reply = pop.rest().await;
        assert_eq!(reply.code, 0, "{reply:?}");
        let answer = PopFirstResponse::decode(&*reply.answers[0]).unwrap();
        assert_eq!(answer.status.unwrap().code, 7);
        stopping.await.unwrap().1.unwrap();
    });
}

#[test]
fn who_does_nothing_does_not_keep_it() {
    keep_log();
    let server = serve("");
    run(async {
        // One that speaks HTTP/2 and one that has said nothing yet.
        let client = server.client().await;
        echo(&client).await;
        let silent = TcpStream::connect(server.address()).await.unwrap();
        let peer = format!("peer={} ", silent.local_addr().unwrap());
        // The next one was taken after it.
        echo(&server.client().await).await;
        stop(server.running, PATIENCE).await.unwrap().1.unwrap();
        client.closed().await.unwrap();
        // That it was cut off is no fault of its.
        assert!(logged(&peer).is_empty(), "{:?}", logged(&peer));
    });
}
