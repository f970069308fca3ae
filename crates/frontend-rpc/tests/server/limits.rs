use std::io;

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::{EchoRequest, PopFirstRequest, PopFirstResponse, StreamRequest};
use http::{Method, Request};
use prost::Message;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::kit::{Client, echo, get, path, run, serve, set, set_request};

const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INVALID_ARGUMENT: i32 = 3;

#[test]
fn a_message_may_be_as_large_as_the_limit() {
    let server = serve("max_message_bytes = 100000");
    run(async {
        let client = server.client().await;
        let mut message = set_request("tenon", &"o".repeat(90_000));
        while message.encoded_len() < 100_000 {
            message.value = [&message.value[..], b"o"].concat().into();
        }
        assert_eq!(client.ask(&path("Set"), &message, &[]).await.code, 0);
        message.value = [&message.value[..], b"o"].concat().into();
        let reply = client.ask(&path("Set"), &message, &[]).await;
        assert_eq!(reply.code, RESOURCE_EXHAUSTED, "{reply:?}");
        assert_eq!(get(&client, "tenon").await.len(), message.value.len() - 1);
        // In a stream, too.
        let mut stream = client.begin(&path("Stream"), &[]).await.unwrap();
        let set = RequestOneof::SetRequest(message);
        stream.say(&StreamRequest { request_oneof: Some(set), omit_response: false }, false);
        assert_eq!(stream.rest().await.code, RESOURCE_EXHAUSTED);
        echo(&client).await;
    });
}

#[test]
fn large_values_go_there_and_back() {
    let server = serve("max_message_bytes = 20000000");
    run(async {
        let client = server.client().await;
        for length in [0, 1, 16_384, 65_535, 65_536, 1_000_003, 16_000_000] {
            let value = "oak and ash ".repeat(length / 12 + 1)[..length].to_owned();
            set(&client, "tenon", &value).await;
            assert!(get(&client, "tenon").await == value, "{length}");
        }
    });
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let server = serve("max_connections = 2");
    run(async {
        let (first, second) = (server.client().await, server.client().await);
        echo(&first).await;
        echo(&second).await;
        for _ in 0..3 {
            assert!(is_closed(TcpStream::connect(server.address()).await.unwrap()).await);
        }
        echo(&first).await;
        // A place that becomes free is taken again; when is the system's to say.
        drop(second);
        loop {
            let tcp = TcpStream::connect(server.address()).await.unwrap();
            if let Ok(client) = Client::over(tcp).await
                && client.ready().await.is_ok()
            {
                echo(&client).await;
                break;
            }
        }
    });
}

async fn is_closed(mut tcp: TcpStream) -> bool {
    match tcp.read(&mut [0]).await {
        Ok(read) => read == 0,
        Err(e) => e.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn requests_beyond_the_limit_are_refused() {
    let server = serve("max_requests = 2");
    run(async {
        let client = server.client().await;
        server.gate.shut();
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut call = client.begin(&path("Set"), &[]).await.unwrap();
            call.say(&set_request("tenon", "oak"), true);
            waiting.push(call);
        }
        server.gate.waiting(2).await;
        let other = server.client().await;
        let reply = other.ask(&path("Echo"), &EchoRequest::default(), &[]).await;
        assert_eq!(reply.code, RESOURCE_EXHAUSTED, "{reply:?}");
        server.gate.open();
        for call in waiting {
            assert_eq!(call.rest().await.code, 0);
        }
        echo(&other).await;
    });
}

#[test]
fn a_client_that_is_gone_gives_its_place_back() {
    let server = serve("max_requests = 1");
    run(async {
        server.gate.shut();
        for drops_connection in [false, true] {
            let client = server.client().await;
            let mut call = client.begin(&path("Set"), &[]).await.unwrap();
            call.say(&set_request("tenon", "oak"), true);
            server.gate.waiting(1).await;
            if drops_connection {
                drop(call);
                client.abort();
            } else {
                call.send.send_reset(h2::Reason::CANCEL);
            }
            server.gate.waiting(0).await;
        }
        server.gate.open();
    });
}

#[test]
fn streams_beyond_the_limit_of_a_connection_wait_for_their_turn() {
    let server = serve("max_streams = 2");
    run(async {
        let client = server.client().await;
        echo(&client).await;
        server.gate.shut();
        let mut calls = Vec::new();
        for _ in 0..2 {
            let mut call = client.begin(&path("Set"), &[]).await.unwrap();
            call.say(&set_request("tenon", "oak"), true);
            calls.push(call);
        }
        server.gate.waiting(2).await;
        assert_eq!(client.streams_at_once(), 2);
        server.gate.open();
        for call in calls {
            assert_eq!(call.rest().await.code, 0);
        }
        echo(&client).await;
    });
}

#[test]
fn a_deadline_of_the_client_is_kept() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        server.gate.shut();
        let timeout = [("grpc-timeout", "20m")];
        let reply = client.ask(&path("Set"), &set_request("tenon", "oak"), &timeout).await;
        assert_eq!(reply.code, DEADLINE_EXCEEDED, "{reply:?}");
        server.gate.waiting(0).await;
        server.gate.open();

        // A stream has one, too.
        let stream = client.begin(&path("Stream"), &timeout).await.unwrap();
        assert_eq!(stream.rest().await.code, DEADLINE_EXCEEDED);
        // And one who waits.
        let wait = PopFirstRequest { retry_wait: 1e6, ..Default::default() };
        let reply = client.ask(&path("PopFirst"), &wait, &timeout).await;
        assert_eq!(reply.code, DEADLINE_EXCEEDED, "{reply:?}");
        let timeout = [("grpc-timeout", "1x")];
        let reply = client.ask(&path("Echo"), &EchoRequest::default(), &timeout).await;
        assert_eq!(reply.code, INVALID_ARGUMENT, "{reply:?}");
    });
}

