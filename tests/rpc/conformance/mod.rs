//! What every rpc answers, as Tkrzw's clients know it, over every backend.

mod batches;
mod exchange;
mod iterating;
mod limits;
mod numbers;
mod protocol;
mod queue;
mod records;
mod searching;
mod streams;
mod waiting;
mod whole;

use crate::kit::Kit;

/// One thing that must hold of a served DBM.
pub(crate) struct Clause {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Kit),
    pub(crate) needs: Needs,
    /// Whether tkrzw_server does otherwise, wrongly or by choice.
    pub(crate) ours: bool,
}

/// What a clause is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// DBMs whose scans go by key.
    Order,
    /// DBMs whose scans do not.
    NoOrder,
}

impl Clause {
    const fn new(name: &'static str, run: fn(&Kit)) -> Clause {
        Clause { name, run, needs: Needs::Nothing, ours: false }
    }

    const fn ordered(self) -> Clause {
        Clause { needs: Needs::Order, ..self }
    }

    const fn unordered(self) -> Clause {
        Clause { needs: Needs::NoOrder, ..self }
    }

    const fn ours(self) -> Clause {
        Clause { ours: true, ..self }
    }
}

pub(crate) fn clauses() -> impl Iterator<Item = &'static Clause> {
    let groups: [&'static [Clause]; 12] = [
        records::CLAUSES,
        batches::CLAUSES,
        exchange::CLAUSES,
        numbers::CLAUSES,
        queue::CLAUSES,
        waiting::CLAUSES,
        whole::CLAUSES,
        searching::CLAUSES,
        streams::CLAUSES,
        iterating::CLAUSES,
        protocol::CLAUSES,
        limits::CLAUSES,
    ];
    groups.into_iter().flatten()
}
