//! The prober's own thread, beside those of the load.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use hozo::traits::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::Prober;
use super::ends::Wires;
use crate::clock::SystemClock;
use crate::rpc::lag::Lag;
use crate::rpc::pace::{Pace, Timer, Window};
use crate::rpc::server::Server;
use crate::rpc::tally::Tally;

/// What it found.
#[derive(Default)]
pub(in crate::rpc) struct Probed {
    /// Errors.
    pub(in crate::rpc) tally: Tally,
    /// The figures, unless there was an error.
    pub(in crate::rpc) lag: Option<Lag>,
}

/// A prober that is connected.
pub(in crate::rpc) struct Probing {
    runtime: Runtime,
    local: LocalSet,
    prober: Rc<Prober<Wires, Rc<Timer>>>,
}

impl Probing {
    /// Connects to a server and its follower.
    pub(in crate::rpc) fn open(
        clock: &Arc<SystemClock>,
        master: &Server,
        follower: &Server,
        prefix: &str,
    ) -> Result<Self> {
        let no_runtime = |e| {
            Error::new(ErrorKind::Unavailable, "no runtime can be made for the probes").caused_by(e)
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(no_runtime)?;
        let local = LocalSet::new();
        let prober = local.block_on(&runtime, async {
            let timer = Timer::new(Arc::clone(clock)).map_err(no_runtime)?;
            let pulse = Rc::clone(&timer);
            tokio::task::spawn_local(async move { pulse.run().await });
            let wires = Wires::open(master, follower, prefix).await?;
            Ok::<_, Error>(Rc::new(Prober::new(wires, timer)))
        })?;
        Ok(Probing { runtime, local, prober })
    }

    /// Probes until the time is over, and then finds out how far the follower is
    /// behind what was written until `over` says that the load has ended.
    pub(in crate::rpc) fn run(self, window: Window, over: &Receiver<()>) -> Probed {
        let Probing { runtime, local, prober } = self;
        let mut tally = Tally::default();
        // Beside the probes, of which the last may take long.
        let (timer, asked) = (Rc::clone(&prober), window.end);
        let behind = local.spawn_local(async move {
            timer.pace.until(asked).await;
            timer.ends.behind().await
        });
        let lags = local.block_on(&runtime, prober.run(window, &mut tally));
        let behind = local.block_on(&runtime, behind);
        // Also where the load failed, and nobody says anything.
        let _ = over.recv();
        if !tally.errors().is_empty() {
            return Probed { tally, lag: None };
        }
        let end = prober.pace.now();
        let found = local.block_on(&runtime, async {
            let behind = behind.expect("it does not panic, and nobody stops it")?;
            // It was written after all others, so what it comes after is there.
            Ok((behind, prober.probe().await?.found.saturating_sub(end)))
        });
        let lag = match found {
            Ok((behind, caught_up)) => Some(lags.figures(behind, caught_up)),
            Err(trouble) => {
                tally.failed(&trouble);
                None
            }
        };
        Probed { tally, lag }
    }
}

/// Waits until a server's follower has all that the server has, if it has one.
pub(in crate::rpc) fn settle(
    clock: &Arc<SystemClock>,
    server: &Server,
    prefix: &str,
) -> Result<()> {
    let Some(follower) = &server.follower else { return Ok(()) };
    let Probing { runtime, local, prober } = Probing::open(clock, server, follower, prefix)?;
    let probed = local.block_on(&runtime, prober.probe());
    probed.map(drop).map_err(|trouble| {
        trouble
            .into_error("the follower does not get what the server has")
            .with("server", &server.name)
    })
}
