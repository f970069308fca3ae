//! DBMs as a whole, and failures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hozo_traits::ErrorKind;

use super::double::{Double, served};
use super::*;

#[tokio::test]
async fn count_size_and_clear() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        set(&mut f.client, dbm_index, "a", "1").await;
        set(&mut f.client, dbm_index, "b", "2").await;
        assert_eq!(count(&mut f.client, dbm_index).await, 2);
        let request = GetFileSizeRequest { dbm_index };
        let size = f.client.get_file_size(request).await.expect("a call").into_inner();
        let has_file = dbm_index == UNORDERED;
        let expected = if has_file { StatusCode::Success } else { StatusCode::PreconditionError };
        assert_eq!((code(size.status), size.file_size > 0), (expected, has_file));
        let request = ShouldBeRebuiltRequest { dbm_index };
        let response = f.client.should_be_rebuilt(request).await.expect("a call").into_inner();
        assert_eq!((code(response.status), response.tobe), (StatusCode::Success, false));
        let response = f.client.clear(ClearRequest { dbm_index }).await.expect("a call");
        assert_eq!(code(response.into_inner().status), StatusCode::Success);
        assert_eq!(count(&mut f.client, dbm_index).await, 0);
    }
}

fn param(first: &str) -> StringPair {
    StringPair { first: first.into(), second: "1".into() }
}

#[tokio::test]
async fn rebuild_knows_tuning_parameters_and_refuses_others() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        let params = vec![param("num_buckets"), param("skip_broken_records"), param("sync_hard")];
        let request = RebuildRequest { dbm_index, params };
        let response = f.client.rebuild(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::Success);
        let request = RebuildRequest { dbm_index, params: vec![param("color")] };
        let response = f.client.rebuild(request).await.expect("a call").into_inner();
        let expected = StatusCode::InvalidArgumentError.with("unsupported parameter: color");
        assert_eq!(response.status, Some(expected));
    }
}

