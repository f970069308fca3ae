//! Those who mean harm, and those who do not know what they do.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use hozo_proto::tkrzw_rpc::stream_request::RequestOneof;
use hozo_proto::tkrzw_rpc::{CompareExchangeRequest, EchoRequest, StreamRequest};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::kit::{Client, echo, frame, path, run, serve, set, set_request};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const RESOURCE_EXHAUSTED: i32 = 8;
/// What a server may take of one who does not read: buffers of both systems and
/// both sides, and no more.
const TAKEN_MAX: usize = 64 << 20;
/// When nothing was taken for so long, nothing will be. Too short a time makes a
/// test weaker, not wrong.
const STUCK: Duration = Duration::from_millis(500);

/// How often one asks who asks again and again: more often is an attack of its own.
const PACE: Duration = Duration::from_millis(20);

/// A frame of HTTP/2.
fn http2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a request for `path`, without any compression.
fn headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

async fn speak(address: SocketAddr) -> TcpStream {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(&[PREFACE, &SETTINGS].concat()).await.unwrap();
    tcp
}

/// Reads until the server closes, or resets, the connection.
async fn until_closed(tcp: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = tcp.read_to_end(&mut said).await;
    said
}

/// Says all of it, and reads what there is to read meanwhile: a server that
/// cannot write does not read. It may be cut off half-way.
async fn say_and_read(tcp: &mut TcpStream, what: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = tcp.split();
    let mut said = Vec::new();
    let saying = async {
        let _ = write.write_all(what).await;
    };
    let reading = async {
        let _ = read.read_to_end(&mut said).await;
    };
    both(saying, reading).await;
    said
}

/// Runs both until the second is done.
async fn both(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    let mut first_done = false;
    std::future::poll_fn(|context| {
        first_done = first_done || first.as_mut().poll(context).is_ready();
        second.as_mut().poll(context)
    })
    .await;
}

/// Whether the connection ended with GOAWAY and this reason.
fn went_away(said: &[u8], reason: u32) -> bool {
    let mut rest = said;
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { return false };
        if head[3] == 7 && payload[4..8] == reason.to_be_bytes() {
            return true;
        }
        rest = after;
    }
    false
}

const ENHANCE_YOUR_CALM: u32 = 11;

#[test]
fn garbage_is_cut_off() {
    let server = serve("");
    run(async {
        for garbage in [
            &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &[0xff; 4096],
            b"\0",
        ] {
            let mut tcp = TcpStream::connect(server.address()).await.unwrap();
            tcp.write_all(garbage).await.unwrap();
            // The last is only a beginning, and goes on when this side is done.
            tcp.shutdown().await.unwrap();
            until_closed(&mut tcp).await;
        }
        for (kind, flags, stream, payload) in [
            // A frame that is too large, one of no stream, one of a stream that is
            // not there, an even stream, headers that are none, settings that are
            // none, a window that overflows.
            (0, 0, 1, vec![0; 20_000]),
            (0, 0, 0, vec![1]),
            (0, 0, 1, vec![1]),
            (1, 4, 2, headers("/")),
            (1, 4, 1, vec![0xff; 100]),
            (4, 0, 0, vec![0; 5]),
            (8, 0, 0, vec![0x7f, 0xff, 0xff, 0xff]),
            (9, 4, 1, vec![0x82]),
        ] {
            let mut tcp = speak(server.address()).await;
            let _ = tcp.write_all(&http2(kind, flags, stream, &payload)).await;
            until_closed(&mut tcp).await;
        }
        echo(&server.client().await).await;
    });
}

#[test]
fn who_never_begins_is_cut_off() {
    let server = serve("max_connections = 4");
    run(async {
        // Nothing, half a preface, and a whole one in single bytes at last.
        let mut silent = TcpStream::connect(server.address()).await.unwrap();
        let mut half = TcpStream::connect(server.address()).await.unwrap();
        half.write_all(&PREFACE[..10]).await.unwrap();
        let mut slow = TcpStream::connect(server.address()).await.unwrap();
        for byte in [PREFACE, &SETTINGS].concat() {
            slow.write_all(&[byte]).await.unwrap();
        }
        let client = server.client().await;
        echo(&client).await;
        until_closed(&mut silent).await;
        until_closed(&mut half).await;
        // Their places are free again, and the slow one has its own.
        echo(&client).await;
        let mut more = speak(server.address()).await;
        more.write_all(&http2(6, 0, 0, &[7; 8])).await.unwrap();
        slow.write_all(&http2(6, 0, 0, &[7; 8])).await.unwrap();
        for tcp in [&mut more, &mut slow] {
            let mut said = Vec::new();
            while !said.windows(17).any(|frame| frame == http2(6, 1, 0, &[7; 8])) {
                assert_ne!(tcp.read_buf(&mut said).await.unwrap(), 0);
            }
        }
    });
}

