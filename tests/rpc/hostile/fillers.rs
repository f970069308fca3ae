//! Clients that keep to every rule of HTTP/2, and fill what room there is.

use bytes::Bytes;
use hozo_conformance::Rng;
use tokio::net::TcpStream;

use super::frames::message;
use crate::kit::Kit;
use crate::server::Server;

const CONNECTIONS: usize = 2;
const STREAMS: usize = 100;

/// Messages of almost 4 MiB that lack their last byte, as many as there may be
/// calls: all of them are more than a server should hold. What is refused is
/// refused.
pub(super) fn all_but_finished(server: &Server, _rng: &mut Rng) {
    let kit = Kit::as_is(server.address(), 0);
    let mut body = message(&vec![0; (4 << 20) - 100]);
    body.pop();
    let body = Bytes::from(body);
    let mut filling = Vec::new();
    for _ in 0..CONNECTIONS {
        let (address, body) = (server.address().to_owned(), body.clone());
        filling.push(kit.spawn(async move {
            let socket = TcpStream::connect(address).await.expect("connected");
            let (mut client, connection) = h2::client::handshake(socket).await.expect("greeted");
            let connection = tokio::spawn(connection);
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                client = client.ready().await.expect("the connection holds");
                let request = http::Request::post("http://localhost/tkrzw_rpc.DBMService/Set")
                    .header("content-type", "application/grpc")
                    .header("te", "trailers");
                let request = request.body(()).expect("a request");
                let (answer, send) =
                    client.send_request(request, false).expect("the connection holds");
                let body = body.clone();
                streams.push(tokio::spawn(async move {
                    let mut send = send;
                    let all = fill(&mut send, body).await;
                    (answer, send, all)
                }));
            }
            let mut taken = 0;
            let mut held = Vec::new();
            for stream in streams {
                let (answer, send, all) = stream.await.expect("no panic");
                taken += usize::from(all);
                held.push((answer, send));
            }
            (client, connection, held, taken)
        }));
    }
    let mut held: Vec<_> = filling.into_iter().map(|one| kit.run(one).expect("no panic")).collect();
    let taken: usize = held.iter().map(|(.., taken)| taken).sum();
    println!("{taken} of {} messages were taken but for a byte", CONNECTIONS * STREAMS);
    held.clear();
}

/// Sends as much as there is a window for, until nothing moves for a while.
async fn fill(send: &mut h2::SendStream<Bytes>, mut body: Bytes) -> bool {
    while !body.is_empty() {
        send.reserve_capacity(body.len().min(64 << 10));
        let capacity = std::future::poll_fn(|context| send.poll_capacity(context));
        let capacity = tokio::time::timeout(super::frames::STUCK, capacity).await;
        let Ok(Some(Ok(capacity))) = capacity else { return false };
        let part = body.split_to(capacity.min(body.len()));
        if send.send_data(part, false).is_err() {
            return false;
        }
    }
    true
}