#[tokio::test]
async fn a_second_rebuild_is_success_at_once() {
    let double = Double::new();
    let (_, mut client) = served(&double, Durability::Sequenced);
    double.held.store(true, Ordering::SeqCst);
    let mut other = client.clone();
    let first = tokio::spawn(async move { other.rebuild(RebuildRequest::default()).await });
    while double.rebuilt.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let second = client.rebuild(RebuildRequest::default()).await.expect("a call").into_inner();
    assert_eq!(code(second.status), StatusCode::Success);
    double.held.store(false, Ordering::SeqCst);
    let first = first.await.expect("it ends").expect("a call").into_inner();
    assert_eq!(code(first.status), StatusCode::Success);
    assert_eq!(double.rebuilt.load(Ordering::SeqCst), 1);
    client.rebuild(RebuildRequest::default()).await.expect("a call");
    assert_eq!(double.rebuilt.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn synchronise_ignores_parameters_and_makes_no_copies() {
    let double = Double::new();
    let (_, mut client) = served(&double, Durability::Sequenced);
    for (hard, name, expected) in [
        (false, "reducer", StatusCode::Success),
        (true, "whatever", StatusCode::Success),
        (true, "make_backup", StatusCode::InfeasibleError),
    ] {
        let request = SynchronizeRequest { dbm_index: 0, hard, params: vec![param(name)] };
        let response = client.synchronize(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), expected, "{name}");
    }
    assert_eq!(double.synchronised.load(Ordering::SeqCst), 3);
}

/// A store in memory answers as Tkrzw does; of one with files no copy is made, and who
/// asks learns how to have one.
#[tokio::test]
async fn a_backup_says_why_there_is_none() {
    let mut f = Fixture::new();
    for (dbm_index, code, words) in [
        (ORDERED, StatusCode::InfeasibleError, "no file is associated"),
        (UNORDERED, StatusCode::NotImplementedError, "hozo dbm export"),
    ] {
        let request =
            SynchronizeRequest { dbm_index, hard: true, params: vec![param("make_backup")] };
        let response = f.client.synchronize(request).await.expect("a call").into_inner();
        let status = response.status.expect("a status");
        assert_eq!(status.status_code(), code, "{}", status.message);
        assert!(status.message.contains(words), "{}", status.message);
    }
}

async fn search(client: &mut Client, dbm_index: i32, mode: &str, capacity: i32) -> SearchResponse {
    let request = SearchRequest { dbm_index, mode: mode.into(), pattern: "b".into(), capacity };
    client.search(request).await.expect("a call").into_inner()
}

#[tokio::test]
async fn search_has_every_mode_and_the_statuses_of_the_wrong_ones() {
    let mut f = Fixture::new();
    for dbm in BOTH {
        for key in ["ab", "b", "bc", "d"] {
            set(&mut f.client, dbm, key, "").await;
        }
        for mode in hozo_records::Mode::ALL {
            let ranged = mode.as_str().starts_with("upper") || mode.as_str().starts_with("lower");
            let expected = if ranged && dbm == UNORDERED {
                StatusCode::NotImplementedError
            } else {
                StatusCode::Success
            };
            let response = search(&mut f.client, dbm, mode.as_str(), -1).await;
            assert_eq!(code(response.status), expected, "{mode}");
            let none = search(&mut f.client, dbm, mode.as_str(), 0).await.matched;
            let as_many = if ranged { 0 } else { response.matched.len() };
            assert_eq!(none.len(), as_many, "{mode}");
            assert!(search(&mut f.client, dbm, mode.as_str(), 1).await.matched.len() <= 1);
        }
        let mut found = search(&mut f.client, dbm, "contain", 0).await.matched;
        found.sort();
        assert_eq!(found, ["ab", "b", "bc"].map(Bytes::from));
        let status = search(&mut f.client, dbm, "guess", 0).await.status.expect("a status");
        assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
        assert!(status.message.starts_with("unknown mode ("), "{}", status.message);
        let request = SearchRequest {
            dbm_index: dbm,
            mode: "regex".into(),
            pattern: "(".into(),
            capacity: 0,
        };
        let status = f.client.search(request).await.expect("a call").into_inner().status;
        let status = status.expect("a status");
        assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
        assert!(status.message.starts_with("invalid regex: "), "{}", status.message);
    }
}

#[tokio::test]
async fn more_keys_than_an_answer_may_have_are_not_answered() {
    let mut f = Fixture::with(Options { message_bytes_max: 25, ..Options::default() });
    for key in ["b1", "b2", "b3"] {
        set(&mut f.client, ORDERED, key, "").await;
    }
    assert_eq!(search(&mut f.client, ORDERED, "begin", 2).await.matched.len(), 2);
    let request =
        SearchRequest { dbm_index: ORDERED, mode: "begin".into(), ..SearchRequest::default() };
    let status = f.client.search(request).await.expect("a call").into_inner().status;
    let status = status.expect("a status");
    assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
    assert!(status.message.starts_with("too large: "), "{}", status.message);
}

#[tokio::test]
async fn a_search_has_its_time() {
    let options = Options { search_time_max: Duration::ZERO, ..Options::default() };
    let mut f = Fixture::with(options);
    set(&mut f.client, ORDERED, "a", "1").await;
    for mode in ["contain", "begin", "regex", "edit", "upper"] {
        let request = SearchRequest { mode: mode.into(), capacity: 9, ..Default::default() };
        let response = f.client.search(request).await.expect("a call").into_inner();
        let status = response.status.expect("a status");
        assert_eq!(status.status_code(), StatusCode::CanceledError, "{mode}");
        assert!(status.message.contains("took too long"), "{}", status.message);
    }
}

#[tokio::test]
async fn a_search_that_nobody_waits_for_ends() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Sequenced);
    double.endless.store(true, Ordering::SeqCst);
    let searching = tokio::spawn(async move {
        let request =
            SearchRequest { mode: "contain".into(), pattern: "x".into(), ..Default::default() };
        client.search(request).await
    });
    while double.scans.load(Ordering::SeqCst) < 10 {
        tokio::task::yield_now().await;
    }
    searching.abort();
    assert!(searching.await.expect_err("aborted").is_cancelled());
    // Its turn comes back only when its thread has ended.
    let turns = service.0.options.long_max as u32;
    let all = service.0.long.acquire_many(turns).await.expect("turns");
    let scans = double.scans.load(Ordering::SeqCst);
    drop(all);
    assert_eq!(double.scans.load(Ordering::SeqCst), scans);
}

#[tokio::test]
async fn a_rebuild_that_waits_and_that_nobody_waits_for_ends() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Sequenced);
    double.held.store(true, Ordering::SeqCst);
    let rebuilding = tokio::spawn(async move { client.rebuild(RebuildRequest::default()).await });
    while double.rebuilt.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    rebuilding.abort();
    let turns = service.0.options.long_max as u32;
    drop(service.0.long.acquire_many(turns).await.expect("turns"));
}

