//! Comparing and exchanging, and waiting for it.

use std::time::Duration;

use tokio::time::Instant;

use super::double::{Double, served};
use super::*;

fn request(key: &'static str) -> CompareExchangeRequest {
    CompareExchangeRequest { dbm_index: UNORDERED, key: key.into(), ..Default::default() }
}

async fn call(client: &mut Client, request: CompareExchangeRequest) -> CompareExchangeResponse {
    client.compare_exchange(request).await.expect("a call").into_inner()
}

#[tokio::test]
async fn absent_and_nothing_desired_is_success_and_changes_nothing() {
    let mut f = Fixture::new();
    let response = call(&mut f.client, request("k")).await;
    assert_eq!(code(response.status), StatusCode::Success);
    assert!(!response.found);
    assert_eq!(count(&mut f.client, UNORDERED).await, 0);
}

#[tokio::test]
async fn that_none_is_expected_wins_over_any_value() {
    let mut f = Fixture::new();
    set(&mut f.client, UNORDERED, "k", "v").await;
    let request = CompareExchangeRequest { expect_any_value: true, ..request("k") };
    let response = call(&mut f.client, request.clone()).await;
    assert_eq!(code(response.status), StatusCode::InfeasibleError);
    assert!(response.found);
    let request = CompareExchangeRequest { expected_existence: true, ..request };
    let response = call(&mut f.client, request).await;
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(get(&mut f.client, UNORDERED, "k").await, None, "removal was desired");
}

#[tokio::test]
async fn no_update_wins_over_what_is_desired() {
    let mut f = Fixture::new();
    set(&mut f.client, UNORDERED, "k", "v").await;
    let request = CompareExchangeRequest {
        expected_existence: true,
        expected_value: "v".into(),
        desired_existence: true,
        desired_value: "w".into(),
        desire_no_update: true,
        ..request("k")
    };
    let response = call(&mut f.client, request.clone()).await;
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(get(&mut f.client, UNORDERED, "k").await.as_deref(), Some("v"));
    let request = CompareExchangeRequest { desire_no_update: false, ..request };
    assert_eq!(code(call(&mut f.client, request).await.status), StatusCode::Success);
    assert_eq!(get(&mut f.client, UNORDERED, "k").await.as_deref(), Some("w"));
}

#[tokio::test]
async fn the_actual_value_comes_only_if_asked_for() {
    let mut f = Fixture::new();
    set(&mut f.client, UNORDERED, "k", "v").await;
    for get_actual in [false, true] {
        let request = CompareExchangeRequest {
            expected_existence: true,
            expected_value: "other".into(),
            get_actual,
            ..request("k")
        };
        let response = call(&mut f.client, request).await;
        assert_eq!(code(response.status), StatusCode::InfeasibleError);
        let actual: &[u8] = if get_actual { b"v" } else { b"" };
        assert_eq!((response.found, &response.actual[..]), (true, actual));
    }
}

/// Waits for the record to be set, and removes it.
fn waiting(seconds: f64) -> CompareExchangeRequest {
    CompareExchangeRequest {
        expected_existence: true,
        expect_any_value: true,
        retry_wait: seconds,
        ..request("k")
    }
}

