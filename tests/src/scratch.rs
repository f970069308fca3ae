//! A scratch directory with a store in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Run, built, python_environment};

/// A directory that is gone when the test ends, with a `hozo.toml` and the
/// store that it describes.
pub struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// An empty directory.
    pub fn empty() -> Scratch {
        let dir = tempfile::Builder::new().prefix("hozo-test-").tempdir();
        Scratch { dir: dir.expect("a temporary directory can be made") }
    }

    /// A directory as `hozo init` leaves it.
    pub fn new() -> Scratch {
        let scratch = Scratch::empty();
        scratch.hozo(&["init"]).args(init_args()).ok();
        scratch
    }

    /// The same, with a namespace of this name.
    pub fn with_namespace(name: &str) -> Scratch {
        let scratch = Scratch::new();
        scratch.hozo(&["ns", "create", name]).ok();
        scratch
    }

    /// Something in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config.
    pub fn config(&self) -> PathBuf {
        self.path("hozo.toml")
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written in the scratch directory");
        path
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Everything below the directory: paths and lengths.
    pub fn listing(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut dirs = vec![self.dir().to_path_buf()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).expect("a scratch directory can be listed") {
                let entry = entry.expect("a scratch directory can be listed");
                let about = entry.metadata().expect("a file in it can be looked at");
                if about.is_dir() {
                    dirs.push(entry.path());
                }
                found.push((entry.path(), about.len()));
            }
        }
        found.sort();
        found
    }

    /// Where `hozo init` puts the store: its only directory.
    pub fn store(&self) -> PathBuf {
        let entries = fs::read_dir(self.dir()).expect("a scratch directory can be listed");
        let dirs = entries.filter_map(|entry| entry.ok().map(|e| e.path())).filter(|p| p.is_dir());
        let dirs: Vec<PathBuf> = dirs.collect();
        assert_eq!(dirs.len(), 1, "the store is the only directory: {dirs:?}");
        dirs[0].clone()
    }

    /// A copy of a directory, beside the scratch directory's other files.
    pub fn keep(&self, dir: &Path) -> TempDir {
        let kept = tempfile::tempdir().expect("a temporary directory can be made");
        Run::new("cp").args(["-a", "--"]).arg(dir).arg(kept.path().join("copy")).ok();
        kept
    }

    /// Puts a directory back as it was kept.
    pub fn restore(&self, kept: &TempDir, dir: &Path) {
        fs::remove_dir_all(dir).expect("a directory of the scratch directory can be removed");
        Run::new("cp").args(["-a", "--"]).arg(kept.path().join("copy")).arg(dir).ok();
    }

    /// A namespace's log, newest first, as `hozo ns log --json` has it.
    pub fn log(&self, name: &str) -> Vec<Value> {
        let text = self.hozo(&["ns", "log", name, "--json"]).ok();
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        value.as_array().unwrap_or_else(|| panic!("no list: {text}")).clone()
    }

    /// A program that runs here.
    pub fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        Run::new(program).dir(self.dir())
    }

    /// A program that runs here under the preload library with this store.
    pub fn preloaded(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        self.run(program).env("LD_PRELOAD", &built().preload).env("HOZO_CONFIG", self.config())
    }

    /// The command `hozo`, here.
    pub fn hozo(&self, args: &[&str]) -> Run {
        self.run(&built().hozo).args(args)
    }

    /// The system's SQLite shell under the preload library: `sqlite3 -batch NAME SQL...`.
    pub fn sqlite3(&self, name: &str, sql: &[&str]) -> Run {
        self.preloaded("sqlite3").args(["-batch", "-bail", name]).args(sql)
    }

    /// Python under the preload library, with the packages for the tests.
    pub fn python(&self, script: &str, args: &[&str]) -> Run {
        self.preloaded(python_environment()).arg("-c").arg(script).args(args)
    }
}

/// What `hozo init` is told besides: the store that `HOZO_TEST_STORE` names, or
/// nothing, for the one that it takes by itself.
pub fn init_args() -> Vec<String> {
    match std::env::var("HOZO_TEST_STORE") {
        Ok(backend) => vec!["--backend".to_owned(), backend],
        Err(_) => Vec::new(),
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::new()
    }
}