#[test]
fn a_request_that_takes_too_long_is_given_up() {
    let server = serve("request_timeout_s = 1");
    run(async {
        let client = server.client().await;
        // One whose message never comes, one whose message never ends, and one
        // that is not answered.
        let silent = client.begin(&path("Get"), &[]).await.unwrap();
        let mut half = client.begin(&path("PopFirst"), &[]).await.unwrap();
        let wait = PopFirstRequest { retry_wait: 1e6, ..Default::default() };
        half.say(&wait, false);
        server.gate.shut();
        let reply = client.ask(&path("Set"), &set_request("tenon", "oak"), &[]).await;
        assert_eq!(reply.code, DEADLINE_EXCEEDED, "{reply:?}");
        assert_eq!(silent.rest().await.code, DEADLINE_EXCEEDED);
        assert_eq!(half.rest().await.code, DEADLINE_EXCEEDED);
        server.gate.waiting(0).await;
        server.gate.open();

        // Who says how long to wait may wait so long.
        let wait = PopFirstRequest { retry_wait: 1.5, ..Default::default() };
        let reply = client.ask(&path("PopFirst"), &wait, &[]).await;
        assert_eq!(reply.code, 0, "{reply:?}");
        let answer = PopFirstResponse::decode(&*reply.answers[0]).unwrap();
        assert_eq!(answer.status.unwrap().code, 7);
    });
}

#[test]
fn a_connection_without_requests_is_closed() {
    let server = serve("idle_timeout_s = 1");
    run(async {
        let client = server.client().await;
        echo(&client).await;
        // One that does something stays.
        let busy = server.client().await;
        let stream = busy.begin(&path("Stream"), &[]).await.unwrap();
        client.closed().await.unwrap();
        drop(stream);
        busy.closed().await.unwrap();
    });
}

#[test]
fn what_is_not_there_or_no_grpc_is_said_to_be_so() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        for path in [
            "/",
            "/x",
            "//",
            "/tkrzw_rpc.DBMService",
            "/tkrzw_rpc.DBMService/",
            "/tkrzw_rpc.DBMService/None",
            "/other.Service/Get",
            "/grpc.health.v1.Health/Nonsense",
        ] {
            let reply = client.ask(path, &EchoRequest::default(), &[]).await;
            assert_eq!((reply.http, reply.code), (200, UNIMPLEMENTED), "{path}: {reply:?}");
        }
        let request = |method: Method, kind: Option<&str>| {
            let mut request =
                Request::builder().method(method).uri(format!("http://localhost{}", path("Echo")));
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            request.body(()).unwrap()
        };
        for (method, kind, status) in [
            (Method::GET, Some("application/grpc"), 405),
            (Method::POST, None, 415),
            (Method::POST, Some("text/html"), 415),
            (Method::POST, Some("application/grpc-web"), 415),
        ] {
            let call = client.raw(request(method, kind), true).await.unwrap();
            assert_eq!(call.rest().await.http, status, "{kind:?}");
        }
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc; x=y"] {
            let mut call = client.raw(request(Method::POST, Some(kind)), false).await.unwrap();
            call.say(&EchoRequest::default(), true);
            assert_eq!(call.rest().await.code, 0, "{kind}");
        }
    });
}
