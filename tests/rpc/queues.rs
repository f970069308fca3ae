//! PushLast and PopFirst as a queue between clients.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_proto::StatusCode::{NotFoundError, Success};
use hozo_proto::tkrzw_rpc::*;
use tokio::sync::Barrier;

use crate::kit::{Client, Kit, b, code};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 4;
const EACH: usize = 200;
/// What tells a consumer that there will be nothing more.
const END: &[u8] = b"end";

async fn push(client: &mut Client, dbm_index: i32, value: Bytes, notify: bool) {
    let request = PushLastRequest { dbm_index, value, wtime: -1.0, notify };
    let answer = client.push_last(request).await.expect("answered").into_inner();
    assert_eq!(code(&answer.status), Success);
}

/// Waits for a record, however long it takes.
async fn pop(client: &mut Client, dbm_index: i32) -> Bytes {
    loop {
        let request = PopFirstRequest { dbm_index, retry_wait: 20.0, ..Default::default() };
        let answer = client.pop_first(request).await.expect("answered").into_inner();
        match code(&answer.status) {
            Success => return answer.value,
            status => assert_eq!(status, NotFoundError),
        }
    }
}

/// Nothing is lost and nothing comes twice, and where keys have an order each
/// consumer sees what one producer pushed in its order.
pub(crate) fn nothing_lost(kit: &Kit, seed: u64) {
    let start = Arc::new(Barrier::new(PRODUCERS + CONSUMERS));
    let index = kit.index;
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (mut client, start) = (kit.another(), Arc::clone(&start));
            kit.spawn(async move {
                start.wait().await;
                let mut mine = Vec::new();
                loop {
                    match pop(&mut client, index).await {
                        value if value == END => return mine,
                        value => mine.push(value),
                    }
                }
            })
        })
        .collect();
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|me| {
            let (mut client, start) = (kit.another(), Arc::clone(&start));
            let mut rng = Rng::new(seed).fork(&me.to_string());
            kit.spawn(async move {
                start.wait().await;
                for n in 0..EACH {
                    let value = b(format!("{me} {n:06}"));
                    push(&mut client, index, value, rng.one_in(2)).await;
                    // So that consumers have to wait now and then.
                    if rng.one_in(20) {
                        client.echo(EchoRequest::default()).await.expect("answered");
                    }
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| kit.run(producer).expect("no panic"));
    let mut client = kit.client();
    // Without an order the end may come before what is still there.
    kit.run(async {
        while count(&mut client, index).await > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..CONSUMERS {
            push(&mut client, index, b(END), true).await;
        }
    });
    let popped: Vec<Vec<Bytes>> =
        consumers.into_iter().map(|consumer| kit.run(consumer).expect("no panic")).collect();
    if kit.ordered {
        for mine in &popped {
            for producer in 0..PRODUCERS {
                let prefix = format!("{producer} ");
                let of = mine.iter().filter(|value| value.starts_with(prefix.as_bytes()));
                assert!(of.is_sorted(), "HOZO_SEED={seed}: {mine:?}");
            }
        }
    }
    let all: Vec<Bytes> = popped.into_iter().flatten().collect();
    let distinct: BTreeSet<&Bytes> = all.iter().collect();
    let expected = PRODUCERS * EACH;
    assert_eq!((all.len(), distinct.len()), (expected, expected), "HOZO_SEED={seed}");
    assert_eq!(kit.counted(), 0);
}

async fn count(client: &mut Client, dbm_index: i32) -> i64 {
    client.count(CountRequest { dbm_index }).await.expect("answered").into_inner().count
}

/// Consumers that go away while they wait: each may take one record with it, whose
/// answer was under way, and no more.
pub(crate) fn consumers_go_away(kit: &Kit, seed: u64) {
    const GOING: usize = 60;
    let (index, mut rng) = (kit.index, Rng::new(seed));
    let mut client = kit.another();
    let mut pushed = 0;
    for _ in 0..GOING {
        let mut other = kit.another();
        let going = kit.spawn(async move { pop(&mut other, index).await });
        if rng.one_in(3) {
            kit.run(push(&mut client, index, b("value"), true));
            pushed += 1;
        }
        if rng.one_in(2) {
            kit.echo(EchoRequest::default()).expect("answered");
        }
        going.abort();
        drop(kit.run(going));
    }
    for _ in 0..GOING {
        kit.run(push(&mut client, index, b("value"), true));
        pushed += 1;
    }
    let left = usize::try_from(kit.counted()).expect("a count");
    assert!(left <= pushed && left + GOING >= pushed, "HOZO_SEED={seed}: {left} of {pushed}");
    for _ in 0..left {
        kit.run(pop(&mut client, index));
    }
}