#[test]
fn headers_without_end_are_cut_off() {
    let server = serve("");
    run(async {
        let mut tcp = speak(server.address()).await;
        let mut flood = http2(1, 0, 1, &headers("/"));
        let mut field = vec![0x40, 10];
        field.extend(b"x-continue");
        field.push(0);
        for _ in 0..20_000 {
            flood.extend(http2(9, 0, 1, &field));
        }
        say_and_read(&mut tcp, &flood).await;

        // Too many headers, but an end: that request is refused, no more.
        let client = server.client().await;
        let long = "x".repeat(30_000);
        let reply = client.ask(&path("Echo"), &EchoRequest::default(), &[("x-long", &long)]).await;
        assert_ne!(reply.code, 0, "{reply:?}");
        echo(&client).await;
    });
}

#[test]
fn requests_that_are_reset_at_once_are_cut_off() {
    let server = serve("");
    run(async {
        let mut tcp = speak(server.address()).await;
        let head = headers(&path("Echo"));
        let mut flood = Vec::new();
        for stream in (1..200_000).step_by(2) {
            flood.extend(http2(1, 4, stream, &head));
            flood.extend(http2(3, 0, stream, &8_u32.to_be_bytes()));
        }
        let said = say_and_read(&mut tcp, &flood).await;
        assert!(went_away(&said, ENHANCE_YOUR_CALM));
        echo(&server.client().await).await;
    });
}

#[test]
fn more_streams_than_allowed_are_cut_off() {
    let server = serve("max_streams = 8\nmax_requests = 100");
    run(async {
        server.gate.shut();
        let mut tcp = speak(server.address()).await;
        let head = headers(&path("Set"));
        let mut flood = Vec::new();
        for stream in (1..20_000).step_by(2) {
            flood.extend(http2(1, 4, stream, &head));
            flood.extend(http2(0, 1, stream, &frame(&set_request("a", "b").encode_to_vec())));
        }
        let said = say_and_read(&mut tcp, &flood).await;
        assert!(went_away(&said, ENHANCE_YOUR_CALM));
        // What it had begun went with it.
        server.gate.waiting(0).await;
    });
}

#[test]
fn pings_and_settings_without_end_do_not_pile_up() {
    let server = serve("");
    run(async {
        for flood in [http2(6, 0, 0, &[7; 8]), SETTINGS.to_vec()] {
            let tcp = speak(server.address()).await;
            let flood = flood.repeat(10_000);
            // Never reads: then the server stops to read, too, before it has
            // written down many answers, or cuts it off.
            let mut taken = 0;
            while timeout(STUCK, tcp.writable()).await.is_ok() {
                match tcp.try_write(&flood) {
                    Ok(written) => taken += written,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
                assert!(taken < TAKEN_MAX, "it takes and takes");
            }
            echo(&server.client().await).await;
        }
    });
}

#[test]
fn an_answer_that_is_never_read_keeps_only_its_own_stream() {
    let server = serve("max_requests = 8\nrequest_timeout_s = 8");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", &"oak".repeat(1_000_000)).await;
        // Answers of 3 MB each to one who opens no window for them.
        let mut unread = Vec::new();
        for _ in 0..8 {
            let mut call = client.begin(&path("Get"), &[]).await.unwrap();
            call.say(&crate::kit::get_request("tenon"), true);
            unread.push(call);
        }
        let other = server.client().await;
        loop {
            let reply = other.ask(&path("Echo"), &EchoRequest::default(), &[]).await;
            if reply.code == RESOURCE_EXHAUSTED {
                break;
            }
        }
        // Their time ends, and others have theirs.
        loop {
            let reply = other.ask(&path("Echo"), &EchoRequest::default(), &[]).await;
            if reply.code == 0 {
                break;
            }
            sleep(PACE).await;
        }
        for call in unread {
            assert_eq!(call.rest().await.code, -1);
        }
    });
}