#[tokio::test]
async fn a_rebuild_goes_on_alone_after_who_asked_is_gone() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Sequenced);
    double.blocked.store(true, Ordering::SeqCst);
    let mut first = client.clone();
    let rebuilding = tokio::spawn(async move { first.rebuild(RebuildRequest::default()).await });
    while double.rebuilt.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    rebuilding.abort();
    assert!(rebuilding.await.expect_err("aborted").is_cancelled());
    // A second one does not begin beside it; after it, one does.
    let again = tokio::spawn({
        let mut client = client.clone();
        async move { client.rebuild(RebuildRequest::default()).await }
    });
    while !again.is_finished() && double.rebuilt.load(Ordering::SeqCst) == 1 {
        tokio::task::yield_now().await;
    }
    let begun = double.rebuilt.load(Ordering::SeqCst);
    double.blocked.store(false, Ordering::SeqCst);
    assert_eq!(begun, 1);
    let turns = service.0.options.long_max as u32;
    drop(service.0.long.acquire_many(turns).await.expect("turns"));
    client.rebuild(RebuildRequest::default()).await.expect("a call");
    assert_eq!(double.rebuilt.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn every_kind_of_failure_has_its_code_and_keeps_paths_to_itself() {
    let double = Double::new();
    let (_, mut client) = served(&double, Durability::Sequenced);
    for kind in ErrorKind::ALL {
        let expected = match kind {
            ErrorKind::Conflict => StatusCode::InfeasibleError,
            ErrorKind::NotFound => StatusCode::NotFoundError,
            ErrorKind::Exists => StatusCode::DuplicationError,
            ErrorKind::ReadOnly | ErrorKind::Denied | ErrorKind::Unauthenticated => {
                StatusCode::PermissionError
            }
            ErrorKind::VersionGone | ErrorKind::Busy => StatusCode::PreconditionError,
            ErrorKind::Unavailable => StatusCode::SystemError,
            ErrorKind::TimedOut => StatusCode::CanceledError,
            ErrorKind::Corrupt => StatusCode::BrokenDataError,
            ErrorKind::Unsupported => StatusCode::NotImplementedError,
            ErrorKind::Invalid | ErrorKind::TooLarge => StatusCode::InvalidArgumentError,
            ErrorKind::Internal => StatusCode::UnknownError,
        };
        double.fail(Some(kind));
        let get = client.get(GetRequest::default()).await.expect("a call").into_inner();
        let status = get.status.expect("a status");
        assert_eq!(status.status_code(), expected, "{kind:?}");
        assert!(status.message.contains("told to fail"), "{}", status.message);
        let of_the_store =
            matches!(kind, ErrorKind::Corrupt | ErrorKind::Unavailable | ErrorKind::Internal);
        assert_eq!(status.message.contains("/secret"), !of_the_store, "{kind:?}");
        let set = client.set(SetRequest::default()).await.expect("a call").into_inner();
        assert_eq!(code(set.status), expected, "{kind:?}");
        let count = client.count(CountRequest::default()).await.expect("a call").into_inner();
        assert_eq!(code(count.status), expected, "{kind:?}");
        let request = SearchRequest { mode: "contain".into(), ..Default::default() };
        let search = client.search(request).await.expect("a call").into_inner();
        assert_eq!(code(search.status), expected, "{kind:?}");
        let request = SynchronizeRequest::default();
        let synchronise = client.synchronize(request).await.expect("a call").into_inner();
        assert_eq!(code(synchronise.status), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn a_dbm_is_unhealthy_from_a_failed_update_to_one_that_succeeds() {
    let double = Double::new();
    let (service, mut client) = served(&double, Durability::Sequenced);
    let mut health = service.health();
    for kind in ErrorKind::ALL {
        let of_the_store =
            matches!(kind, ErrorKind::Corrupt | ErrorKind::Unavailable | ErrorKind::Internal);
        double.fail(Some(kind));
        client.get(GetRequest::default()).await.expect("a call");
        assert!(!health.has_changed().expect("served"), "reading says nothing");
        client.set(SetRequest::default()).await.expect("a call");
        assert_eq!(*health.borrow_and_update(), [!of_the_store], "{kind:?}");
        double.fail(None);
        client.append(AppendRequest::default()).await.expect("a call");
        assert_eq!(*health.borrow_and_update(), [true], "{kind:?}");
    }
}

#[tokio::test]
async fn durable_dbms_update_durably() {
    for (durability, expected) in [(Durability::Sequenced, 0), (Durability::Durable, 10)] {
        let double = Double::new();
        let (_, mut client) = served(&double, durability);
        set(&mut client, 0, "a", "1").await;
        client.append(AppendRequest::default()).await.expect("a call");
        client.increment(IncrementRequest::default()).await.expect("a call");
        client.compare_exchange(CompareExchangeRequest::default()).await.expect("a call");
        let request = CompareExchangeMultiRequest::default();
        client.compare_exchange_multi(request).await.expect("a call");
        client.rekey(RekeyRequest::default()).await.expect("a call");
        client.push_last(PushLastRequest::default()).await.expect("a call");
        client.pop_first(PopFirstRequest::default()).await.expect("a call");
        client.remove(RemoveRequest::default()).await.expect("a call");
        client.clear(ClearRequest::default()).await.expect("a call");
        assert_eq!(double.durable.load(Ordering::SeqCst), expected);
        let records = vec![pair("a", "1")];
        let request = SetMultiRequest { records: records.clone(), ..Default::default() };
        client.set_multi(request).await.expect("a call");
        let request = AppendMultiRequest { records, ..Default::default() };
        client.append_multi(request).await.expect("a call");
        let request = RemoveMultiRequest { keys: vec!["a".into()], ..Default::default() };
        client.remove_multi(request).await.expect("a call");
        let expected = if expected == 0 { 0 } else { expected + 3 };
        assert_eq!(double.durable.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn replication_is_not_implemented() {
    let mut f = Fixture::new();
    let response = f.client.change_master(ChangeMasterRequest::default()).await.expect("a call");
    assert_eq!(code(response.into_inner().status), StatusCode::NotImplementedError);
    let answers = f.client.replicate(ReplicateRequest::default()).await.expect("a call");
    let mut answers = answers.into_inner();
    let first = answers.message().await.expect("an answer").expect("an answer");
    assert_eq!(code(first.status), StatusCode::NotImplementedError);
    let end = answers.message().await.expect_err("no more");
    assert_eq!(end.code(), tonic::Code::Unimplemented);
}
