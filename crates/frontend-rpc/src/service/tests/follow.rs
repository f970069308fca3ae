//! `hozo.v1.Replication/Follow`.

use std::time::Duration;

use hozo_proto::hozo_v1 as wire;
use hozo_proto::hozo_v1::follow_request::Request as Said;
use hozo_proto::hozo_v1::follow_response::Response as Told;
use hozo_proto::hozo_v1::hello::Start as Where;
use hozo_proto::hozo_v1::replication_client::ReplicationClient;
use hozo_proto::hozo_v1::replication_server::ReplicationServer;
use hozo_traits::{Effect, ErrorKind, Reader, SnapshotPart, SnapshotPlace, Start, What};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use super::replicator::{position, reach, records, server, set, time};
use super::*;
use crate::service::{Grant, KIND, Right};

pub(super) type Replication =
    ReplicationClient<InterceptedService<ReplicationServer<Service>, Allow>>;

pub(super) fn replication_with(service: &Service, access: Option<Access>) -> Replication {
    let server = ReplicationServer::with_interceptor(service.clone(), Allow(access));
    ReplicationClient::new(server)
}

/// A follower, from its hello on.
struct Follower {
    say: mpsc::Sender<wire::FollowRequest>,
    told: Streaming<wire::FollowResponse>,
}

fn said(request: Said) -> wire::FollowRequest {
    wire::FollowRequest { request: Some(request) }
}

fn hello(start: Where) -> wire::Hello {
    wire::Hello {
        server: 2,
        epoch: 3,
        name: "db2:1978".into(),
        acknowledges: true,
        start: Some(start),
    }
}

fn after(reaches: &[(u32, u64)]) -> Where {
    Where::After(at(reaches))
}

fn at(reaches: &[(u32, u64)]) -> wire::Position {
    let reach =
        |(id, seq): &(u32, u64)| wire::Reach { server: *id, seq: *seq, digest: reach(*seq).digest };
    wire::Position { reaches: reaches.iter().map(reach).collect() }
}

fn has(reaches: &[(u32, u64)]) -> wire::FollowRequest {
    said(Said::Acknowledge(wire::Acknowledge { position: Some(at(reaches)), epoch: 3 }))
}

impl Follower {
    async fn new(service: &Service, access: Access, first: wire::FollowRequest) -> Follower {
        let mut client = replication_with(service, Some(access));
        let (say, receiver) = mpsc::channel(100);
        say.send(first).await.expect("it listens");
        let told = client.follow(ReceiverStream::new(receiver)).await.expect("a call");
        Follower { say, told: told.into_inner() }
    }

    /// One that is welcome.
    async fn welcome(service: &Service, start: Where) -> Follower {
        let first = said(Said::Hello(hello(start)));
        let mut follower = Follower::new(service, Access::Full, first).await;
        assert!(matches!(follower.next().await, Told::Welcome(_)));
        follower
    }

    async fn next(&mut self) -> Told {
        let message = self.told.message().await.expect("a message").expect("a message");
        message.response.expect("something")
    }

    async fn part(&mut self) -> wire::Part {
        match self.next().await {
            Told::Part(part) => part,
            other => panic!("{other:?}"),
        }
    }

    async fn snapshot(&mut self) -> wire::SnapshotPart {
        match self.next().await {
            Told::Snapshot(part) => part,
            other => panic!("{other:?}"),
        }
    }

    async fn end(mut self) -> Status {
        loop {
            match self.told.message().await {
                Ok(message) => assert!(message.is_some(), "it ends without an error"),
                Err(status) => return status,
            }
        }
    }

    async fn says(&self, request: wire::FollowRequest) {
        self.say.send(request).await.expect("it listens");
    }
}

/// A part of a snapshot that is a message of its own.
fn large() -> SnapshotPart {
    SnapshotPart {
        place: SnapshotPlace { from: position(&[]), dbm: 0, key: None },
        records: vec![("k".into(), vec![7; 100_000].into())],
        of: 9,
    }
}

