//! A process that never opens one of our names notices nothing.

use hozo_tests::{Scratch, python_environment};

use crate::case::{Case, Need};

const PYTHON: &[Need] = &[Need::Program("python3")];

pub(crate) const CASES: &[Case] = &[
    Case::new("no_thread_no_file_no_output", nothing).needing(PYTHON),
    Case::new("a_broken_config_does_not_matter", broken_config).needing(PYTHON),
    Case::new("a_plain_database_stays_a_plain_file", plain_file).needing(PYTHON),
    Case::new("programs_without_sqlite_run", other_programs),
];

/// What a process can see of itself: threads, open files, and where SQLite is.
const LOOK: &str = "
import os, sqlite3
db = sqlite3.connect(os.path.abspath('plain.db'))
db.execute('CREATE TABLE IF NOT EXISTS t(x)')
db.commit()
files = []
for fd in os.listdir('/proc/self/fd'):
    try: files.append(os.readlink('/proc/self/fd/' + fd).split(':')[0])
    except OSError: pass
print(sorted(files), len(os.listdir('/proc/self/task')))
";

fn nothing() {
    let scratch = Scratch::with_namespace("app");
    let before = scratch.listing();
    let without = scratch.run(python_environment()).args(["-c", LOOK]).run();
    let with = scratch.python(LOOK, &[]).run();
    assert_eq!(with.stdout, without.stdout);
    assert_eq!(with.stderr, without.stderr);
    std::fs::remove_file(scratch.path("plain.db")).expect("the plain database is a file");
    assert_eq!(scratch.listing(), before, "the store must not have been touched");
}

fn broken_config() {
    let scratch = Scratch::empty();
    scratch.write("hozo.toml", "this is [not TOML");
    let said = scratch.python(LOOK, &[]).run();
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said}");
}

fn plain_file() {
    let scratch = Scratch::with_namespace("app");
    for name in ["./app", "other.db", "sub/app"] {
        std::fs::create_dir_all(scratch.path("sub")).expect("a directory can be made");
        let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.execute('CREATE TABLE t(x)'); db.commit()
";
        scratch.python(script, &[name]).ok();
        let header = std::fs::read(scratch.path(name)).expect(name);
        assert!(header.starts_with(b"SQLite format 3\0"), "{name}");
    }
}

fn other_programs() {
    let scratch = Scratch::with_namespace("app");
    let said = scratch.preloaded("sh").args(["-c", "echo one | cat; true && ls hozo.toml"]).run();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("one\nhozo.toml\n", ""));
}
