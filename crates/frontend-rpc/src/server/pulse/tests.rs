use std::future::poll_fn;
use std::task::Poll;

use super::*;

const IDLE: Duration = Duration::from_secs(900);

/// What becomes of a busy connection that is closing, within ten minutes, if the
/// client answers or not.
async fn ends(answers: bool) -> bool {
    let (client, server) = tokio::io::duplex(1 << 16);
    let client = tokio::spawn(h2::client::handshake(client));
    let mut server = h2::server::handshake(server).await.unwrap();
    let (_asks, client) = client.await.unwrap().unwrap();
    let mut client = std::pin::pin!(client);
    let mut pulse = Pulse::new(IDLE, server.ping_pong());
    pulse.close();
    let begun = Instant::now();
    let mut end = std::pin::pin!(tokio::time::sleep(Duration::from_secs(600)));
    let gone = poll_fn(|context| {
        loop {
            assert!(server.poll_accept(context).is_pending());
            if answers {
                assert!(client.as_mut().poll(context).is_pending());
            }
            match pulse.poll(context, true) {
                Beat::Gone => return Poll::Ready(true),
                Beat::Again => {}
                Beat::Idle => panic!("it is busy"),
                Beat::Wait => return end.as_mut().poll(context).map(|()| false),
            }
        }
    })
    .await;
    assert!(!gone || begun.elapsed() <= ASK_EVERY + ANSWER_TIMEOUT + CLOSE_TIMEOUT);
    gone
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_that_closes_is_still_asked() {
    assert!(ends(false).await);
    assert!(!ends(true).await);
}
