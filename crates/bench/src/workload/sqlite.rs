//! The workloads on SQLite databases.

use std::sync::atomic::{AtomicU64, Ordering};

use hozo::traits::{Error, ErrorKind, Result};
use hozo_embedded::rusqlite::{self, Connection};

use super::database::failed;
use super::texts::Texts;
use super::{Bed, Database, Parameters};
use crate::driver::{Step, Worker};
use crate::latency::Op;
use crate::random::Random;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Commit,
    Point,
    Scan,
    Load,
    Mixed,
    Head,
    Deep,
}

/// Rows that a scan reads.
const SCAN_ROWS: u64 = 1_000;
/// Rows that a transaction of the bulk load inserts.
const LOAD_ROWS: u64 = 10_000;
/// How many of a hundred operations of the mixed workload read.
const MIXED_READS: u64 = 80;
/// Commits between two looks at the progress.
const DEPTH_STEP: u64 = 100;

const CREATE: &str = "(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, t TEXT NOT NULL)";
const UPDATE: &str = "UPDATE rows SET n = n + 1 WHERE id = ?1";
const POINT: &str = "SELECT t FROM rows WHERE id = ?1";
const SCAN: &str = "SELECT count(*), sum(length(t)) FROM rows WHERE id BETWEEN ?1 AND ?2";

/// A database with a table of rows.
pub(super) struct Table {
    database: Database,
    kind: Kind,
    parameters: Parameters,
    seed: u64,
    /// Where `Deep` reads.
    version: Option<String>,
    /// Tables that the bulk load made.
    made: AtomicU64,
}

/// Makes the table, and its history if the workload wants one.
pub(super) fn load(
    database: Database,
    kind: Kind,
    parameters: &Parameters,
    seed: u64,
    progress: &mut dyn FnMut(f64),
) -> Result<Table> {
    let mut table = Table {
        database,
        kind,
        parameters: parameters.clone(),
        seed,
        version: None,
        made: AtomicU64::new(0),
    };
    if kind == Kind::Deep {
        // A plain file cannot, which is better said before it is filled.
        table.database.has_versions()?;
    }
    let connection = table.database.connect()?;
    if kind != Kind::Load {
        let share = if table.travels() { 0.5 } else { 1.0 };
        let rows = parameters.records;
        let mut texts = Texts::new(Random::part(seed, u64::MAX), parameters.value_bytes);
        insert(&connection, "rows", rows, &mut texts, &mut |done| progress(done * share))?;
    }
    if table.travels() {
        hozo::vfs::set_page_cache_bytes_max(0);
        table.version = table.database.version(&connection)?;
        table.deepen(&connection, progress)?;
    }
    table.database.settle()?;
    Ok(table)
}

impl Table {
    fn travels(&self) -> bool {
        matches!(self.kind, Kind::Head | Kind::Deep)
    }

    /// How many rows were loaded.
    pub(super) fn loaded(&self) -> u64 {
        if self.kind == Kind::Load { 0 } else { self.parameters.records }
    }

    /// Commits so often that what was loaded is that deep in the history.
    fn deepen(&self, connection: &Connection, progress: &mut dyn FnMut(f64)) -> Result<()> {
        connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(failed)?;
        let mut random = Random::part(self.seed, u64::MAX - 1);
        let depth = self.parameters.depth.unwrap_or_default();
        let mut update = connection.prepare(UPDATE).map_err(failed)?;
        for commit in 0..depth {
            if commit % DEPTH_STEP == 0 {
                progress(0.5 + 0.5 * commit as f64 / depth as f64);
            }
            update.execute([self.row(&mut random)]).map_err(failed)?;
        }
        Ok(())
    }

    /// Any row's id.
    fn row(&self, random: &mut Random) -> i64 {
        random.below(self.parameters.records) as i64 + 1
    }
}

