//! The accounting, in a time of the tests' own.

use std::cell::Cell;

use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::EchoResponse;
use prost::Message;

use super::*;
use crate::rpc::case::{Case, Workload};
use crate::rpc::records::Records;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Time that passes only when somebody waits or is served.
#[derive(Clone, Default)]
struct Made(Rc<Cell<u64>>);

impl Pace for Made {
    fn now(&self) -> u64 {
        self.0.get()
    }

    async fn until(&self, at: u64) {
        self.0.set(self.0.get().max(at));
    }
}

/// What a server does with one request: how long it takes, and how it answers.
type Served = (u64, Result<StatusCode, Trouble>);

/// Does what a list says, and after that answers each within 1 ms.
struct Server {
    time: Made,
    list: RefCell<Vec<Served>>,
}

impl Link for Server {
    async fn call(&self, _: &Rc<Slot>, _: usize, _: Bytes) -> Result<Bytes, Trouble> {
        let next = self.list.borrow_mut().pop();
        let (nanos, answer) = next.unwrap_or((MILLI, Ok(StatusCode::Success)));
        self.time.0.set(self.time.0.get() + nanos);
        let status = Some(answer?.with("as the test wants it"));
        Ok(EchoResponse { status, echo: "eee".to_owned() }.encode_to_vec().into())
    }
}

/// One lane's load of a second, of which the first requests are served like this.
fn load(rate: Option<f64>, warm_up: u64, mut list: Vec<Served>) -> (Tally, bool) {
    list.reverse();
    let time = Made::default();
    let window = Window { start: 0, measured: warm_up, end: warm_up + SECOND };
    let shared = Shared {
        link: Server { time: time.clone(), list: RefCell::new(list) },
        pace: time.clone(),
        schedule: Schedule::new(window, rate, 0, 1),
        window,
        tally: RefCell::default(),
        lost: Cell::new(false),
    };
    let case = Case {
        workload: Workload::Echo,
        value_bytes: 3,
        mode: Mode::Unary,
        connections: 1,
        pipeline: 1,
    };
    let requests = Requests::new(&case, Records::new(1, "", 3), 0);
    let under_way = UnderWay::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lane = requests.lane(0, 1);
    runtime.block_on(run(&shared, &requests, lane, Rc::clone(&under_way)));
    settle(&shared, &[under_way], time.now());
    (shared.tally.take(), shared.lost.get())
}

fn quick(times: usize) -> Vec<Served> {
    vec![(MILLI, Ok(StatusCode::Success)); times]
}

fn near(found: u64, wanted: u64) {
    let error = (found as f64 / wanted as f64 - 1.0).abs();
    assert!(error < 0.005, "{found} not {wanted}");
}

#[test]
fn a_slow_server_is_counted_from_when_requests_should_have_begun() {
    // 100 a second; the eleventh stalls for half a second, so the 50 that
    // arrive meanwhile wait: 500 ms, 491, 482, ... as each takes 1 ms.
    let mut list = quick(10);
    list.push((500 * MILLI, Ok(StatusCode::Success)));
    let (tally, _) = load(Some(100.0), 0, list);
    assert_eq!((tally.answers, tally.unstarted), (100, 0));
    let latency = tally.recorder.latency().all;
    near(latency.max_ns, 500 * MILLI);
    // Half of the requests were hit, though only one was slow.
    near(latency.p90_ns, 500 * MILLI - 10 * 9 * MILLI);
    assert!(latency.p50_ns > MILLI && latency.p50_ns < 100 * MILLI, "{latency:?}");
}

#[test]
fn a_closed_loop_omits_that() {
    let mut list = quick(10);
    list.push((500 * MILLI, Ok(StatusCode::Success)));
    let (tally, _) = load(None, 0, list);
    // 10 ms, 500 ms, and then 490 of 1 ms, the last of which ends with the time.
    assert_eq!(tally.answers, 10 + 1 + 489);
    near(tally.recorder.latency().all.p99_ns, MILLI);
}

#[test]
fn who_cannot_keep_up_is_found_out() {
    // 2,000 a second arrive, and each takes 1 ms: half of them never begin.
    let (tally, _) = load(Some(2000.0), 0, Vec::new());
    assert_eq!((tally.answers, tally.unstarted), (999, 1000));
    let latency = tally.recorder.latency().all;
    assert_eq!(latency.count, 2000, "those that never began are counted");
    near(latency.max_ns, 500 * MILLI);
}

#[test]
fn errors_are_counted_by_kind_and_are_no_answers() {
    let mut list = quick(10);
    list.extend(vec![(MILLI, Ok(StatusCode::SystemError)); 3]);
    list.push((MILLI, Err(Trouble::grpc(14, "stopping"))));
    let (tally, lost) = load(Some(100.0), 0, list);
    assert!(!lost, "the connection goes on");
    assert_eq!((tally.answers, tally.recorder.count()), (96, 96));
    let errors = tally.errors();
    let kinds: Vec<(&str, u64)> = errors.iter().map(|e| (&*e.kind, e.count)).collect();
    assert_eq!(kinds, [("SYSTEM_ERROR", 3), ("UNAVAILABLE", 1)]);
    assert_eq!(errors[0].example, "as the test wants it");
}

#[test]
fn a_lost_connection_sends_no_more_and_owes_the_rest() {
    let mut list = quick(10);
    list.push((MILLI, Err(Trouble::lost("reset by peer"))));
    let (tally, lost) = load(Some(100.0), 0, list);
    assert!(lost);
    assert_eq!((tally.answers, tally.lost, tally.unstarted), (10, 1, 89));
    assert_eq!(tally.errors()[0].kind, "connection lost");
}

#[test]
fn the_warm_up_is_not_counted_but_its_errors_are() {
    let mut list = quick(50);
    list.push((MILLI, Ok(StatusCode::SystemError)));
    let (tally, _) = load(None, 100 * MILLI, list);
    assert_eq!(tally.answers, 1000);
    assert_eq!(tally.errors()[0].count, 1);
}

#[test]
fn what_is_never_answered_counts_with_what_it_waited() {
    let window = Window { start: 0, measured: 0, end: SECOND };
    let time = Made::default();
    let shared = Shared {
        link: Server { time: time.clone(), list: RefCell::default() },
        pace: time,
        schedule: Schedule::new(window, None, 0, 1),
        window,
        tally: RefCell::default(),
        lost: Cell::new(false),
    };
    let under_way = UnderWay::new(Cell::new(Some((Op::Read, 400 * MILLI))));
    settle(&shared, &[under_way, UnderWay::default()], 11 * SECOND);
    let tally = shared.tally.take();
    assert_eq!(tally.errors()[0].kind, "unanswered");
    near(tally.recorder.latency().all.max_ns, 10_600 * MILLI);
}
