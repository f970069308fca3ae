//! kill -9 in the middle of transactions: whatever a process was told is
//! committed is there afterwards, whole, and nothing else is there in part.

use hozo_tests::{Random, Scratch, crash_rounds};

use crate::case::{Case, Need};

const PYTHON: &[Need] = &[Need::Program("python3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("durable_commits_survive_kill", durable).needing(PYTHON),
    Case::new("sequenced_commits_survive_kill", sequenced).needing(PYTHON),
];

/// Rounds of each test; `HOZO_CRASH_ROUNDS` asks for more.
const ROUNDS: u32 = 40;

/// First checks what the round before left, then commits until it is killed,
/// saying each commit's number only once COMMIT has returned. Each transaction
/// moves money between two namespaces, and every fifth is larger than the page
/// cache, so that it spills.
const WRITER: &str = "
import sqlite3, sys
synchronous, said = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect('app', isolation_level=None, timeout=30)
db.execute('ATTACH \"side\" AS side')
for schema in 'main', 'side':
    db.execute(f'PRAGMA {schema}.synchronous = {synchronous}')
    db.execute(f'PRAGMA {schema}.cache_size = 10')
if said == 0:
    db.execute('BEGIN')
    db.execute('CREATE TABLE IF NOT EXISTS main.account(n INTEGER PRIMARY KEY, balance, ballast)')
    db.execute('CREATE TABLE IF NOT EXISTS side.account(n INTEGER PRIMARY KEY, balance, ballast)')
    db.execute('COMMIT')
for schema in 'main', 'side':
    check = db.execute(f'PRAGMA {schema}.integrity_check').fetchall()
    assert check == [('ok',)], check
rows = db.execute('SELECT m.n, m.balance + s.balance, length(m.ballast) FROM main.account m '
                  'LEFT JOIN side.account s USING (n) ORDER BY n').fetchall()
assert len(rows) == db.execute('SELECT count(*) FROM side.account').fetchone()[0], 'half a commit'
assert [n for n, _, _ in rows] == list(range(1, len(rows) + 1)), 'a commit is missing'
assert len(rows) >= said, f'{said} commits were answered and {len(rows)} are there'
for n, total, ballast in rows:
    assert total == 0, f'commit {n} is there in part'
    assert ballast == (200000 if n % 5 == 0 else 10), f'commit {n} is there in part'
n = len(rows)
print('from', n, flush=True)
while True:
    n += 1
    size = 200000 if n % 5 == 0 else 10
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO main.account VALUES (?, ?, zeroblob(?))', (n, n, size))
    db.execute('INSERT INTO side.account VALUES (?, ?, zeroblob(?))', (n, -n, size))
    db.execute('COMMIT')
    print('committed', n, flush=True)
";

fn durable() {
    rounds("FULL");
}

fn sequenced() {
    rounds("OFF");
}

fn rounds(synchronous: &str) {
    let rounds = crash_rounds(ROUNDS);
    let mut random = Random::seeded();
    let seed = random.seed();
    println!("kill -9 with synchronous={synchronous}: {rounds} rounds, HOZO_SEED={seed}");
    let scratch = Scratch::with_namespace("app");
    scratch.hozo(&["ns", "create", "side"]).ok();
    let mut said = 0;
    for round in 0..rounds {
        let args = [synchronous, &said.to_string()];
        let mut writer = scratch.python(WRITER, &args).start();
        writer.wait_for("from ");
        for _ in 0..random.below(12) {
            writer.wait_for("committed ");
        }
        // A few microseconds more or less, so that the blow falls anywhere
        // between two answers.
        for _ in 0..random.below(200_000) {
            std::hint::spin_loop();
        }
        let ran = writer.kill();
        assert_eq!(ran.code, None, "round {round} of seed {seed} ended by itself: {ran}");
        // A line without its end was not said: the blow may fall within one.
        let whole = ran.stdout.rfind('\n').map_or("", |end| &ran.stdout[..end]);
        if let Some((_, number)) = whole.lines().rev().find_map(|line| line.split_once(' ')) {
            said = number.parse().expect("the writer says numbers");
        }
    }
}
