//! Applies the load of one case to one server: threads, connections, lanes.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;

use hozo::traits::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Duration, timeout};

use super::case::Case;
use super::connection::Connection;
use super::lag::Lag;
use super::lane::{self, Shared, UnderWay, Wire};
use super::pace::{Pace, Schedule, Timer, Window};
use super::probe::{Probed, Probing};
use super::process;
use super::requests::Requests;
use super::server::Server;
use super::tally::Tally;
use crate::clock::{Clock, SystemClock, wake_promptly};
use crate::usage::Usage;

/// How long answers are waited for that are under way when the time is over.
const LATE_MAX: Duration = Duration::from_secs(10);

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    pub(super) case: Case,
    pub(super) threads: usize,
    /// Requests a second over all connections, in an open loop.
    pub(super) rate: Option<f64>,
    pub(super) warm_up_nanos: u64,
    pub(super) nanos: u64,
    pub(super) seed: u64,
    /// What the keys of probes begin with.
    pub(super) key_prefix: &'a str,
}

/// What came of it.
pub(super) struct Driven {
    pub(super) tally: Tally,
    /// Between the two moments at which processor time was taken.
    pub(super) nanos: u64,
    pub(super) client_cpu_nanos: u64,
    /// `None` where the server's process is not known.
    pub(super) server_cpu_nanos: Option<u64>,
    /// How far the server's follower was behind, where it has one.
    pub(super) lag: Option<Lag>,
}

/// Runs it to its end.
pub(super) fn drive(
    clock: &Arc<SystemClock>,
    server: &Server,
    requests: &Arc<Requests>,
    load: Load<'_>,
) -> Result<Driven> {
    let threads = load.threads.clamp(1, load.case.connections);
    let failed = Failed::default();
    // One wait for all connections to be there, one for the time of the start.
    let all = threads + usize::from(server.follower.is_some()) + 1;
    let (ready, go) = (Barrier::new(all), Barrier::new(all));
    let start = AtomicU64::new(0);
    let window = || {
        let start = start.load(Ordering::Acquire);
        let measured = start + load.warm_up_nanos;
        Window { start, measured, end: measured + load.nanos }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (ready, go, window, failed) = (&ready, &go, &window, &failed);
                scope.spawn(move || {
                    wake_promptly();
                    let opened = Opened::all(clock, server, load, index, threads);
                    let opened = opened.map_err(|e| failed.set(e));
                    ready.wait();
                    go.wait();
                    match opened {
                        Ok(opened) if !failed.is_set() => opened.run(requests, load, window()),
                        _ => Tally::default(),
                    }
                })
            })
            .collect();
        // Dropped also if a thread of the load panics: then nobody waits for it.
        let (over, ended) = channel::<()>();
        let prober = server.follower.as_ref().map(|follower| {
            let (ready, go, window, failed) = (&ready, &go, &window, &failed);
            scope.spawn(move || {
                wake_promptly();
                let opened = Probing::open(clock, server, follower, load.key_prefix);
                let opened = opened.map_err(|e| failed.set(e));
                ready.wait();
                go.wait();
                match opened {
                    Ok(probing) if !failed.is_set() => probing.run(window(), &ended),
                    _ => Probed::default(),
                }
            })
        });
        ready.wait();
        start.store(clock.now(), Ordering::Release);
        go.wait();
        let moments = (!failed.is_set()).then(|| {
            let window = window();
            [window.measured, window.end].map(|at| Moment::at(&**clock, at, server))
        });
        let mut tally = Tally::default();
        for worker in workers {
            tally.merge(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        drop(over);
        let probed = prober
            .map(|prober| prober.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        let Probed { tally: of_probes, lag } = probed.unwrap_or_default();
        tally.merge(of_probes);
        match (failed.take(), moments) {
            (None, Some([before, after])) => Ok(Driven {
                tally,
                nanos: after.at - before.at,
                client_cpu_nanos: after.client.since(&before.client).cpu_nanos,
                server_cpu_nanos: after.server.zip(before.server).map(|(a, b)| a.saturating_sub(b)),
                lag,
            }),
            (failed, _) => Err(failed.unwrap_or_else(|| {
                Error::new(ErrorKind::Internal, "a load failed, and nobody said why")
            })),
        }
    })
}