/// Lets others go on until so many wait.
async fn until_waiting(service: &Service, count: usize) {
    let max = service.0.options.waiting_max;
    while max - service.0.waiting.available_permits() != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_the_deadline_with_the_last_answer() {
    let mut f = Fixture::new();
    for seconds in [1.5, 12.0] {
        let begun = Instant::now();
        let response = call(&mut f.client, waiting(seconds)).await;
        assert_eq!(code(response.status), StatusCode::InfeasibleError);
        // The clock of this test moves only when all wait.
        let waited = begun.elapsed().as_secs_f64();
        assert!((seconds..seconds + 0.1).contains(&waited), "{waited}");
    }
    for nothing in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        let begun = Instant::now();
        let response = call(&mut f.client, waiting(nothing)).await;
        assert_eq!(code(response.status), StatusCode::InfeasibleError);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn any_change_of_the_record_wakes_who_waits_with_or_without_notify() {
    let mut f = Fixture::new();
    let (service, begun) = (f.service.clone(), Instant::now());
    for round in 0..4 {
        let mut other = f.client.clone();
        let waiter = tokio::spawn(async move { call(&mut other, waiting(f64::INFINITY)).await });
        until_waiting(&service, 1).await;
        match round {
            0 => set(&mut f.client, UNORDERED, "k", "v").await,
            1 => {
                let records = vec![pair("a", ""), pair("k", "")];
                let request = SetMultiRequest { dbm_index: UNORDERED, records, overwrite: true };
                f.client.set_multi(request).await.expect("a call");
            }
            2 => {
                let desired = CompareExchangeRequest { desired_existence: true, ..request("k") };
                assert_eq!(code(call(&mut f.client, desired).await.status), StatusCode::Success);
            }
            _ => {
                set(&mut f.client, UNORDERED, "other", "v").await;
                let request = RekeyRequest {
                    dbm_index: UNORDERED,
                    old_key: "other".into(),
                    new_key: "k".into(),
                    ..Default::default()
                };
                f.client.rekey(request).await.expect("a call");
            }
        }
        let response = waiter.await.expect("it ends");
        assert_eq!(code(response.status), StatusCode::Success, "round {round}");
        assert_eq!(begun.elapsed(), Duration::ZERO, "round {round}: woken, not by looking again");
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_failed_may_have_been_made_and_wakes_who_waits() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Durable);
    let mut other = client.clone();
    let begun = Instant::now();
    let waiting = CompareExchangeRequest { dbm_index: 0, desire_no_update: true, ..waiting(1e9) };
    let waiter = tokio::spawn(async move { call(&mut other, waiting).await });
    until_waiting(&service, 1).await;
    double.fails_after.store(true, std::sync::atomic::Ordering::SeqCst);
    let failing = SetRequest { key: "k".into(), ..Default::default() };
    let response = client.set(failing).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::SystemError);
    double.fails_after.store(false, std::sync::atomic::Ordering::SeqCst);
    let response = waiter.await.expect("it ends");
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_waits_looks_again_even_if_nothing_changed_here() {
    let mut f = Fixture::new();
    let mut other = f.client.clone();
    let waiter = tokio::spawn(async move { call(&mut other, waiting(60.0)).await });
    until_waiting(&f.service, 1).await;
    // Past the service, as another process would.
    let records = Arc::clone(&f.service.0.dbms[UNORDERED as usize].dbm.records);
    use hozo_traits::KvStoreExt;
    records.set("k".into(), "v".into(), true, Durability::Sequenced).await.expect("set");
    let response = waiter.await.expect("it ends");
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(get(&mut f.client, UNORDERED, "k").await, None);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_frees_the_place() {
    let mut f = Fixture::with(Options { waiting_max: 1, ..Options::default() });
    let mut other = f.client.clone();
    let waiter = tokio::spawn(async move { call(&mut other, waiting(1e9)).await });
    until_waiting(&f.service, 1).await;
    let status = f.client.compare_exchange(waiting(1.0)).await.expect_err("no place");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    waiter.abort();
    assert!(waiter.await.expect_err("aborted").is_cancelled());
    until_waiting(&f.service, 0).await;
    let response = call(&mut f.client, waiting(1.0)).await;
    assert_eq!(code(response.status), StatusCode::InfeasibleError);
    assert_eq!(f.service.active_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_server_stops() {
    let f = Fixture::new();
    let mut other = f.client.clone();
    let begun = Instant::now();
    let waiter = tokio::spawn(async move { call(&mut other, waiting(1e9)).await });
    until_waiting(&f.service, 1).await;
    f.service.0.options.stopping.stop();
    let response = waiter.await.expect("it ends");
    assert_eq!(code(response.status), StatusCode::InfeasibleError);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}