#[test]
fn answers_that_are_not_read_share_a_room() {
    const ANSWERS: usize = 150;
    let server = serve("");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", &"oak".repeat(1_000_000)).await;
        let mut unread = Vec::new();
        for _ in 0..ANSWERS {
            let mut call = client.begin(&path("Get"), &[]).await.unwrap();
            call.say(&crate::kit::get_request("tenon"), true);
            unread.push(call);
        }
        // 256 MiB are room for some ninety of 3 MB. Whatever else is asked for is
        // refused at once: what says so needs no window.
        let (refused, mut refusals) = mpsc::channel(ANSWERS);
        for call in unread {
            let refused = refused.clone();
            tokio::spawn(async move {
                if call.rest().await.code == RESOURCE_EXHAUSTED {
                    refused.send(()).await.unwrap();
                }
            });
        }
        for _ in 0..50 {
            refusals.recv().await.unwrap();
        }
        echo(&server.client().await).await;
    });
}

#[test]
fn an_update_that_was_made_is_answered_whether_there_is_room_or_not() {
    const ANSWERS: usize = 95;
    let server = serve("");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", &"oak".repeat(1_000_000)).await;
        server.gate.shut();
        let exchange = CompareExchangeRequest {
            key: "tenon".into(),
            expected_existence: true,
            expect_any_value: true,
            desire_no_update: true,
            get_actual: true,
            ..Default::default()
        };
        let mut unread = Vec::new();
        for _ in 0..ANSWERS {
            let mut call = client.begin(&path("CompareExchange"), &[]).await.unwrap();
            call.say(&exchange, true);
            unread.push(call);
        }
        // There is room for each when it begins, and not for all when they are done.
        server.gate.waiting(ANSWERS).await;
        server.gate.open();
        let other = server.client().await;
        while other.ask(&path("CompareExchange"), &exchange, &[]).await.code == 0 {
            sleep(PACE).await;
        }
        // All at once, as they share the connection's window.
        let reading: Vec<_> = unread.into_iter().map(|call| tokio::spawn(call.rest())).collect();
        for reply in reading {
            let reply = reply.await.unwrap();
            assert_eq!((reply.code, reply.answers.len()), (0, 1), "{}", reply.message);
        }
        assert_eq!(other.ask(&path("CompareExchange"), &exchange, &[]).await.code, 0);
    });
}

#[test]
fn streams_that_are_never_read_give_their_room_back() {
    let server = serve("request_timeout_s = 5");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", &"oak".repeat(1_000_000)).await;
        let other = server.client().await;
        let asking = crate::kit::get_request("tenon");
        let mut unread = Vec::new();
        while other.ask(&path("Get"), &asking, &[]).await.code == 0 {
            // Many at a time, so that it is full before the first must give back.
            for _ in 0..30 {
                let mut stream = client.begin(&path("Stream"), &[]).await.unwrap();
                let request_oneof = Some(RequestOneof::GetRequest(asking.clone()));
                stream.say(&StreamRequest { request_oneof, omit_response: false }, false);
                unread.push(stream);
            }
        }
        // Nobody reads, nobody goes, and there is room again.
        while other.ask(&path("Get"), &asking, &[]).await.code != 0 {
            sleep(PACE).await;
        }
        drop(unread);
    });
}

#[test]
fn answers_that_are_read_drop_by_drop_give_their_room_back() {
    const DROP: usize = 100;
    let server = serve("request_timeout_s = 2");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", &"oak".repeat(1_000_000)).await;
        let asking = crate::kit::get_request("tenon");
        let narrow = Client::narrow(server.address(), 2 * DROP as u32).await;
        let mut slow = Vec::new();
        while client.ask(&path("Get"), &asking, &[]).await.code == 0 {
            for _ in 0..30 {
                let mut stream = narrow.begin(&path("Stream"), &[]).await.unwrap();
                let request_oneof = Some(RequestOneof::GetRequest(asking.clone()));
                stream.say(&StreamRequest { request_oneof, omit_response: false }, false);
                slow.push(tokio::spawn(async move {
                    while stream.drip().await {
                        sleep(PACE).await;
                    }
                }));
            }
        }
        // All of them go on to read, and there is room again.
        while client.ask(&path("Get"), &asking, &[]).await.code != 0 {
            sleep(PACE).await;
        }
        slow.into_iter().for_each(|slow| slow.abort());
    });
}