/// The first failure of a thread.
#[derive(Default)]
struct Failed(Mutex<Option<Error>>);

impl Failed {
    fn set(&self, error: Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Processor time until a moment.
struct Moment {
    at: u64,
    client: Usage,
    server: Option<u64>,
}

impl Moment {
    /// Waits for it.
    fn at(clock: &dyn Clock, at: u64, server: &Server) -> Self {
        clock.wait_until(at);
        let server = server.pid.and_then(process::cpu_nanos);
        Moment { at: clock.now(), client: Usage::now(), server }
    }
}

/// What the lanes of a connection share.
type Lanes = Shared<Wire, Rc<Timer>>;

/// A thread's connections.
struct Opened {
    runtime: Runtime,
    local: LocalSet,
    timer: Rc<Timer>,
    /// Each with its number among all.
    wires: Vec<(usize, Wire)>,
}

impl Opened {
    /// Opens those of the thread `index`.
    fn all(
        clock: &Arc<SystemClock>,
        server: &Server,
        load: Load<'_>,
        index: usize,
        threads: usize,
    ) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
        let local = LocalSet::new();
        let (timer, wires) = local.block_on(&runtime, async {
            let timer = Timer::new(Arc::clone(clock)).map_err(no_runtime)?;
            let mut wires = Vec::new();
            for number in (index..load.case.connections).step_by(threads) {
                let connection = Connection::open(server).await?;
                let wire = Wire::over(&connection, load.case.mode).await.map_err(|trouble| {
                    trouble.into_error("the stream cannot be opened").with("server", &server.name)
                })?;
                wires.push((number, wire));
            }
            Ok::<_, Error>((timer, wires))
        })?;
        Ok(Opened { runtime, local, timer, wires })
    }

    /// Runs all lanes, and counts.
    fn run(self, requests: &Arc<Requests>, load: Load<'_>, window: Window) -> Tally {
        let Opened { runtime, local, timer, wires } = self;
        let mut tally = Tally::default();
        local.block_on(&runtime, async {
            let pulse = Rc::clone(&timer);
            tokio::task::spawn_local(async move { pulse.run().await });
            let mut tasks = JoinSet::new();
            let mut connections: Vec<(Rc<Lanes>, Vec<UnderWay>)> = Vec::new();
            for (number, link) in wires {
                let shared = Rc::new(Shared {
                    link,
                    pace: Rc::clone(&timer),
                    schedule: Schedule::new(window, load.rate, number, load.case.connections),
                    window,
                    tally: RefCell::default(),
                    lost: Cell::new(false),
                });
                let mut lanes = Vec::new();
                for lane in 0..load.case.pipeline {
                    let lane = (number * load.case.pipeline + lane) as u64;
                    let lane = requests.lane(lane, load.seed);
                    let (shared, requests) = (Rc::clone(&shared), Arc::clone(requests));
                    let under_way = UnderWay::default();
                    lanes.push(Rc::clone(&under_way));
                    tasks.spawn_local(async move {
                        lane::run(&shared, &requests, lane, under_way).await;
                    });
                }
                connections.push((shared, lanes));
            }
            let left = Duration::from_nanos(window.end.saturating_sub(timer.now()));
            let all = async { while tasks.join_next().await.is_some() {} };
            // Who is still under way then is counted as unanswered.
            let _ = timeout(left + LATE_MAX, all).await;
            for (shared, lanes) in connections {
                lane::settle(&shared, &lanes, timer.now());
                tally.merge(shared.tally.take());
            }
        });
        tally
    }
}

fn no_runtime(e: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no runtime can be made for the connections").caused_by(e)
}
