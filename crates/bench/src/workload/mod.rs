//! The workloads by name.

mod database;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;
mod texts;

use hozo::traits::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::driver::Worker;
use crate::subject::Subject;

pub use database::Database;
pub use records::{Mix, Records};

/// A workload of the list.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What happens in it, in a few words.
    pub about: &'static str,
    /// On what.
    pub over: Over,
    /// Threads, or connections, unless told otherwise.
    pub threads: usize,
    /// Whether the number of threads is part of what it measures.
    pub threads_fixed: bool,
    pub(crate) what: What,
}

/// What a workload needs of a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Records: a DBM.
    Records,
    /// Pages: a SQLite database.
    Sqlite,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Ycsb(Mix),
    Sql(sqlite::Kind),
}

const fn ycsb(name: &'static str, about: &'static str, mix: Mix) -> Workload {
    let what = What::Ycsb(mix);
    Workload { name, about, over: Over::Records, threads: 1, threads_fixed: false, what }
}

const fn sql(
    name: &'static str,
    about: &'static str,
    threads: usize,
    threads_fixed: bool,
    kind: sqlite::Kind,
) -> Workload {
    Workload { name, about, over: Over::Sqlite, threads, threads_fixed, what: What::Sql(kind) }
}

/// All of them, in the order of reports.
pub const WORKLOADS: [Workload; 14] = [
    ycsb("ycsb-a", "50 % reads, 50 % updates, zipfian", records::A),
    ycsb("ycsb-b", "95 % reads, 5 % updates, zipfian", records::B),
    ycsb("ycsb-c", "reads only, zipfian", records::C),
    ycsb("ycsb-d", "95 % reads, 5 % inserts, the newest read most", records::D),
    ycsb("ycsb-e", "95 % scans of 1 to 100 records, 5 % inserts, zipfian", records::E),
    ycsb("ycsb-f", "50 % reads, 50 % read-modify-writes, zipfian", records::F),
    sql("sqlite-commit-1", "durable one-row transactions", 1, true, sqlite::Kind::Commit),
    sql(
        "sqlite-commit-8",
        "durable one-row transactions of 8 connections",
        8,
        true,
        sqlite::Kind::Commit,
    ),
    sql("sqlite-point", "rows read by primary key", 1, false, sqlite::Kind::Point),
    sql("sqlite-scan", "scans of 1,000 rows", 1, false, sqlite::Kind::Scan),
    sql("sqlite-load", "transactions that insert 10,000 rows", 1, true, sqlite::Kind::Load),
    sql(
        "sqlite-mixed",
        "80 % point reads, 20 % durable one-row transactions",
        4,
        false,
        sqlite::Kind::Mixed,
    ),
    sql("travel-head", "rows read at the head, nothing cached", 1, false, sqlite::Kind::Head),
    sql("travel-deep", "the same at a version many commits back", 1, false, sqlite::Kind::Deep),
];

impl Workload {
    /// The workload of this name.
    pub fn find(name: &str) -> Option<&'static Workload> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// The workloads that are named: each a name, or the beginning of names up
    /// to a dash (`ycsb`, `sqlite`, `travel`), or `all`. In the list's order.
    pub fn named<S: AsRef<str>>(names: &[S]) -> Result<Vec<&'static Workload>> {
        let mut chosen = [false; WORKLOADS.len()];
        for name in names.iter().map(AsRef::as_ref) {
            let mut found = false;
            for (workload, chosen) in WORKLOADS.iter().zip(&mut chosen) {
                let group = workload.name.strip_prefix(name).is_some_and(|r| r.starts_with('-'));
                if name == "all" || name == workload.name || group {
                    (*chosen, found) = (true, true);
                }
            }
            if !found {
                return Err(unknown(name));
            }
        }
        Ok(WORKLOADS.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(w, _)| w).collect())
    }

    /// Whether a plain SQLite file can do it, too.
    pub fn suits_plain_sqlite(&self) -> bool {
        self.over == Over::Sqlite && !matches!(self.what, What::Sql(sqlite::Kind::Deep))
    }

    /// What it runs with, given what was asked for.
    pub fn parameters(&self, asked: &Asked) -> Parameters {
        let threads = if self.threads_fixed { None } else { asked.threads };
        let travels = matches!(self.what, What::Sql(sqlite::Kind::Head | sqlite::Kind::Deep));
        Parameters {
            records: asked.records,
            value_bytes: asked.value_bytes,
            threads: threads.unwrap_or(self.threads),
            rate: asked.rate,
            durable: (self.over == Over::Records).then_some(asked.durable),
            depth: travels.then_some(asked.depth),
        }
    }

    /// Fills the subject with what the workload works on; `progress` is told the
    /// fraction that is done.
    pub fn prepare(
        &self,
        subject: &Subject,
        parameters: &Parameters,
        seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Prepared> {
        match self.what {
            What::Ycsb(mix) => {
                let records = subject.records()?;
                let loaded = Records::load(records, mix, parameters, seed, progress)?;
                Ok(Prepared { loaded: parameters.records, bed: Box::new(loaded) })
            }
            What::Sql(kind) => {
                let database = subject.database()?;
                let bed = sqlite::load(database, kind, parameters, seed, progress)?;
                Ok(Prepared { loaded: bed.loaded(), bed: Box::new(bed) })
            }
        }
    }
}

fn unknown(name: &str) -> Error {
    let names = WORKLOADS.iter().map(|workload| workload.name);
    let near = names
        .clone()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let meant = near.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default();
    let message = format!("there is no workload `{name}`{meant}");
    Error::new(ErrorKind::NotFound, message)
        .with("workloads", names.collect::<Vec<_>>().join(" "))
        .with("groups", "all ycsb sqlite travel")
}

/// What was asked for, for all workloads.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Records, or rows, that there are before the load begins.
    pub records: u64,
    /// Bytes in the value of each.
    pub value_bytes: usize,
    /// Threads, or connections; `None` is each workload's own number.
    pub threads: Option<usize>,
    /// Operations a second in an open loop; `None` is a closed loop.
    pub rate: Option<f64>,
    /// Whether each update of a record waits until it is on stable storage. The
    /// transactions of SQLite always do.
    pub durable: bool,
    /// How many commits back `travel-deep` reads.
    pub depth: u64,
}

/// What a workload runs with: runs with other parameters measure other things.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Parameters {
    /// See [`Asked::records`].
    pub records: u64,
    /// See [`Asked::value_bytes`].
    pub value_bytes: usize,
    /// Threads, or connections.
    pub threads: usize,
    /// See [`Asked::rate`].
    pub rate: Option<f64>,
    /// See [`Asked::durable`]; `None` where it changes nothing.
    pub durable: Option<bool>,
    /// See [`Asked::depth`]; `None` where it changes nothing.
    pub depth: Option<u64>,
}

/// Something filled, to work on.
pub struct Prepared {
    /// How many records or rows were loaded.
    pub loaded: u64,
    /// Makes workers.
    pub bed: Box<dyn Bed>,
}

/// What workers work on.
pub trait Bed: Sync {
    /// A worker for the thread of this number, made on that thread.
    fn worker(&self, thread: usize) -> Result<Box<dyn Worker>>;
}
