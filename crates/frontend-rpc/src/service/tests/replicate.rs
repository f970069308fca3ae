//! `Replicate` and `ChangeMaster`, as Tkrzw's servers and utilities use them.

use std::time::Duration;

use hozo_proto::tkrzw_rpc::replicate_response::OpType;
use hozo_traits::{Effect, ErrorKind, Start, What};
use tokio::time::{Instant, timeout};
use tonic::{Code, Streaming};

use super::replication::source;
use super::replicator::{records, server, set, time};
use super::*;
use crate::service::{Grant, Right};

const NOW_MS: i64 = 1_795_306_391_123;

fn fixture(log: &Log) -> Fixture {
    Fixture::replicating(Options::default(), Some(log))
}

async fn call(f: &mut Fixture, request: ReplicateRequest) -> Streaming<ReplicateResponse> {
    f.client.replicate(request).await.expect("a call").into_inner()
}

async fn next(answers: &mut Streaming<ReplicateResponse>) -> ReplicateResponse {
    answers.message().await.expect("an answer").expect("an answer")
}

/// A call that is past its first answer.
async fn begun(f: &mut Fixture, wait_time: f64) -> Streaming<ReplicateResponse> {
    let mut answers = call(f, ReplicateRequest { wait_time, ..Default::default() }).await;
    assert_eq!(next(&mut answers).await.op_type(), OpType::OpNoop);
    answers
}

fn told(response: &ReplicateResponse) -> (i64, i32, i32, OpType, &[u8], &[u8]) {
    assert_eq!(response.status, Some(StatusProto::default()));
    let ReplicateResponse { timestamp, server_id, dbm_index, key, value, .. } = response;
    (*timestamp, *server_id, *dbm_index, response.op_type(), key, value)
}

#[tokio::test]
async fn each_effect_is_told_with_who_made_it_and_when() {
    let log = Log::new();
    let many = [set("a", "1"), Effect::Remove { key: "b".into() }, set("", "")];
    log.add(1001, What::Records { dbm: 1, effects: many.into(), reduced: false });
    log.add(1002, What::Nothing);
    log.add(1003, What::Epoch(7));
    log.add(1003, What::Reset);
    // One of a Tkrzw server that 2 follows, and one that the reader made, too.
    log.add_of(2, 5, 1004, records([set("c", "3")]));
    log.add_of(2, 6, 1005, records([set("d", "4")]));
    log.add_of(3, 3, 1006, records([Effect::Clear]));
    let mut f = fixture(&log);
    let request = ReplicateRequest { server_id: 6, wait_time: -1.0, ..Default::default() };
    let mut answers = call(&mut f, request).await;
    let first = next(&mut answers).await;
    assert_eq!(
        first,
        ReplicateResponse { op_type: OpType::OpNoop.into(), server_id: 1, ..Default::default() }
    );
    for expected in [
        (1001, 1, 1, OpType::OpSet, "a", "1"),
        (1001, 1, 1, OpType::OpRemove, "b", ""),
        (1001, 1, 1, OpType::OpSet, "", ""),
        (1004, 5, 0, OpType::OpSet, "c", "3"),
        (1006, 3, 0, OpType::OpClear, "", ""),
    ] {
        let (ms, by, dbm, op, key, value) = expected;
        let answer = next(&mut answers).await;
        assert_eq!(told(&answer), (ms, by, dbm, op, key.as_bytes(), value.as_bytes()));
    }
    // And those that come.
    let waiting = tokio::spawn(async move { next(&mut answers).await });
    log.until(|state| state.waiting == 1).await;
    log.add(1007, records([set("e", "5")]));
    assert_eq!(told(&waiting.await.expect("it ends")).0, 1007);
}

#[tokio::test]
async fn who_asks_is_a_server_from_a_time_on() {
    let log = Log::new();
    let mut f = fixture(&log);
    for (server_id, min_timestamp, who, since) in [
        (2, 1234, Some(server(2)), 1234),
        (i32::MAX, 0, Some(server(0x7fff_ffff)), 0),
        (0, -1, None, 0),
        (-1, i64::MIN, None, 0),
        (i32::MIN, 5, None, 5),
    ] {
        let request = ReplicateRequest { server_id, min_timestamp, ..Default::default() };
        drop(call(&mut f, request).await);
        let (start, reader) = log.state().opened.pop().expect("a reader");
        assert_eq!(start, Start::Since(time(since)));
        assert_eq!((reader.server, reader.epoch, reader.acknowledges), (who, 0, false));
    }
    let request = ReplicateRequest { min_timestamp: i64::MAX, ..Default::default() };
    drop(call(&mut f, request).await);
    log.until(|state| state.readers == 0).await;
}

