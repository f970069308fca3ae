//! Probes, in a time of the tests' own.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
/// How long a request takes.
const CALL: u64 = 100 * MICRO;

/// Time that passes only when somebody waits or asks.
#[derive(Clone, Default)]
struct Made(Rc<Cell<u64>>);

impl Made {
    fn pass(&self, nanos: u64) {
        self.0.set(self.0.get() + nanos);
    }
}

impl Pace for Made {
    fn now(&self) -> u64 {
        self.0.get()
    }

    async fn until(&self, at: u64) {
        self.0.set(self.0.get().max(at));
    }
}

/// A follower that has what was written this much later.
struct Late {
    time: Made,
    /// By when it was written; `None` is never.
    late: fn(u64) -> Option<u64>,
    /// What was written, and when the follower has it.
    written: RefCell<Vec<(u64, u64)>>,
    reads: Cell<u64>,
    refused: bool,
}

impl Ends for Late {
    async fn write(&self, number: u64) -> Result<(), Trouble> {
        self.time.pass(CALL);
        if self.refused {
            return Err(Trouble::of("REPLICATION_ERROR", "nobody follows"));
        }
        if let Some(late) = (self.late)(self.time.now()) {
            self.written.borrow_mut().push((number, self.time.now() + late));
        }
        Ok(())
    }

    async fn read(&self) -> Result<Option<u64>, Trouble> {
        self.time.pass(CALL);
        self.reads.set(self.reads.get() + 1);
        let written = self.written.borrow();
        let there = written.iter().filter(|(_, at)| *at <= self.time.now());
        Ok(there.map(|(number, _)| *number).max())
    }
}

fn prober(late: fn(u64) -> Option<u64>, refused: bool) -> Prober<Late, Made> {
    let time = Made::default();
    let ends = Late {
        time: time.clone(),
        late,
        written: RefCell::default(),
        reads: Cell::new(0),
        refused,
    };
    Prober::new(ends, time)
}

/// What comes of a second after half of one.
fn run(prober: &Prober<Late, Made>) -> (Lags, Tally) {
    let window = Window { start: 0, measured: SECOND / 2, end: SECOND / 2 + SECOND };
    let mut tally = Tally::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lags = runtime.block_on(prober.run(window, &mut tally));
    (lags, tally)
}

/// At least that, and an eighth and a pause more at most.
fn about(found: u64, wanted: u64) {
    let most = wanted + wanted / 8 + 2 * CALL + PAUSE_MIN_NANOS;
    assert!((wanted..=most).contains(&found), "{found}, not from {wanted} to {most}");
}

#[test]
fn a_lag_is_found_as_it_is() {
    let prober = prober(|_| Some(5 * MILLI), false);
    let (lags, tally) = run(&prober);
    assert!(tally.errors().is_empty());
    let lag = lags.figures(7, 8);
    assert_eq!(lag.answered.count, 100, "one each 10 ms, without those of the warm-up");
    assert_eq!((lag.behind, lag.caught_up_ns), (7, 8));
    about(lag.answered.p50_ns, 5 * MILLI);
    about(lag.answered.max_ns, 5 * MILLI);
    about(lag.sent.p50_ns, 5 * MILLI + CALL);
    assert!(prober.ends.reads.get() < 150 * 25, "{} reads are not cheap", prober.ends.reads.get());
}

#[test]
fn a_follower_that_has_it_already_lags_by_one_read() {
    let (lags, _) = run(&prober(|_| Some(0), false));
    let lag = lags.figures(0, 0);
    assert_eq!((lag.answered.count, lag.answered.max_ns / MICRO), (100, 100));
}

#[test]
fn one_that_falls_behind_is_seen_in_the_second_half() {
    // A fifth of the time that passes; so probes wait for each other.
    let (lags, tally) = run(&prober(|now| Some(now / 5), false));
    assert!(tally.errors().is_empty());
    let lag = lags.figures(0, 0);
    assert!(lag.answered.count < 20, "{lag:?}");
    assert!(lag.second_half.p50_ns > lag.first_half.max_ns, "{lag:?}");
    assert_eq!(lag.answered.count, lag.first_half.count + lag.second_half.count);
}

#[test]
fn one_that_never_gets_it_is_an_error_and_is_not_waited_for_again() {
    let prober = prober(|now| (now < SECOND).then_some(MILLI), false);
    let (lags, tally) = run(&prober);
    assert!(lags.figures(0, 0).answered.count >= 49, "those before are told");
    let errors = tally.errors();
    assert_eq!((errors.len(), errors[0].count, &*errors[0].kind), (1, 1, "not replicated"));
    let now = prober.pace.now();
    assert!((SECOND + LAG_MAX_NANOS..2 * SECOND + LAG_MAX_NANOS).contains(&now), "{now}");
}

#[test]
fn a_write_that_is_refused_is_an_error() {
    let (lags, tally) = run(&prober(|_| Some(0), true));
    assert_eq!(
        (lags.figures(0, 0).answered.count, &*tally.errors()[0].kind),
        (0, "REPLICATION_ERROR")
    );
}