impl Bed for Table {
    fn worker(&self, thread: usize) -> Result<Box<dyn Worker>> {
        let connection = match (&self.version, self.kind) {
            (Some(version), Kind::Deep) => self.database.connect_at(version)?,
            _ => self.database.connect()?,
        };
        if self.travels() {
            // Nor does SQLite keep anything: each page comes from the store.
            connection.execute_batch("PRAGMA cache_size = 0").map_err(failed)?;
        }
        let part = thread as u64;
        Ok(Box::new(Client {
            connection,
            kind: self.kind,
            rows: self.parameters.records,
            value_bytes: self.parameters.value_bytes,
            random: Random::part(self.seed, part),
            texts: Texts::new(Random::part(!self.seed, part), self.parameters.value_bytes),
            tables: format!("load{thread}_{}", self.made.fetch_add(1, Ordering::Relaxed)),
            loaded: 0,
        }))
    }
}

/// One connection's part.
struct Client {
    connection: Connection,
    kind: Kind,
    rows: u64,
    value_bytes: usize,
    random: Random,
    texts: Texts,
    tables: String,
    loaded: u64,
}

impl Worker for Client {
    fn step(&mut self) -> Result<Step> {
        match self.kind {
            Kind::Commit => self.commit(),
            Kind::Point | Kind::Head | Kind::Deep => self.point(),
            Kind::Scan => self.scan(),
            Kind::Load => self.load(),
            Kind::Mixed if self.random.below(100) < MIXED_READS => self.point(),
            Kind::Mixed => self.commit(),
        }
    }
}

impl Client {
    fn row(&mut self) -> i64 {
        self.random.below(self.rows) as i64 + 1
    }

    fn commit(&mut self) -> Result<Step> {
        let row = self.row();
        let mut update = self.connection.prepare_cached(UPDATE).map_err(failed)?;
        let mut retries = 0;
        loop {
            match update.execute([row]) {
                Ok(1) => return Ok(Step { op: Op::Update, retries }),
                Ok(changed) => return Err(wrong("rows changed by one update", changed)),
                // What an application does: a conflict rolled the statement
                // back, so again.
                Err(e) if is_conflict(&e) => retries += 1,
                Err(e) => return Err(failed(e)),
            }
        }
    }

    fn point(&mut self) -> Result<Step> {
        let row = self.row();
        let mut point = self.connection.prepare_cached(POINT).map_err(failed)?;
        let length = |row: &rusqlite::Row<'_>| Ok(row.get_ref(0)?.as_str()?.len());
        let bytes = point.query_row([row], length).map_err(failed)?;
        if bytes != self.value_bytes {
            return Err(wrong("bytes in a row's text", bytes));
        }
        Ok(Step::of(Op::Read))
    }

    fn scan(&mut self) -> Result<Step> {
        let rows = SCAN_ROWS.min(self.rows);
        let first = 1 + self.random.below(self.rows - rows + 1);
        let mut scan = self.connection.prepare_cached(SCAN).map_err(failed)?;
        let counts = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let range = [first as i64, (first + rows) as i64 - 1];
        let (found, bytes) = scan.query_row(range, counts).map_err(failed)?;
        if (found, bytes) != (rows as i64, rows as i64 * self.value_bytes as i64) {
            return Err(wrong("rows found by a scan", found));
        }
        Ok(Step::of(Op::Scan))
    }

    fn load(&mut self) -> Result<Step> {
        let table = format!("{}_{}", self.tables, self.loaded);
        self.loaded += 1;
        insert(&self.connection, &table, LOAD_ROWS, &mut self.texts, &mut |_| ())?;
        Ok(Step::of(Op::Load))
    }
}

fn wrong(what: &'static str, found: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, "a database does not hold what was written").with(what, found)
}

/// Whether the transaction would go through another time.
fn is_conflict(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Makes a table with so many rows, in one transaction.
fn insert(
    connection: &Connection,
    table: &str,
    rows: u64,
    texts: &mut Texts,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    connection.execute_batch(&format!("BEGIN; CREATE TABLE {table}{CREATE}")).map_err(failed)?;
    let sql = format!("INSERT INTO {table} VALUES (?1, 0, ?2)");
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    for id in 0..rows {
        statement.execute((id as i64 + 1, texts.next_text())).map_err(failed)?;
        if id % LOAD_ROWS == 0 {
            progress(id as f64 / rows as f64);
        }
    }
    connection.execute_batch("COMMIT").map_err(failed)
}