#[tokio::test]
async fn a_server_does_not_replicate_itself_and_not_without_a_log() {
    let log = Log::new();
    let mut f = fixture(&log);
    let own = ReplicateRequest { server_id: 1, ..Default::default() };
    let status = f.client.replicate(own).await.expect_err("itself");
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "self server ID"));
    log.change(|state| state.has_no_log = true);
    let status = f.client.replicate(own).await.expect_err("no log");
    let expected = (Code::FailedPrecondition, "disabled update logging");
    assert_eq!((status.code(), status.message()), expected);
    assert!(log.state().opened.is_empty());
}

#[tokio::test]
async fn any_number_of_updates_of_the_reader_keeps_nobody_from_going_on() {
    let log = Log::new();
    let mut f = fixture(&log);
    let request = ReplicateRequest { server_id: 6, wait_time: -1.0, ..Default::default() };
    let mut answers = call(&mut f, request).await;
    next(&mut answers).await;
    // There is always one more.
    log.change(|state| state.repeats = true);
    log.add_of(6, 6, 1, records([set("d", "4")]));
    let reading = tokio::spawn(async move { answers.message().await });
    log.until(|state| state.reads > 1000).await;
    f.service.0.options.stopping.stop();
    reading.await.expect("it ends").expect_err("it stops");
}