#[test]
fn a_stream_that_is_never_read_is_not_answered_any_further() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut stream = client.begin(&path("Stream"), &[]).await.unwrap();
        let message = "oak".repeat(10_000);
        let echo_request = RequestOneof::EchoRequest(EchoRequest { message });
        let request = StreamRequest { request_oneof: Some(echo_request), omit_response: false };
        let framed = frame(&request.encode_to_vec());
        // It says more until the server takes no more: that must come, and long
        // before this has filled anybody's memory.
        let mut taken = 0;
        loop {
            stream.send.reserve_capacity(framed.len());
            let room = std::future::poll_fn(|context| stream.send.poll_capacity(context));
            match timeout(STUCK, room).await {
                Ok(Some(Ok(0))) => {}
                Ok(Some(Ok(_))) if stream.send.capacity() < framed.len() => {}
                Ok(Some(Ok(_))) => {
                    taken += framed.len();
                    assert!(taken < TAKEN_MAX, "it takes and takes");
                    stream.send.send_data(framed.clone(), false).unwrap();
                }
                Ok(gone) => panic!("{gone:?}"),
                Err(_) => break,
            }
        }
        assert!(taken > 0);
        // Others are served, on the same connection, too.
        echo(&server.client().await).await;
        // And when it reads at last, it has all its answers.
        let answers = taken / framed.len();
        for _ in 0..answers {
            stream.answer().await.unwrap().expect("an answer");
        }
    });
}

#[test]
fn a_long_pipeline_of_small_messages_is_no_attack() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        let mut stream = client.begin(&path("Stream"), &[]).await.unwrap();
        let echo = RequestOneof::EchoRequest(EchoRequest { message: String::new() });
        let request = StreamRequest { request_oneof: Some(echo), omit_response: false };
        // Each is a frame of its own, and far more than the server reads at once.
        for _ in 0..50_000 {
            stream.say(&request, false);
        }
        stream.send.send_data(bytes::Bytes::new(), true).unwrap();
        let reply = stream.rest().await;
        assert_eq!((reply.code, reply.answers.len()), (0, 50_000), "{}", reply.message);
    });
}

#[test]
fn messages_that_lie_about_their_length_end_with_their_request() {
    let server = serve("request_timeout_s = 1");
    run(async {
        let client = server.client().await;
        for bytes in [
            // Longer than the limit, longer than what follows, compressed, unknown
            // flags, shorter than a frame's head, and no message at all.
            &b"\0\xff\xff\xff\xff"[..],
            b"\0\0\0\x10\0abc",
            b"\x01\0\0\0\x01a",
            b"\x07\0\0\0\0",
            b"\0\0",
            b"",
            b"\0\0\0\0\x03\xff\xff\xff",
        ] {
            let mut call = client.begin(&path("Get"), &[]).await.unwrap();
            call.send.send_data(bytes.to_vec().into(), true).unwrap();
            let reply = call.rest().await;
            assert!(reply.code > 0, "{bytes:?}: {reply:?}");
        }
        echo(&client).await;
    });
}

#[test]
fn ten_thousand_connections_come_and_go() {
    let server = serve("max_connections = 64");
    run(async {
        for round in 0..10_000 {
            // At the limit some are closed by the server, and that is no error.
            let Ok(mut tcp) = TcpStream::connect(server.address()).await else { continue };
            match round % 4 {
                0 => {}
                1 => drop(tcp.write_all(PREFACE).await),
                2 => drop(tcp.write_all(&[PREFACE, &SETTINGS].concat()).await),
                _ => {
                    let head = http2(1, 4, 1, &headers(&path("Echo")));
                    drop(tcp.write_all(&[PREFACE, &SETTINGS, &head].concat()).await);
                }
            }
        }
        // All places are free again: as many as there are fit at once.
        loop {
            let mut clients = Vec::new();
            for _ in 0..64 {
                let Ok(tcp) = TcpStream::connect(server.address()).await else { break };
                let Ok(client) = Client::over(tcp).await else { break };
                if client.ready().await.is_err() {
                    break;
                }
                clients.push(client);
            }
            if clients.len() == 64 {
                break;
            }
        }
    });
    server.running.stop(crate::kit::PATIENCE).unwrap();
}
