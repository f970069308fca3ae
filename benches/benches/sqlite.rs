//! SQLite over Hozo against SQLite on a plain file, with ratios at the end.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use hozo::traits::PageNo;
use hozo::traits::exec::block_on;
use hozo_benches::{Comparison, Database, Kind, Scratch, backends, criterion_dir, print_ratios};
use rusqlite::Connection;

/// Rows of the table that point reads and scans work on.
const ROWS: i64 = 100_000;
/// How deep the old version lies that is compared with the head.
const DEPTH: u64 = 10_000;
/// Updates whose bytes are counted: so many that it does not matter that files
/// grow by a MiB.
const COUNTED: u64 = 50_000;
/// Pages of the database whose pages are read one by one, all of them.
const PAGES: u32 = 150;
/// Connections that write at once.
const WRITERS: usize = 8;

/// The measurements beside a plain file: what, its group, the plain file's kind,
/// and the aim.
const BESIDE_SQLITE: &[(&str, &str, &str, &str)] = &[
    ("durable one-row transactions, 1 connection", "durable_1", "wal_full", "at least 1.0"),
    ("durable one-row transactions, 8 connections", "durable_8", "wal_full", "at least 3"),
    ("the same, optimistic, 8 tables", "durable_8_tables", "wal_full", "at least 3"),
    ("100,000 rows in one transaction", "bulk_load", "journal", "time, at most 1.15"),
    ("point reads, warm", "point_reads", "journal", "at least 1.0"),
    ("point reads, warm, no SQLite cache", "point_reads_uncached", "journal", "at least 1.0"),
    ("full scan", "scan", "journal", "time, at most 1.15"),
];

/// The measurements of a backend beside itself: what, its group without the
/// backend, what is judged, beside what, and the aim.
const BESIDE_ITSELF: &[(&str, &str, &str, &str, &str)] = &[
    ("point reads 10,000 commits deep", "history", "deep", "head", "at most 1.2"),
    ("the same, every page from the store", "history_pages", "deep", "head", "at most 1.2"),
    ("open and first read, 10,000 commits", "open", "after_10000", "after_10", "about 1"),
];

fn comparisons() -> Vec<Comparison> {
    let mut all = Vec::new();
    for (what, group, yardstick, aim) in BESIDE_SQLITE {
        all.extend(backends().into_iter().map(|backend| Comparison {
            what: format!("{what}, {backend}"),
            group: (*group).to_owned(),
            ours: backend,
            yardstick,
            aim,
            as_speed: !aim.starts_with("time"),
        }));
    }
    for (what, group, ours, yardstick, aim) in BESIDE_ITSELF {
        all.extend(backends().into_iter().map(|backend| Comparison {
            what: format!("{what}, {backend}"),
            group: format!("{group}_{backend}"),
            ours,
            yardstick,
            aim,
            as_speed: false,
        }));
    }
    all
}

