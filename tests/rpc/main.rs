//! The DBM service as clients meet it: `hozo serve` as a process, over every
//! backend, on a socket.
//!
//! With `HOZO_RPC_PEER=HOST:PORT` only what can be asked of any server runs,
//! against the first DBM of the one there: tkrzw_server too.

mod conformance;
mod fuzzed;
mod hostile;
mod kit;
mod linear;
mod model;
mod peers;
mod queues;
mod restart;
mod server;
mod soak;

use std::sync::{Mutex, MutexGuard, PoisonError};

use hozo_conformance::seed;
use hozo_tests::Scratch;
use hozo_tests::fuzz::TARGETS;
use libtest_mimic::{Arguments, Trial};

use crate::conformance::{Clause, Needs, clauses};
use crate::kit::{Kit, PEER};
use crate::server::{Dbm, Server, backends};

/// The server of the trials that need none of their own, with a DBM for each
/// backend; started by the first of them.
static SHARED: Mutex<Option<(Server, Scratch)>> = Mutex::new(None);

/// Trials over the same DBM take turns.
static TURNS: [Mutex<()>; 4] = [const { Mutex::new(()) }; 4];

/// A longer run over a DBM, from a seed.
type Run = fn(&Kit, u64);

const RUNS: [(&str, Run); 4] = [
    ("random_operations_answer_as_a_map_does", model::run),
    ("updates_that_overlap_are_linearizable", linear::run),
    ("a_queue_loses_nothing_and_gives_nothing_twice", queues::nothing_lost),
    ("consumers_that_go_away_take_at_most_one_record", queues::consumers_go_away),
];

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shared_address() -> String {
    let mut shared = lock(&SHARED);
    let (server, _scratch) = shared.get_or_insert_with(|| {
        let scratch = Scratch::empty();
        let dbms: Vec<Dbm<'_>> = backends().into_iter().map(Dbm::of).collect();
        (Server::over(&scratch, &dbms, ""), scratch)
    });
    server.address().to_owned()
}

/// Whom a trial asks.
#[derive(Clone)]
enum Asked {
    /// The DBM over this backend, at this place of the shared server.
    Backend(&'static str, usize),
    /// The first DBM of somebody else's server, and whether it has an order.
    Peer(String, bool),
}

impl Asked {
    fn name(&self) -> &str {
        match self {
            Asked::Backend(backend, _) => backend,
            Asked::Peer(..) => "peer",
        }
    }

    fn is_ordered(&self) -> bool {
        match self {
            Asked::Backend(backend, _) => *backend != "hashdbm",
            Asked::Peer(_, ordered) => *ordered,
        }
    }

    fn trial(self, name: &str, run: impl FnOnce(&Kit) + Send + 'static) -> Trial {
        Trial::test(format!("{}::{name}", self.name()), move || {
            let (place, address) = match &self {
                Asked::Backend(_, place) => (*place, shared_address()),
                Asked::Peer(address, _) => (0, address.clone()),
            };
            let _turn = lock(&TURNS[place]);
            let kit = Kit::new(&address, i32::try_from(place).expect("few"));
            assert_eq!(kit.ordered, self.is_ordered(), "whether its scans go by key");
            run(&kit);
            Ok(())
        })
    }

    fn clause(&self, clause: &'static Clause) -> Trial {
        let lacks = match clause.needs {
            Needs::Nothing => false,
            Needs::Order => !self.is_ordered(),
            Needs::NoOrder => self.is_ordered(),
        };
        let theirs = matches!(self, Asked::Peer(..));
        let trial = self.clone().trial(&format!("conformance::{}", clause.name), clause.run);
        trial.with_ignored_flag(lacks || (theirs && clause.ours))
    }

    fn trials(&self, seed: u64) -> Vec<Trial> {
        let clauses = clauses().map(|clause| self.clause(clause));
        let runs = RUNS.map(|(name, run)| self.clone().trial(name, move |kit| run(kit, seed)));
        let peers = peers::PEERS.iter().map(|peer| {
            peer.or_skipped(self.clone().trial(&format!("peers::{}", peer.name), peer.run))
        });
        clauses.chain(runs).chain(peers).collect()
    }
}

/// A run that starts servers of its own, over the stores of one backend.
type OverBackend = fn(&str, u64);

const RESTARTS: [(&str, OverBackend); 2] = [
    ("killed_it_has_all_that_was_durable", restart::killed_durable),
    ("killed_it_has_what_came_before_what_it_has", restart::killed_sequenced),
];

/// Trials with servers of their own.
fn own_trials(seed: u64) -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("restart::stopped_it_has_all_that_it_had", move || {
            restart::in_good_order(seed);
            Ok(())
        })
        .with_ignored_flag(backends() == ["memory"]),
    ];
    for backend in backends().into_iter().filter(|backend| *backend != "memory") {
        for (name, run) in RESTARTS {
            trials.push(Trial::test(format!("restart::{backend}::{name}"), move || {
                run(backend, seed);
                Ok(())
            }));
        }
    }
    trials.push(Trial::test("soak::a_mixed_load_leaves_memory_flat", move || {
        soak::run(seed);
        Ok(())
    }));
    for target in &TARGETS {
        trials.push(Trial::test(format!("fuzz::{}", target.name), move || {
            fuzzed::run(target, seed);
            Ok(())
        }));
    }
    for deed in &hostile::DEEDS {
        trials.push(Trial::test(format!("hostile::{}", deed.name), move || {
            hostile::run(deed, seed);
            Ok(())
        }));
    }
    trials
}

fn main() {
    let arguments = Arguments::from_args();
    let seed = seed();
    let asked = match std::env::var(PEER) {
        Ok(address) => {
            let ordered = Kit::as_is(&address, 0).ordered;
            vec![Asked::Peer(address, ordered)]
        }
        Err(_) => {
            let each = backends().into_iter().zip(0..);
            each.map(|(backend, place)| Asked::Backend(backend, place)).collect()
        }
    };
    if !arguments.list {
        println!("random numbers: HOZO_SEED={seed}");
    }
    let mut trials: Vec<Trial> = asked.iter().flat_map(|asked| asked.trials(seed)).collect();
    if matches!(asked[..], [Asked::Backend(..), ..]) {
        trials.extend(own_trials(seed));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let shared = lock(&SHARED).take();
    if let Some((server, _scratch)) = shared
        && let Err(why) = server.stop().well()
    {
        eprintln!("the shared server did not end well, whatever the trials say: {why}");
        std::process::exit(1);
    }
    conclusion.exit();
}