/// The time of an answer that says that there is nothing new.
fn nothing_new(response: ReplicateResponse) -> i64 {
    assert_eq!(response.op_type(), OpType::OpNoop);
    let timestamp = response.timestamp;
    assert_eq!(code(response.status), StatusCode::InfeasibleError);
    timestamp
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_new_is_said_after_the_time_and_then_it_goes_on() {
    let log = Log::new();
    log.add(1000, records([set("a", "1")]));
    let mut f = fixture(&log);
    let began = Instant::now();
    let mut answers = begun(&mut f, 5.0).await;
    assert_eq!(told(&next(&mut answers).await).0, 1000);
    // Not the time of now: an update may have been made that is not given yet.
    assert_eq!(nothing_new(next(&mut answers).await), 1000);
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(nothing_new(next(&mut answers).await), 1000);
    assert_eq!(began.elapsed().as_secs(), 10);
    // A clock that is ahead of ours.
    let ahead = u64::try_from(NOW_MS).expect("a time") + 9;
    log.add(ahead, records([set("b", "2")]));
    assert_eq!(told(&next(&mut answers).await).4, b"b");
    assert_eq!(nothing_new(next(&mut answers).await), NOW_MS + 9);
    // Updates that are not told of are no reason to wait longer.
    let waiting = tokio::spawn(async move { nothing_new(next(&mut answers).await) });
    tokio::time::sleep(Duration::from_secs(3)).await;
    log.add(1001, What::Nothing);
    waiting.await.expect("it ends");
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_new_is_said_at_once_or_never() {
    let log = Log::new();
    log.add(1000, records([set("a", "1")]));
    let mut f = fixture(&log);
    for no_time in [0.0, -0.0, f64::NAN, 1e-30] {
        let began = Instant::now();
        let mut answers = begun(&mut f, no_time).await;
        assert_eq!(told(&next(&mut answers).await).0, 1000);
        nothing_new(next(&mut answers).await);
        assert!(began.elapsed() < Duration::from_millis(50), "{no_time}");
        // But not on and on.
        nothing_new(next(&mut answers).await);
        assert!(began.elapsed() >= Duration::from_millis(100), "{no_time}");
    }
    let day = Duration::from_secs(86_400);
    for ever in [-1.0, -1e-30, f64::NEG_INFINITY, f64::INFINITY, 1e300] {
        let mut answers = begun(&mut f, ever).await;
        next(&mut answers).await;
        assert!(timeout(day, answers.message()).await.is_err(), "{ever}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_lacks_updates_is_not_told_that_there_is_nothing_new() {
    let log = Log::new();
    log.add(1000, records([set("a", "1")]));
    let ahead = |seq| {
        log.change(|state| state.head = super::replicator::position(&[(1, seq)]));
    };
    // The log goes on and on, although the reader waits.
    ahead(2);
    let mut f = fixture(&log);
    let mut answers = begun(&mut f, 0.0).await;
    next(&mut answers).await;
    let waiting = tokio::spawn(async move { nothing_new(next(&mut answers).await) });
    for seq in 3..100 {
        tokio::time::sleep(Duration::from_millis(90)).await;
        ahead(seq);
        assert!(!waiting.is_finished());
    }
    // Until it does not: whatever it is, it is not for the reader.
    waiting.await.expect("it is told");
}

#[tokio::test]
async fn a_reader_that_waits_is_told_when_the_server_stops_and_ends_when_it_goes() {
    let log = Log::new();
    let mut f = fixture(&log);
    let gone = begun(&mut f, -1.0).await;
    let mut answers = begun(&mut f, -1.0).await;
    assert_eq!((log.state().readers, f.service.active_calls()), (2, 2));
    drop(gone);
    assert_eq!((log.state().readers, f.service.active_calls()), (1, 1));
    let waiting = tokio::spawn(async move { answers.message().await });
    log.until(|state| state.waiting == 1).await;
    f.service.0.options.stopping.stop();
    let status = waiting.await.expect("it ends").expect_err("it stops");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the server is stopping"));
    assert_eq!((log.state().readers, f.service.active_calls()), (0, 0));
}

#[tokio::test]
async fn what_was_read_is_not_told_when_the_server_stops() {
    let log = Log::new();
    let large = || set("k", vec![7; 40_000]);
    log.add(1, records([large(), large(), large()]));
    let mut f = fixture(&log);
    let mut answers = begun(&mut f, -1.0).await;
    next(&mut answers).await;
    f.service.0.options.stopping.stop();
    let status = answers.message().await.expect_err("it stops");
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_taken_back_ends_it() {
    let log = Log::new();
    let f = fixture(&log);
    for has_more in [false, true] {
        let grant = Arc::new(Grant::new("web", [Some(Right::Admin); 2]));
        let mut client = client_with(&f.service, Some(Access::Rights(Arc::clone(&grant))));
        let request = ReplicateRequest { wait_time: -1.0, ..Default::default() };
        let mut answers = client.replicate(request).await.expect("a call").into_inner();
        next(&mut answers).await;
        if has_more {
            let large = || set("k", vec![7; 40_000]);
            log.add(1, records([large(), large(), large()]));
            next(&mut answers).await;
        }
        grant.take_back();
        let status = answers.message().await.expect_err("taken back");
        assert_eq!(status.code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn no_more_is_read_than_is_wanted() {
    let log = Log::new();
    for _ in 0..50 {
        log.add(1, records([set("k", vec![7; 100_000])]));
    }
    let mut f = fixture(&log);
    let mut answers = begun(&mut f, -1.0).await;
    // Two values are too much for one part.
    for reads in 1..=50 {
        next(&mut answers).await;
        let state = log.state();
        assert_eq!(state.reads, reads);
        assert_eq!(state.asked, 192 << 10);
    }
}

#[tokio::test]
async fn failures_are_the_status_of_the_call() {
    let log = Log::new();
    let mut f = fixture(&log);
    for (kind, code) in [
        (ErrorKind::VersionGone, Code::OutOfRange),
        (ErrorKind::Conflict, Code::Aborted),
        (ErrorKind::Unavailable, Code::Unavailable),
    ] {
        log.change(|state| state.fails_to_open = Some(kind));
        let status = f.client.replicate(ReplicateRequest::default()).await.expect_err("it fails");
        assert_eq!((status.code(), status.message()), (code, "told to fail (server 2)"));
        log.change(|state| state.fails_to_open = None);
        let mut answers = begun(&mut f, -1.0).await;
        log.change(|state| state.fails_to_read = Some(kind));
        let status = answers.message().await.expect_err("it fails");
        assert_eq!((status.code(), status.message()), (code, "told to fail (server 2)"));
        log.change(|state| state.fails_to_read = None);
    }
}

#[tokio::test]
async fn a_record_larger_than_a_message_ends_it_with_the_reason() {
    let log = Log::new();
    log.add(1, records([set("a", vec![7; 900])]));
    log.add(1, records([set("b", vec![7; 1001])]));
    let options = Options { message_bytes_max: 1000, ..Options::default() };
    let mut f = Fixture::replicating(options, Some(&log));
    let mut answers = begun(&mut f, -1.0).await;
    next(&mut answers).await;
    let status = answers.message().await.expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("max_message_bytes 1000"), "{status}");
}

#[tokio::test]
async fn a_change_of_master_is_made_and_answered() {
    let log = Log::new();
    let mut f = fixture(&log);
    log.change(|state| state.follows = Some(source()));
    for (master, timestamp_skew, asked) in
        [("db2:1978", -500, "follow db2:1978 -500"), ("", 7, "unfollow")]
    {
        let request = ChangeMasterRequest { master: master.into(), timestamp_skew };
        let response = f.client.change_master(request.clone()).await.expect("a call");
        assert_eq!(code(response.into_inner().status), StatusCode::Success);
        assert_eq!(log.state().asked_for.last().map(String::as_str), Some(asked));
        log.change(|state| state.fails = Some(ErrorKind::Invalid));
        let response = f.client.change_master(request).await.expect("a call");
        let status = response.into_inner().status.expect("a status");
        assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
        assert_eq!(status.message, "told to fail (server 2)");
        log.change(|state| state.fails = None);
    }
}
