//! A stack's frontends, running.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hozo_traits::{
    Dbm, Endpoint, Error, ErrorKind, Health, KvStore, Parts, Replicator, Result, Running,
};

use crate::plan::DbmPlan;
use crate::registry::BuiltFrontend;
use crate::stack::Stack;

/// The frontends of a [`Stack`], running; from [`Stack::serve`]. Dropping it
/// stops them, without waiting for clients.
///
/// ```no_run
/// # use std::time::Duration;
/// let plan = hozo::Plan::from_file("hozo.toml", &hozo::Registry::serving())?;
/// let stack = hozo::Stack::open(plan);
/// let serving = stack.serve()?;
/// for (kind, endpoint) in serving.endpoints() {
///     println!("{kind} on {}, {}", endpoint.at, endpoint.protection);
/// }
/// // ... until somebody says stop:
/// serving.stop(Duration::from_secs(10))?;
/// stack.close();
/// # Ok::<(), hozo::traits::Error>(())
/// ```
pub struct Serving {
    running: Vec<Started>,
}

/// A frontend that runs.
struct Started {
    kind: &'static str,
    running: Box<dyn Running>,
    stop_within: Duration,
}

impl Stack {
    /// A DBM of the config, for a frontend; opens its store if this process has
    /// not yet, and with replication the update log and all DBMs.
    pub fn dbm(&self, dbm: &DbmPlan) -> Result<Dbm> {
        let store = dbm.store(self.plan());
        let records = match self.logged(dbm)? {
            Some(records) => records,
            None => {
                self.records(store.name(), dbm.name()).map_err(|e| e.with("dbm", dbm.name()))?
            }
        };
        Ok(Dbm {
            name: dbm.name().to_owned(),
            store: store.name().to_owned(),
            records,
            durability: dbm.durability(),
            path: store.path().map(ToOwned::to_owned),
        })
    }

    /// The DBM with its updates logged, if the config has replication.
    #[cfg(feature = "rpc")]
    fn logged(&self, dbm: &DbmPlan) -> Result<Option<Arc<dyn KvStore>>> {
        let index = self.plan().dbms().iter().position(|one| one.name() == dbm.name());
        self.with_replication(|replication| {
            let records = index.and_then(|index| replication.dbm(index));
            records.ok_or_else(|| {
                Error::new(ErrorKind::Internal, "a DBM of the config is not in its log")
            })
        })
    }

    /// Without the log, updates would be missing from it for ever.
    #[cfg(not(feature = "rpc"))]
    fn logged(&self, _dbm: &DbmPlan) -> Result<Option<Arc<dyn KvStore>>> {
        self.refuse_replication().map(|()| None)
    }

    /// An error if the config has replication, which this build has not.
    #[cfg(not(feature = "rpc"))]
    fn refuse_replication(&self) -> Result<()> {
        let Some(replication) = self.plan().replication() else { return Ok(()) };
        let what = "this build has no replication: the feature `rpc` of the crate `hozo`";
        Err(Error::new(ErrorKind::Unsupported, what).with("replication", replication.name()))
    }

    /// This server's part in replication, if the config has one; opens all DBMs, and
    /// from now on it follows whomever it is to follow. Serving does it by itself:
    /// this is for who follows and serves nobody.
    #[cfg(feature = "rpc")]
    pub fn replicator(&self) -> Result<Option<Arc<dyn Replicator>>> {
        self.with_replication(|replication| {
            replication.follow()?;
            Ok(replication.replicator())
        })
    }

    /// Without the feature `rpc` there is none, and a config that has one is an
    /// [`Unsupported`](ErrorKind::Unsupported) error.
    #[cfg(not(feature = "rpc"))]
    pub fn replicator(&self) -> Result<Option<Arc<dyn Replicator>>> {
        self.refuse_replication().map(|()| None)
    }

    /// Opens the stores of all DBMs and starts every frontend of the config that
    /// the [`Registry`](crate::Registry) has: all of them, or none. A stack that
    /// has nothing to start is an [`Invalid`](ErrorKind::Invalid) error.
    pub fn serve(&self) -> Result<Serving> {
        let frontends: Vec<_> = self.plan().frontends().iter().filter_map(|f| f.served()).collect();
        if frontends.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the config has no frontend to serve"));
        }
        let dbms = self.plan().dbms().iter().map(|dbm| self.dbm(dbm)).collect::<Result<_>>()?;
        let parts = Parts { dbms, replication: self.replicator()?, ambient: self.ambient() };
        let mut serving = Serving { running: Vec::new() };
        for BuiltFrontend { frontend, stop_within } in frontends {
            let kind = frontend.kind();
            // Those that run already are dropped with an error, which stops them.
            let running = frontend.start(parts.clone()).map_err(|e| e.with("frontend", kind))?;
            serving.running.push(Started { kind, running, stop_within: *stop_within });
        }
        Ok(serving)
    }
}

impl Serving {
    /// Where the frontends can be reached, in the order of the config, each with
    /// its kind.
    pub fn endpoints(&self) -> Vec<(&'static str, Endpoint)> {
        let of = |one: &Started| {
            let kind = one.kind;
            one.running.endpoints().into_iter().map(move |endpoint| (kind, endpoint))
        };
        self.running.iter().flat_map(of).collect()
    }

    /// How the worst of them is, and what is wrong with each that does not just
    /// serve.
    pub fn health(&self) -> Health {
        let (mut words, mut failed) = (Vec::new(), false);
        for Started { kind, running, .. } in &self.running {
            match running.health() {
                Health::Serving => {}
                Health::Degraded(why) => words.push(format!("{kind}: {why}")),
                Health::Failed(why) => {
                    failed = true;
                    words.push(format!("{kind}: {why}"));
                }
            }
        }
        match (words.is_empty(), failed) {
            (true, _) => Health::Serving,
            (false, false) => Health::Degraded(words.join("; ")),
            (false, true) => Health::Failed(words.join("; ")),
        }
    }

    /// Reads again what may change while they run, such as certificates and
    /// tokens. Each is asked; one that answers with an error is as before.
    pub fn reload(&self) -> Result<()> {
        let outcomes = self.running.iter().map(|one| (one.kind, one.running.reload()));
        first_error(outcomes)
    }

    /// Takes nothing new, finishes what was accepted, and gives back what was
    /// claimed, all at the same time. What is not finished `within` that time, or
    /// within the shorter one that the frontend's own settings give, is broken
    /// off, and the answer is [`TimedOut`](ErrorKind::TimedOut). Stopping twice is
    /// stopping once.
    pub fn stop(&self, within: Duration) -> Result<()> {
        thread::scope(|scope| {
            let stopping: Vec<_> = self
                .running
                .iter()
                .map(|one| {
                    (one.kind, scope.spawn(move || one.running.stop(within.min(one.stop_within))))
                })
                .collect();
            first_error(stopping.into_iter().map(|(kind, thread)| {
                let panicked =
                    |_| Err(Error::new(ErrorKind::Internal, "stopping ended in a panic"));
                (kind, thread.join().unwrap_or_else(panicked))
            }))
        })
    }
}

/// The first error; what the others say goes along with it.
fn first_error(outcomes: impl Iterator<Item = (&'static str, Result<()>)>) -> Result<()> {
    let mut first: Option<Error> = None;
    for (kind, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        first = Some(match first {
            None => error.with("frontend", kind),
            Some(first) => first.with("and", format!("{kind}: {error}")),
        });
    }
    first.map_or(Ok(()), Err)
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("endpoints", &self.endpoints()).finish_non_exhaustive()
    }
}
