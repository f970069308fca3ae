//! List-append transactions over SQL, judged by the conformance checker.

use std::sync::Barrier;
use std::time::Duration;

use hozo_conformance::checker::{Outcome, Recorder, check_strict};
use hozo_conformance::{Rng, seed};
use rusqlite::{Connection, ffi};

use crate::kit::{Ask, Kit, code};

const THREADS: u32 = 8;
const EACH: u64 = 60;
const KEYS: u64 = 12;
/// So often at most until transactions meet.
const TRIES: u32 = 20;

fn transaction(
    db: &Connection,
    recorder: &Recorder,
    process: u32,
    n: u64,
    rng: &mut Rng,
    two: bool,
) {
    let begin = if rng.below(2) == 0 { "BEGIN" } else { "BEGIN IMMEDIATE" };
    let mut recording = recorder.begin(process);
    let mut run = || -> rusqlite::Result<()> {
        db.execute_batch(begin)?;
        // What a transaction read in one database and wrote in another is not
        // checked, so one that uses both writes both.
        let mut steps: Vec<(u64, bool)> = (0..1 + rng.below(4))
            .map(|_| (rng.below(KEYS as usize) as u64, rng.below(2) == 0))
            .collect();
        let in_aux = |key: u64| two && key % 2 == 1;
        if steps.iter().any(|s| in_aux(s.0)) && steps.iter().any(|s| !in_aux(s.0)) {
            steps.extend([(rng.below(KEYS as usize) as u64 / 2 * 2, false)]);
            steps.extend([(rng.below(KEYS as usize) as u64 / 2 * 2 + 1, false)]);
        }
        for (step, (key, reads)) in (0..).zip(steps) {
            let schema = if in_aux(key) { "aux" } else { "main" };
            if reads {
                let sql = format!("SELECT list FROM {schema}.lists WHERE key=?1");
                let list: String = db.query_row(&sql, [key as i64], |row| row.get(0))?;
                let list: Vec<u64> =
                    list.split_terminator(',').map(|v| v.parse().unwrap()).collect();
                recording.read(key, list);
            } else {
                let value = (u64::from(process) * EACH + n) * 8 + step;
                let sql = format!("UPDATE {schema}.lists SET list=list||?1||',' WHERE key=?2");
                db.execute(&sql, (value as i64, key as i64))?;
                recording.append(key, value);
            }
        }
        db.execute_batch("COMMIT")
    };
    match run() {
        Ok(()) => recording.end(Outcome::Committed),
        Err(e) => {
            let code = code(e);
            assert_eq!(code & 0xff, ffi::SQLITE_BUSY, "{code}");
            if !db.is_autocommit() {
                db.run("ROLLBACK");
            }
            recording.end(Outcome::Aborted);
        }
    }
}

/// Transactions that met: until some do, which on a busy machine may take more
/// than one try.
fn run(optimistic: bool, two: bool, synchronous: &str) {
    let met = (0..TRIES).any(|_| contended(optimistic, two, synchronous) > 0);
    assert!(met, "nothing was put to the test");
}

/// How many operations of a run were about what somebody else changed meanwhile.
fn contended(optimistic: bool, two: bool, synchronous: &str) -> usize {
    let seed = seed();
    let kit = Kit::new();
    for name in ["main", "aux"] {
        if optimistic {
            kit.optimistic(name);
        }
        let db = kit.open(name);
        db.run("CREATE TABLE lists(key INTEGER PRIMARY KEY, list TEXT, filler)");
        // Large rows, so that lists share few pages.
        db.run(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<{}) \
             INSERT INTO lists SELECT i, '', zeroblob(1500) FROM n",
            KEYS - 1
        ));
    }
    let (recorder, start) = (Recorder::new(), Barrier::new(THREADS as usize));
    std::thread::scope(|scope| {
        for process in 0..THREADS {
            let (recorder, start) = (&recorder, &start);
            let db = kit.open_patient("main");
            if two {
                // Two may wait for each other, which only the timeout ends.
                db.busy_timeout(Duration::from_millis(20)).unwrap();
            }
            db.run("ATTACH 'aux' AS aux");
            db.run(&format!(
                "PRAGMA synchronous={synchronous}; PRAGMA aux.synchronous={synchronous}"
            ));
            scope.spawn(move || {
                let mut rng = Rng::new(seed ^ u64::from(process));
                start.wait();
                for n in 0..EACH {
                    transaction(&db, recorder, process, n, &mut rng, two);
                }
            });
        }
    });
    let report = check_strict(&recorder.into_history())
        .unwrap_or_else(|v| panic!("optimistic {optimistic}, seed {seed}: {v}"));
    println!("optimistic {optimistic}, two {two}, {synchronous}: {report:?}");
    for name in ["main", "aux"] {
        kit.open(name).intact();
    }
    report.contended
}

#[test]
fn serial_transactions_are_strictly_serializable() {
    for synchronous in ["FULL", "NORMAL"] {
        run(false, false, synchronous);
        run(false, true, synchronous);
    }
}

#[test]
fn optimistic_transactions_are_strictly_serializable() {
    for synchronous in ["FULL", "NORMAL"] {
        run(true, false, synchronous);
        run(true, true, synchronous);
    }
}
