//! For the tests of such a library: a directory with a config, programs that
//! run in it, and the SQLite that they are built with.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

mod programs;

pub use programs::{Programs, sqlite_source};

/// No program of a test takes longer than this, in seconds, on a slow machine.
const PATIENCE: &str = "180";

/// Says which store the tests use; the default one if it is not set.
const STORE: &str = "HOZO_TEST_STORE";

/// The store that the tests use if nobody says which.
const DEFAULT_STORE: &str = "hashdbm";

/// The store that the tests use.
pub fn store() -> String {
    std::env::var(STORE).unwrap_or_else(|_| DEFAULT_STORE.to_owned())
}

/// Whether what a program stores is there for the next one.
pub fn store_stays() -> bool {
    let stays = store() != "memory";
    if !stays {
        say_skipped("a store in memory ends with its process");
    }
    stays
}

/// Whether a program is installed; says so where it is not.
pub fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        say_skipped(&format!("{program} is not installed"));
    }
    found
}

/// Past the harness, which would keep it for failed tests.
fn say_skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A directory to run programs in.
#[derive(Debug)]
pub struct Place {
    dir: tempfile::TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Place {
    /// A directory with a config that maps `app` and `app/*`.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let place = Self::bare();
        place.configure("[[namespace]]\nmatch = \"app\"\n[[namespace]]\nmatch = \"app/*\"\n");
        place
    }

    /// A directory without a config.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn bare() -> Self {
        Place { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Writes a config with the tests' store and what follows it.
    pub fn configure(&self, rest: &str) {
        let backend = store();
        let path = if backend == "memory" { "" } else { "path = \"store\"\n" };
        self.write("hozo.toml", &format!("[store.main]\nbackend = \"{backend}\"\n{path}{rest}"));
    }

    /// Something in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    /// If it cannot.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the directory can be written");
    }

    /// Whether this is a plain file of SQLite's.
    pub fn is_database(&self, name: &str) -> bool {
        fs::read(self.path(name)).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    }

    /// Names in the directory, without the config's and the store's.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("the directory can be read");
        let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text"));
        let mut names: Vec<_> =
            names.filter(|name| name != "hozo.toml" && name != "store").collect();
        names.sort();
        names
    }

    /// Runs a program in the directory, with these variables and none of ours.
    ///
    /// # Panics
    /// If it does not start.
    pub fn run_bare<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, PathBuf)],
        program: impl AsRef<OsStr>,
        args: &[S],
    ) -> Ran {
        // `env` sets the variables for the program alone, not for `timeout`.
        let mut command = Command::new("timeout");
        command.args(["-k", "5", PATIENCE, "env"]).current_dir(self.dir.path());
        for key in ["HOZO_CONFIG", "HOZO_DOCTOR_REPORT", "HOZO_PRELOAD_REGISTER"] {
            command.env_remove(key);
        }
        for (key, value) in variables {
            command.arg(format!("{key}={}", value.display()));
        }
        let output = command.arg(program).args(args).output().expect("coreutils are installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Ran {
    /// The standard output of a program that ended well and said nothing on
    /// standard error.
    ///
    /// # Panics
    /// If it ended otherwise.
    #[track_caller]
    pub fn quiet(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }
}

/// How often a library or a program has SQLite's code in it, told by a text of it.
///
/// # Panics
/// If the file cannot be read.
pub fn sqlites_in(file: &Path) -> usize {
    let mark = b"CREATE TABLE %Q.sqlite_sequence(name,seq)";
    let bytes = fs::read(file).expect("the file can be read");
    bytes.windows(mark.len()).filter(|window| window == mark).count()
}