/// Waits until a snapshot has begun.
pub(super) async fn snapshot_begins(mut client: Replication) {
    let start = Where::Snapshot(wire::SnapshotStart { place: None });
    let first = said(Said::Hello(hello(start)));
    let told = client.follow(tokio_stream::iter([first])).await.expect("a call");
    let first = told.into_inner().message().await.expect("a message").expect("a message");
    assert!(matches!(first.response, Some(Told::Welcome(_))), "{first:?}");
}

fn service(log: &Log) -> Service {
    Fixture::replicating(Options::default(), Some(log)).service
}

#[tokio::test]
async fn a_follower_is_welcome_and_told_of_updates_in_order() {
    let log = Log::new();
    log.add(1, records([set("a", "1"), Effect::Remove { key: "b".into() }]));
    log.add_of(2, 2, 2, What::Nothing);
    log.add(3, What::Records { dbm: 1, effects: vec![Effect::Clear], reduced: true });
    log.add_of(4, 5, 4, What::Epoch(7));
    log.add(5, What::Reset);
    let service = service(&log);
    let first = said(Said::Hello(hello(after(&[(1, 1)]))));
    let mut follower = Follower::new(&service, Access::Full, first).await;
    let head = [(1, 3), (2, 1), (4, 1)];
    let Told::Welcome(welcome) = follower.next().await else { panic!("no welcome") };
    assert_eq!(
        welcome,
        wire::Welcome {
            server: 1,
            epoch: 3,
            dbms: vec!["casket".into(), "log".into()],
            head: Some(at(&head)),
            newest: 5000,
        }
    );
    let part = follower.part().await;
    assert_eq!((part.position, part.head, part.newest), (Some(at(&head)), Some(at(&head)), 5000));
    let update = |origin: u32, seq, ms: u64| wire::Update {
        time: ms * 1000,
        reach: at(&[(origin, seq)]).reaches.pop(),
        ..Default::default()
    };
    use wire::update::What as Is;
    let clear = wire::Effect { kind: wire::effect::Kind::Clear.into(), ..Default::default() };
    let expected = [
        wire::Update { what: Is::Nothing.into(), ..update(2, 1, 2) },
        wire::Update { dbm: 1, effects: vec![clear], reduced: true, ..update(1, 2, 3) },
        wire::Update { what: Is::Epoch.into(), epoch: 7, server: 5, ..update(4, 1, 4) },
        wire::Update { what: Is::Reset.into(), ..update(1, 3, 5) },
    ];
    assert_eq!(part.updates, expected);
    let opened = log.state().opened;
    let reader =
        Reader { server: Some(server(2)), epoch: 3, name: "db2:1978".into(), acknowledges: true };
    assert_eq!(opened, [(Start::After(position(&[(1, 1)])), reader)]);
    // And of those that come.
    log.add(6, records([set("a", "1"), Effect::Remove { key: "b".into() }]));
    let part = follower.part().await;
    use wire::effect::Kind;
    let effect = |kind: Kind, key: &'static str, value: &'static str| wire::Effect {
        kind: kind.into(),
        key: key.into(),
        value: value.into(),
    };
    let effects = vec![effect(Kind::Set, "a", "1"), effect(Kind::Remove, "b", "")];
    assert_eq!(part.updates, [wire::Update { effects, ..update(1, 4, 6) }]);
    assert_eq!(part.position, Some(at(&[(1, 4), (2, 1), (4, 1)])));
}

