//! CPython's `_sqlite3` under the preload library, and a Python package that
//! brings a SQLite of its own.

use hozo_tests::{Scratch, python_environment};

use crate::case::{Case, Need};

const PYTHON: &[Need] = &[Need::Program("python3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("standard_library_module_works", standard_library).needing(PYTHON),
    Case::new("many_threads_with_their_own_connections", threads).needing(PYTHON),
    Case::new("fork_after_load_and_before_first_open", fork).needing(PYTHON),
    Case::new("a_bundled_sqlite_keeps_its_version", bundled).needing(PYTHON),
    Case::new("a_current_library_works_too", current_library).needing(PYTHON),
    Case::new("pragmas_that_programs_set_are_taken", pragmas).needing(PYTHON),
    Case::new("blob_backup_and_interrupt_work", blob_backup_interrupt).needing(PYTHON),
];

fn standard_library() {
    let scratch = Scratch::with_namespace("app");
    let script = "
import sqlite3, sys
db = sqlite3.connect('app')
with db:
    db.execute('CREATE TABLE t(x)')
    db.executemany('INSERT INTO t VALUES (?)', [(i,) for i in range(100)])
try:
    with db:
        db.execute('DELETE FROM t')
        raise ValueError
except ValueError:
    pass
print(db.execute('SELECT count(*), sum(x) FROM t').fetchone())
";
    assert_eq!(scratch.python(script, &[]).ok(), "(100, 4950)\n");
    let sum = scratch.hozo(&["sql", "app", "SELECT sum(x) FROM t"]).ok();
    assert!(sum.contains("4950"), "{sum}");
}

fn threads() {
    let scratch = Scratch::with_namespace("app");
    let script = "
import sqlite3, threading
db = sqlite3.connect('app')
db.execute('CREATE TABLE t(who, n)'); db.commit()
failures = []
def work(who):
    try:
        db = sqlite3.connect('app', timeout=60)
        for n in range(25):
            with db:
                db.execute('INSERT INTO t VALUES (?, ?)', (who, n))
        db.close()
    except Exception as e:
        failures.append(repr(e))
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(failures, db.execute('SELECT count(*), count(DISTINCT who) FROM t').fetchone())
";
    assert_eq!(scratch.python(script, &[]).ok(), "[] (200, 8)\n");
}

fn fork() {
    let scratch = Scratch::with_namespace("app");
    // As a server with preforked workers does: the module is loaded, workers
    // are forked, and each opens the database when it has work.
    let script = "
import os, sqlite3
sqlite3.connect(':memory:').execute('SELECT 1')
pid = os.fork()
if pid == 0:
    db = sqlite3.connect('app')
    db.execute('CREATE TABLE t(x)')
    db.execute('INSERT INTO t VALUES (7)')
    db.commit()
    db.close()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(sqlite3.connect('app').execute('SELECT x FROM t').fetchone())
";
    assert_eq!(scratch.python(script, &[]).ok(), "0\n(7,)\n");
}

fn bundled() {
    let scratch = Scratch::with_namespace("app");
    let version = "import pysqlite3; print(pysqlite3.sqlite_version)";
    let without = scratch.run(python_environment()).args(["-c", version]).ok();
    let script = "
import sqlite3, pysqlite3
print(pysqlite3.sqlite_version)
db = pysqlite3.connect('app')
db.execute('CREATE TABLE t(x)'); db.execute('INSERT INTO t VALUES (1)'); db.commit(); db.close()
print(sqlite3.connect('app').execute('SELECT x FROM t').fetchone())
";
    assert_eq!(scratch.python(script, &[]).ok(), format!("{without}(1,)\n"));
}

/// Debian's library is some versions behind; the one that the extension and the
/// command bundle is current. As a shared library it must work as well.
fn current_library() {
    let scratch = Scratch::with_namespace("app");
    let Some(source) = hozo_tests::bundled_sqlite_source() else {
        panic!("the source of the bundled SQLite is not in cargo's registry");
    };
    scratch
        .run("cc")
        .args(["-O1", "-shared", "-fPIC", "-DSQLITE_ENABLE_COLUMN_METADATA", "-o"])
        .arg("libsqlite3.so.0")
        .arg(&source)
        .args(["-lpthread", "-ldl", "-lm"])
        .ok();
    let script = "
import sqlite3
print(sqlite3.sqlite_version)
db = sqlite3.connect('app')
db.execute('CREATE TABLE t(x)'); db.execute('INSERT INTO t VALUES (1)'); db.commit()
print(db.execute('SELECT x FROM t').fetchone())
";
    let said = scratch.python(script, &[]).env("LD_LIBRARY_PATH", scratch.dir()).ok();
    let system = scratch
        .run(python_environment())
        .args(["-c", "import sqlite3; print(sqlite3.sqlite_version)"])
        .ok();
    let (version, row) = said.split_once('\n').expect("two lines");
    assert_eq!(row, "(1,)\n");
    assert_ne!(version, system.trim(), "the library just built was not the one in use");
}

/// What programs say after connecting. Python asks for the name of each column,
/// and takes it for lack of memory if there is none.
fn pragmas() {
    let scratch = Scratch::with_namespace("app");
    let script = "
import sqlite3
db = sqlite3.connect('app')
for pragma in ('journal_mode=WAL', 'synchronous=OFF', 'synchronous=NORMAL', 'synchronous=1',
               'synchronous', 'locking_mode=EXCLUSIVE', 'locking_mode=NORMAL', 'mmap_size=268435456',
               'cache_size=-20000', 'temp_store=MEMORY', 'foreign_keys=ON', 'busy_timeout=1000',
               'wal_checkpoint(TRUNCATE)', 'auto_vacuum=INCREMENTAL', 'optimize', 'quick_check'):
    db.execute('PRAGMA ' + pragma).fetchall()
with db:
    db.execute('CREATE TABLE t(x)')
    db.execute('INSERT INTO t VALUES (1)')
print(db.execute('SELECT x FROM t').fetchall())
";
    assert_eq!(scratch.python(script, &[]).ok(), "[(1,)]\n");
}

fn blob_backup_interrupt() {
    let scratch = Scratch::with_namespace("app");
    let script = "
import sqlite3, threading
db = sqlite3.connect('app', check_same_thread=False)
db.execute('CREATE TABLE t(id INTEGER PRIMARY KEY, b)')
db.execute('INSERT INTO t VALUES (1, zeroblob(100000))'); db.commit()
with db.blobopen('t', 'b', 1) as blob:
    blob.seek(50000); blob.write(b'tenon')
db.commit()
with db.blobopen('t', 'b', 1, readonly=True) as blob:
    blob.seek(50000); print(blob.read(5))
with sqlite3.connect('plain.db') as plain:
    db.backup(plain)
    print(plain.execute('SELECT length(b) FROM t').fetchone())
started = threading.Event()
db.create_function('mark', 0, lambda: started.set() or 0)
def later():
    started.wait()
    db.interrupt()
threading.Thread(target=later).start()
try:
    db.execute('WITH RECURSIVE n(i) AS (SELECT mark() UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n').fetchone()
except sqlite3.OperationalError as e:
    print(e)
";
    assert_eq!(scratch.python(script, &[]).ok(), "b'tenon'\n(100000,)\ninterrupted\n");
}