/// A plain file, then a namespace over each backend.
fn beside(plain: Kind, ours: fn(&'static str) -> Kind) -> Vec<Kind> {
    std::iter::once(plain).chain(backends().into_iter().map(ours)).collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let scratch = Scratch::new();
    durable(&mut criterion, &scratch);
    bulk_load(&mut criterion, &scratch);
    reads(&mut criterion, &scratch);
    backends().into_iter().for_each(|backend| history(&mut criterion, &scratch, backend));
    criterion.final_summary();
    print_ratios(&criterion_dir(), &comparisons());
    backends().into_iter().for_each(|backend| bytes_per_update(&scratch, backend));
}

fn durable(criterion: &mut Criterion, scratch: &Scratch) {
    let mut group = criterion.benchmark_group("durable_1");
    for kind in beside(Kind::WalFull, Kind::Hozo) {
        let database = scratch.create(kind);
        let connection = counters(&database);
        let mut update = connection.prepare("UPDATE counter0 SET n = n + 1 WHERE id = ?1").unwrap();
        let mut id = 0;
        group.bench_function(kind.name(), |b| {
            b.iter(|| {
                id = id % 1000 + 1;
                assert_eq!(update.execute([id]).unwrap(), 1);
            })
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("durable_8");
    for kind in beside(Kind::WalFull, Kind::Hozo) {
        write_side_by_side(&mut group, scratch, kind, |_| 0);
    }
    group.finish();

    let mut group = criterion.benchmark_group("durable_8_tables");
    for kind in beside(Kind::WalFull, Kind::HozoOptimistic) {
        write_side_by_side(&mut group, scratch, kind, |writer| writer);
    }
    group.finish();
}

/// `WRITERS` connections share the iterations; the time is from the first
/// commit's start to the last one's end.
fn write_side_by_side(
    group: &mut BenchmarkGroup<'_, WallTime>,
    scratch: &Scratch,
    kind: Kind,
    table_of: fn(usize) -> usize,
) {
    let database = scratch.create(kind);
    drop(counters(&database));
    group.bench_function(kind.name(), |b| {
        b.iter_custom(|iterations| {
            let each = iterations.div_ceil(WRITERS as u64);
            let start = Barrier::new(WRITERS + 1);
            let elapsed = thread::scope(|scope| {
                let workers: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let (database, start) = (&database, &start);
                        scope.spawn(move || {
                            let connection = database.connect();
                            let sql = format!(
                                "UPDATE counter{} SET n = n + 1 WHERE id = ?1",
                                table_of(writer)
                            );
                            let mut update = connection.prepare(&sql).unwrap();
                            start.wait();
                            for i in 0..each {
                                let id = (writer as u64 * 125 + i % 125) + 1;
                                retry_conflicts(|| update.execute([id as i64]));
                            }
                        })
                    })
                    .collect();
                start.wait();
                let begun = Instant::now();
                for worker in workers {
                    worker.join().unwrap();
                }
                begun.elapsed()
            });
            elapsed.mul_f64(iterations as f64 / (each * WRITERS as u64) as f64)
        })
    });
}

/// What an application does: a conflict rolled the statement back, so again.
fn retry_conflicts(mut write: impl FnMut() -> rusqlite::Result<usize>) {
    loop {
        match write() {
            Ok(changed) => return assert_eq!(changed, 1),
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

fn counters(database: &Database) -> Connection {
    let connection = database.connect();
    for table in 0..WRITERS {
        connection
            .execute_batch(&format!(
                "BEGIN; CREATE TABLE counter{table}(id INTEGER PRIMARY KEY, n INTEGER, pad TEXT);
                 WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<1000)
                 INSERT INTO counter{table} SELECT i, 0, hex(randomblob(40)) FROM c; COMMIT"
            ))
            .unwrap();
    }
    connection
}

fn bulk_load(criterion: &mut Criterion, scratch: &Scratch) {
    let mut group = criterion.benchmark_group("bulk_load");
    group.sample_size(10);
    for kind in beside(Kind::Journal, Kind::Hozo) {
        let database = scratch.create(kind);
        let connection = database.connect();
        let mut table = 0;
        group.bench_function(kind.name(), |b| {
            b.iter(|| {
                table += 1;
                load(&connection, &format!("load{table}"));
            })
        });
    }
    group.finish();
}

fn load(connection: &Connection, table: &str) {
    connection.execute_batch("BEGIN").unwrap();
    connection
        .execute_batch(&format!("CREATE TABLE {table}(id INTEGER PRIMARY KEY, k INTEGER, t TEXT)"))
        .unwrap();
    let mut insert =
        connection.prepare(&format!("INSERT INTO {table} VALUES (?1, ?2, ?3)")).unwrap();
    for id in 0..ROWS {
        let k = (id * 7_919) % ROWS;
        insert.execute((id, k, format!("row {k} of the table, with some text"))).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn reads(criterion: &mut Criterion, scratch: &Scratch) {
    let databases = beside(Kind::Journal, Kind::Hozo).into_iter().map(|kind| {
        let database = scratch.create(kind);
        load(&database.connect(), "rows");
        (kind, database)
    });
    let databases: Vec<_> = databases.collect();
    // The default cache of SQLite holds about 2 MiB of these 5 MiB; with
    // cache_size = 0 every page comes from the file or from Hozo.
    for (name, pragma) in [
        ("point_reads", "PRAGMA cache_size = -16384"),
        ("point_reads_uncached", "PRAGMA cache_size = 0"),
    ] {
        let mut group = criterion.benchmark_group(name);
        for (kind, database) in &databases {
            let connection = database.connect();
            connection.execute_batch(pragma).unwrap();
            let mut get = connection.prepare("SELECT t FROM rows WHERE id = ?1").unwrap();
            let mut id = 0;
            group.bench_function(kind.name(), |b| {
                b.iter(|| {
                    id = (id + 7_919) % ROWS;
                    black_box(get.query_row([id], |row| row.get::<_, String>(0)).unwrap())
                })
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("scan");
    for (kind, database) in &databases {
        let connection = database.connect();
        group.bench_function(kind.name(), |b| {
            b.iter(|| {
                let sum: i64 = connection
                    .query_row("SELECT sum(length(t)) FROM rows", [], |row| row.get(0))
                    .unwrap();
                black_box(sum)
            })
        });
    }
    group.finish();
}

fn history(criterion: &mut Criterion, scratch: &Scratch, backend: &'static str) {
    let database = scratch.create(Kind::Hozo(backend));
    let first = {
        let connection = counters(&database);
        let version = database.version(&connection);
        connection.pragma_update(None, "synchronous", "normal").unwrap();
        let mut update = connection.prepare("UPDATE counter0 SET n = n + 1 WHERE id = ?1").unwrap();
        for i in 0..DEPTH {
            update.execute([(i % 1000 + 1) as i64]).unwrap();
        }
        version
    };
    let mut group = criterion.benchmark_group(format!("history_{backend}"));
    for (name, connection) in [("deep", database.connect_at(&first)), ("head", database.connect())]
    {
        connection.execute_batch("PRAGMA cache_size = 0").unwrap();
        let mut get = connection.prepare("SELECT n FROM counter0 WHERE id = ?1").unwrap();
        let mut id = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                id = (id + 7) % 1000 + 1;
                black_box(get.query_row([id], |row| row.get::<_, i64>(0)).unwrap())
            })
        });
    }
    group.finish();
    history_pages(criterion, &database, backend, &first);

    let young = scratch.create(Kind::Hozo(backend));
    {
        let connection = counters(&young);
        for id in 1..=10 {
            connection.execute("UPDATE counter0 SET n = n + 1 WHERE id = ?1", [id]).unwrap();
        }
    }
    let mut group = criterion.benchmark_group(format!("open_{backend}"));
    for (name, database) in [("after_10000", database), ("after_10", young)] {
        let closed = database.copy();
        // The first open after a crash replays the log; that is bounded by the
        // write buffer, not by the history.
        closed.open_and_read();
        group.bench_function(name, |b| b.iter(|| closed.open_and_read()));
    }
    group.finish();
}

/// Reads of single pages from the store, which no connection remembers.
fn history_pages(criterion: &mut Criterion, database: &Database, backend: &str, first: &str) {
    let namespace = database.namespace();
    let head = block_on(namespace.heads()).unwrap().sequenced;
    let mut group = criterion.benchmark_group(format!("history_pages_{backend}"));
    for (name, version) in [("deep", first.parse().unwrap()), ("head", head.version)] {
        let mut no = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                no = (no + 7) % PAGES + 1;
                let page = [PageNo::new(no).unwrap()];
                black_box(block_on(namespace.read(&page, version)).unwrap())
            })
        });
    }
    group.finish();
}

/// Not a time: what one small UPDATE adds to the store's directory.
fn bytes_per_update(scratch: &Scratch, backend: &'static str) {
    let database = scratch.create_to_count(backend);
    let connection = counters(&database);
    connection.execute_batch("PRAGMA synchronous = NORMAL").unwrap();
    let mut update = connection.prepare("UPDATE counter0 SET n = n + 1 WHERE id = ?1").unwrap();
    let mut run = |updates: u64| {
        for i in 0..updates {
            update.execute([(i % 1000 + 1) as i64]).unwrap();
        }
    };
    run(100);
    let before = database.history_bytes();
    run(COUNTED);
    let after = database.history_bytes();
    println!(
        "{:<54} {:>12}                        aim: at most 600",
        format!("bytes of history per one-row UPDATE, {backend}"),
        (after - before) / COUNTED
    );
}