#[tokio::test]
async fn a_follower_may_be_no_server_and_begin_at_a_time() {
    let log = Log::new();
    log.add(1, records([set("a", "1")]));
    log.add(2, records([set("b", "2")]));
    let service = service(&log);
    let hello = wire::Hello { start: Some(Where::Since(2000)), ..Default::default() };
    // It has nothing more to say, and goes on listening.
    let mut client = replication_with(&service, Some(Access::Full));
    let said = tokio_stream::iter([said(Said::Hello(hello))]);
    let mut told = client.follow(said).await.expect("a call").into_inner();
    told.message().await.expect("a welcome");
    let (start, reader) = log.state().opened.pop().expect("a reader");
    assert_eq!((start, reader), (Start::Since(time(2)), Reader::default()));
    for seq in [2, 3] {
        let message = told.message().await.expect("a part").expect("a part");
        let Some(Told::Part(part)) = message.response else { panic!("{message:?}") };
        assert_eq!(part.updates[0].reach, at(&[(1, seq)]).reaches.pop());
        log.add(3, records([set("c", "3")]));
    }
    service.0.options.stopping.stop();
    let status = loop {
        match told.message().await {
            Ok(message) => assert!(message.is_some(), "it ends by itself"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn who_only_greets_is_only_welcome() {
    let log = Log::new();
    let service = service(&log);
    let mut follower = Follower::welcome(&service, Where::Greeting(true)).await;
    assert!(follower.told.message().await.expect("the end").is_none());
    assert!(log.state().opened.is_empty());
}

#[tokio::test]
async fn a_hello_that_makes_no_sense_is_refused() {
    let log = Log::new();
    let service = service(&log);
    let greeting = || hello(Where::Greeting(true));
    let place = wire::SnapshotPlace { dbm: 1, ..Default::default() };
    let nowhere = wire::SnapshotStart { place: Some(place) };
    for (request, words) in [
        (wire::FollowRequest::default(), "what a follower says first is a hello"),
        (has(&[]), "what a follower says first is a hello"),
        (said(Said::Hello(wire::Hello { start: None, ..greeting() })), "from where on"),
        (said(Said::Hello(wire::Hello { server: 1, ..greeting() })), "cannot follow itself"),
        (said(Said::Hello(wire::Hello { server: 1 << 31, ..greeting() })), "1 to 2147483647"),
        (said(Said::Hello(wire::Hello { name: "x".repeat(257), ..greeting() })), "name"),
        (said(Said::Hello(hello(after(&[(0, 1)])))), "1 to 2147483647"),
        (said(Said::Hello(hello(after(&[(1, 1), (1, 2)])))), "each server once (server 1)"),
        (said(Said::Hello(hello(Where::Snapshot(nowhere)))), "from where updates go on"),
    ] {
        let follower = Follower::new(&service, Access::Full, request).await;
        let status = follower.end().await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(words), "{status}");
    }
    let mut client = replication_with(&service, Some(Access::Full));
    let told = client.follow(tokio_stream::iter([])).await.expect("a call");
    let status = told.into_inner().message().await.expect_err("nothing was said");
    assert_eq!(status.code(), Code::InvalidArgument);
    let state = log.state();
    assert!(state.opened.is_empty() && state.snapshots.is_empty());
}

#[tokio::test]
async fn what_is_said_out_of_turn_ends_it() {
    let log = Log::new();
    let service = service(&log);
    let unplaced = wire::Acknowledge { position: None, epoch: 1 };
    let wrong = [
        (said(Said::Hello(hello(after(&[])))), "a hello is said once, and first"),
        (wire::FollowRequest::default(), "a follower says hello, and what it has"),
        (said(Said::Acknowledge(unplaced)), "an acknowledgement says up to where"),
        (has(&[(0, 1)]), "a server id is a number from 1 to 2147483647 (given 0)"),
    ];
    for (request, words) in wrong {
        // To a reader of updates; and among what is said at once.
        for before in [0, 1, 5] {
            let follower = Follower::welcome(&service, after(&[])).await;
            for _ in 0..before {
                follower.says(has(&[(1, 1)])).await;
            }
            follower.says(request.clone()).await;
            let status = follower.end().await;
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, words));
        }
    }
    log.until(|state| state.readers == 0).await;
}

#[tokio::test]
async fn acknowledgements_are_heard_while_it_waits_and_while_nobody_reads() {
    let log = Log::new();
    let service = service(&log);
    let mut follower = Follower::welcome(&service, after(&[])).await;
    // Nothing was asked for yet, and it may not even have begun to wait.
    log.add(1, records([set("a", vec![7; 100_000])]));
    log.add(2, records([set("a", vec![7; 100_000])]));
    log.add(3, records([set("a", vec![7; 100_000])]));
    follower.part().await;
    for seq in 1..=3 {
        follower.says(has(&[(1, seq)])).await;
        let state = log.until(|state| state.acknowledged.len() == seq as usize).await;
        assert_eq!(state.acknowledged.last(), Some(&(position(&[(1, seq)]), 3)));
        // It was not read on meanwhile.
        assert!(state.reads <= 1, "{}", state.reads);
    }
    follower.part().await;
    follower.part().await;
    let waiting = tokio::spawn(async move {
        follower.part().await;
        follower
    });
    log.until(|state| state.waiting == 1).await;
    // The reader that waits is dropped for it, and made anew.
    log.add(4, records([set("b", "")]));
    let follower = waiting.await.expect("it ends");
    follower.says(has(&[(1, 4)])).await;
    log.until(|state| state.acknowledged.len() == 4).await;
}

#[tokio::test]
async fn any_number_of_acknowledgements_keeps_nobody_from_updates() {
    let log = Log::new();
    let service = service(&log);
    let mut client = replication_with(&service, Some(Access::Full));
    let first = [said(Said::Hello(hello(after(&[]))))];
    // As many as it likes, and always one more.
    let (tell, mut told) = tokio::sync::watch::channel(0_u64);
    let flood = std::iter::from_fn(move || {
        tell.send_modify(|said| *said += 1);
        Some(has(&[(1, *tell.borrow())]))
    });
    let said = tokio_stream::iter(first.into_iter().chain(flood));
    let mut answers = client.follow(said).await.expect("a call").into_inner();
    answers.message().await.expect("a welcome");
    for ms in 0..100 {
        log.add(ms, records([set("k", "v")]));
        let message = answers.message().await.expect("a part").expect("a part");
        assert!(matches!(message.response, Some(Told::Part(part)) if part.updates.len() == 1));
    }
    told.wait_for(|said| *said > 1000).await.expect("it says more");
    let state = log.state();
    assert!(!state.acknowledged.is_empty());
    // Of those that arrive together the last one counts.
    assert!(state.acknowledged.len() as u64 <= *told.borrow() / 10);
    assert!(state.acknowledged.is_sorted_by_key(|(has, _)| has.of(server(1)).seq));
    service.0.options.stopping.stop();
    let status = loop {
        if let Err(status) = answers.message().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn that_there_are_no_updates_is_said_every_two_seconds() {
    let log = Log::new();
    log.add(1, records([set("k", "v")]));
    let service = service(&log);
    let mut follower = Follower::welcome(&service, after(&[])).await;
    follower.part().await;
    let began = Instant::now();
    for beat in 1..=3 {
        // What is said in between changes nothing about that.
        follower.says(has(&[(1, 1)])).await;
        let part = follower.part().await;
        let empty = wire::Part {
            updates: vec![],
            position: Some(at(&[(1, 1)])),
            head: Some(at(&[(1, 1)])),
            newest: 1000,
        };
        assert_eq!(part, empty);
        assert_eq!(began.elapsed().as_secs(), 2 * beat);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    log.add(2, records([set("k", "v")]));
    assert_eq!(follower.part().await.updates.len(), 1);
}

#[tokio::test]
async fn no_more_is_read_than_a_follower_takes() {
    let log = Log::new();
    for _ in 0..20 {
        log.add(1, records([set("k", vec![7; 100_000])]));
    }
    let service = service(&log);
    let mut follower = Follower::welcome(&service, after(&[])).await;
    for reads in 1..=20 {
        assert_eq!(follower.part().await.updates.len(), 1);
        // Whatever else would go on has gone on.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let state = log.state();
        assert_eq!((state.reads, state.asked), (reads, 192 << 10));
    }
}

#[tokio::test]
async fn a_follower_that_goes_is_gone() {
    let log = Log::new();
    let service = service(&log);
    let follower = Follower::welcome(&service, after(&[])).await;
    let mut waits = Follower::welcome(&service, after(&[])).await;
    let waits = tokio::spawn(async move { waits.part().await });
    log.until(|state| state.waiting == 2).await;
    assert_eq!((log.state().readers, service.active_calls()), (2, 2));
    drop(follower);
    waits.abort();
    log.until(|state| state.readers == 0 && state.waiting == 0).await;
    assert_eq!(service.active_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_is_told_when_the_server_stops_and_when_its_token_is_taken_back() {
    for stops in [true, false] {
        // It waits for updates; or for records; or has not said hello.
        for what in ["updates", "snapshot", "nothing"] {
            let log = Log::new();
            log.change(|state| state.records = vec![large(); 9]);
            let service = service(&log);
            let grant = Arc::new(Grant::new("db2", [Some(Right::Admin); 2]));
            let access = Access::Rights(Arc::clone(&grant));
            let mut client = replication_with(&service, Some(access));
            let (say, receiver) = mpsc::channel(1);
            let first = match what {
                "updates" => Some(hello(after(&[]))),
                "snapshot" => Some(hello(Where::Snapshot(wire::SnapshotStart::default()))),
                _ => None,
            };
            if let Some(hello) = &first {
                say.send(said(Said::Hello(hello.clone()))).await.expect("it listens");
            }
            let told = client.follow(ReceiverStream::new(receiver)).await.expect("a call");
            let mut told = told.into_inner();
            if first.is_some() {
                told.message().await.expect("a welcome");
            }
            let expected = if stops {
                service.0.options.stopping.stop();
                Code::Unavailable
            } else {
                grant.take_back();
                if first.is_none() {
                    say.send(has(&[])).await.expect("it listens");
                }
                Code::Unauthenticated
            };
            // What was on its way comes before.
            let first = told.message().await;
            let last = if first.is_ok() { told.message().await } else { first };
            let status = last.map(|_| ()).expect_err(what);
            assert_eq!(status.code(), expected, "{what}");
            log.until(|state| state.readers == 0).await;
        }
    }
}

/// That a status has its code and its kind.
fn is_of(status: &Status, kind: ErrorKind, code: Code) {
    assert_eq!((status.code(), status.message()), (code, "told to fail (server 2)"));
    let said = status.metadata().get(KIND).expect("a kind").to_str().expect("text");
    assert_eq!(said, kind.as_str());
}

#[tokio::test]
async fn a_follower_knows_what_went_wrong() {
    let log = Log::new();
    log.change(|state| state.records = vec![large(); 9]);
    let service = service(&log);
    for (kind, code) in [
        (ErrorKind::VersionGone, Code::OutOfRange),
        (ErrorKind::Conflict, Code::Aborted),
        (ErrorKind::ReadOnly, Code::FailedPrecondition),
        (ErrorKind::Unavailable, Code::Unavailable),
    ] {
        for start in [after(&[]), Where::Snapshot(wire::SnapshotStart::default())] {
            log.change(|state| state.fails_to_open = Some(kind));
            let first = said(Said::Hello(hello(start.clone())));
            let mut follower = Follower::new(&service, Access::Full, first).await;
            // Who is refused was not welcome.
            is_of(&follower.told.message().await.expect_err("it fails"), kind, code);
            log.change(|state| state.fails_to_open = None);
            let follower = Follower::welcome(&service, start).await;
            log.change(|state| state.fails_to_read = Some(kind));
            is_of(&follower.end().await, kind, code);
            log.change(|state| state.fails_to_read = None);
        }
        log.change(|state| state.fails_to_acknowledge = Some(kind));
        let follower = Follower::welcome(&service, after(&[])).await;
        follower.says(has(&[])).await;
        is_of(&follower.end().await, kind, code);
        log.change(|state| state.fails_to_acknowledge = None);
    }
    log.change(|state| state.has_no_log = true);
    let first = said(Said::Hello(hello(after(&[]))));
    let status = Follower::new(&service, Access::Full, first).await.end().await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "there is no log to follow")
    );
}

#[tokio::test]
async fn a_snapshot_is_given_part_by_part_and_has_an_end() {
    let log = Log::new();
    let part = |key: &'static str| SnapshotPart {
        place: SnapshotPlace { from: position(&[(1, 4)]), dbm: 1, key: Some(key.into()) },
        // Too much to be sent together with others.
        records: vec![(key.into(), vec![7; 100_000].into()), ("".into(), "".into())],
        of: 4,
    };
    log.change(|state| state.records = vec![part("b"), part("c")]);
    let service = service(&log);
    let place = wire::SnapshotPlace { from: Some(at(&[(1, 3)])), dbm: 1, key: Some("a".into()) };
    let start = Where::Snapshot(wire::SnapshotStart { place: Some(place) });
    let mut follower = Follower::welcome(&service, start).await;
    let (place, reader) = log.state().snapshots.pop().expect("a reader");
    let expected = SnapshotPlace { from: position(&[(1, 3)]), dbm: 1, key: Some("a".into()) };
    assert_eq!((place, reader.server), (Some(expected), Some(server(2))));
    // What it has is of no interest yet.
    follower.says(has(&[(1, 1)])).await;
    for (key, reads) in [("b", 1), ("c", 2)] {
        let record = |key: &'static str, bytes| wire::Record {
            key: key.into(),
            value: vec![7; bytes].into(),
        };
        let place =
            wire::SnapshotPlace { from: Some(at(&[(1, 4)])), dbm: 1, key: Some(key.into()) };
        let records = vec![record(key, 100_000), record("", 0)];
        let expected = wire::SnapshotPart { place: Some(place), records, of: 4, end: false };
        assert_eq!(follower.snapshot().await, expected);
        let state = log.state();
        assert!(state.reads >= reads, "{}", state.reads);
        assert_eq!(state.asked, 192 << 10);
    }
    let end = wire::SnapshotPart { end: true, ..Default::default() };
    assert_eq!(follower.snapshot().await, end);
    assert!(follower.told.message().await.expect("the end").is_none());
    assert!(log.state().acknowledged.is_empty());
    // From the beginning.
    Follower::welcome(&service, Where::Snapshot(wire::SnapshotStart::default())).await;
    assert_eq!(log.state().snapshots.pop().expect("a reader").0, None);
}

#[tokio::test]
async fn a_hello_amid_a_snapshot_ends_it() {
    let log = Log::new();
    log.change(|state| state.records = vec![large(); 1000]);
    let service = service(&log);
    let start = Where::Snapshot(wire::SnapshotStart::default());
    let follower = Follower::welcome(&service, start.clone()).await;
    follower.says(said(Said::Hello(hello(start)))).await;
    let status = follower.end().await;
    assert_eq!(status.message(), "a hello is said once, and first");
    assert!(log.state().reads < 1000);
}

#[tokio::test]
async fn what_is_larger_than_a_message_ends_it_with_the_reason_after_what_came_before() {
    let log = Log::new();
    log.add(1, records([set("a", vec![7; 900])]));
    log.add(1, records([set("a", vec![7; 600]), set("b", vec![7; 600])]));
    let place = SnapshotPlace { from: position(&[]), dbm: 3, key: None };
    let records = vec![("k".into(), vec![7; 1000].into())];
    log.change(|state| state.records = vec![SnapshotPart { place, records, of: 9 }]);
    let options = Options { message_bytes_max: 1000, ..Options::default() };
    let service = Fixture::replicating(options, Some(&log)).service;
    let mut follower = Follower::welcome(&service, after(&[])).await;
    assert_eq!(follower.part().await.updates.len(), 1);
    let status = follower.told.message().await.expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("(server 1, update 2, bytes 1202, max"), "{status}");
    assert_eq!(status.metadata().get(KIND).expect("a kind"), "too large");
    assert_eq!(log.state().asked, 750);
    let start = Where::Snapshot(wire::SnapshotStart::default());
    let status = Follower::welcome(&service, start).await.end().await;
    assert!(status.message().contains("(dbm 3, bytes 1001, max"), "{status}");
    assert_eq!(status.metadata().get(KIND).expect("a kind"), "too large");
}
