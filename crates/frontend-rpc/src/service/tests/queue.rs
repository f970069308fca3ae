//! DBMs as queues.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

async fn push(client: &mut Client, dbm_index: i32, value: &'static str, wtime: f64) {
    let request = PushLastRequest { dbm_index, value: value.into(), wtime, notify: false };
    let response = client.push_last(request).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
}

fn pop_request(dbm_index: i32, retry_wait: f64) -> PopFirstRequest {
    PopFirstRequest { dbm_index, retry_wait, ..Default::default() }
}

async fn pop(client: &mut Client, request: PopFirstRequest) -> Option<(Vec<u8>, Vec<u8>)> {
    let response = client.pop_first(request).await.expect("a call").into_inner();
    match code(response.status) {
        StatusCode::Success => Some((response.key.to_vec(), response.value.to_vec())),
        StatusCode::NotFoundError => None,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn keys_are_the_time_or_the_next_that_is_free() {
    let mut f = Fixture::new();
    let clock = NOW_MICROS * 100;
    for (wtime, expected) in [
        (1.5, 150_000_000),
        (1.5, 150_000_001),
        (0.0, 0),
        (0.0, 1),
        (-1.0, clock),
        (-1.0, clock + 1),
    ] {
        push(&mut f.client, ORDERED, "v", wtime).await;
        let request = GetRequest {
            dbm_index: ORDERED,
            key: Bytes::copy_from_slice(&u64::to_be_bytes(expected)),
            omit_value: false,
        };
        let response = f.client.get(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::Success, "{wtime}");
    }
}

#[tokio::test]
async fn the_first_record_comes_first_and_an_empty_dbm_is_not_found() {
    let mut f = Fixture::new();
    push(&mut f.client, ORDERED, "second", 2.0).await;
    push(&mut f.client, ORDERED, "first", 1.0).await;
    let first = pop(&mut f.client, pop_request(ORDERED, 0.0)).await.expect("a record");
    assert_eq!(first, (100_000_000u64.to_be_bytes().to_vec(), b"first".to_vec()));
    let second = pop(&mut f.client, pop_request(ORDERED, 0.0)).await.expect("a record");
    assert_eq!(second.1, b"second");
    assert_eq!(pop(&mut f.client, pop_request(ORDERED, 0.0)).await, None);
}

#[tokio::test]
async fn unordered_dbms_give_each_record_once() {
    let mut f = Fixture::new();
    for n in 0..20 {
        set(&mut f.client, UNORDERED, &format!("{n:02}"), "").await;
    }
    let mut popped = Vec::new();
    while let Some((key, _)) = pop(&mut f.client, pop_request(UNORDERED, 0.0)).await {
        popped.push(String::from_utf8(key).expect("text"));
    }
    popped.sort();
    assert_eq!(popped, (0..20).map(|n| format!("{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn key_and_value_are_left_out_on_demand() {
    let mut f = Fixture::new();
    for (omit_key, omit_value) in [(true, false), (false, true)] {
        set(&mut f.client, ORDERED, "k", "v").await;
        let request = PopFirstRequest { omit_key, omit_value, ..pop_request(ORDERED, 0.0) };
        let (key, value) = pop(&mut f.client, request).await.expect("a record");
        assert_eq!((key.is_empty(), value.is_empty()), (omit_key, omit_value));
    }
}

fn is_waited_for(service: &Service, count: usize) -> bool {
    service.0.options.waiting_max - service.0.waiting.available_permits() == count
}

async fn until_waiting(service: &Service, count: usize) {
    while !is_waited_for(service, count) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_wakes_who_waits_without_notify() {
    let mut f = Fixture::new();
    let (mut other, begun) = (f.client.clone(), Instant::now());
    let waiter = tokio::spawn(async move { pop(&mut other, pop_request(ORDERED, 1e12)).await });
    until_waiting(&f.service, 1).await;
    push(&mut f.client, ORDERED, "v", -1.0).await;
    assert_eq!(waiter.await.expect("it ends").expect("a record").1, b"v");
    assert_eq!(begun.elapsed(), Duration::ZERO, "woken, not by looking again");
}

#[tokio::test(start_paused = true)]
async fn many_records_wake_as_many_who_wait() {
    let mut f = Fixture::new();
    let begun = Instant::now();
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let mut other = f.client.clone();
            tokio::spawn(async move { pop(&mut other, pop_request(UNORDERED, 1e9)).await })
        })
        .collect();
    until_waiting(&f.service, 5).await;
    let records = ["a", "b", "c"].map(|key| pair(key, key)).to_vec();
    let request = SetMultiRequest { dbm_index: UNORDERED, records, overwrite: false };
    f.client.set_multi(request).await.expect("a call");
    until_waiting(&f.service, 2).await;
    assert_eq!(count(&mut f.client, UNORDERED).await, 0);
    for key in ["d", "e"] {
        set(&mut f.client, UNORDERED, key, key).await;
    }
    let mut values = Vec::new();
    for waiter in waiters {
        values.push(waiter.await.expect("it ends").expect("a record").1);
    }
    values.sort();
    assert_eq!(values, [b"a", b"b", b"c", b"d", b"e"]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_was_woken_and_goes_away_leaves_the_record_to_the_next() {
    let mut f = Fixture::new();
    let begun = Instant::now();
    let mut waiters: Vec<_> = (0..2)
        .map(|_| {
            let mut other = f.client.clone();
            tokio::spawn(async move { pop(&mut other, pop_request(ORDERED, 1e9)).await })
        })
        .collect();
    until_waiting(&f.service, 2).await;
    // The push wakes the first, which has no turn before it is aborted.
    let records = Arc::clone(&f.service.0.dbms[ORDERED as usize].dbm.records);
    use hozo_traits::KvStoreExt;
    hozo_traits::exec::block_on(records.set("k".into(), "v".into(), true, Durability::Sequenced))
        .expect("set");
    let key = Bytes::from_static(b"k");
    f.service.0.dbms[ORDERED as usize].changed(crate::service::dbm::Changed::Set(&key));
    waiters.remove(0).abort();
    let record = waiters.remove(0).await.expect("it ends");
    assert_eq!(record.expect("a record").1, b"v");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(count(&mut f.client, ORDERED).await, 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_the_deadline_with_not_found() {
    let mut f = Fixture::new();
    let begun = Instant::now();
    assert_eq!(pop(&mut f.client, pop_request(ORDERED, 7.0)).await, None);
    assert!(begun.elapsed() >= Duration::from_secs(7));
    assert!(is_waited_for(&f.service, 0));
}
