//! Running the binary in a directory of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The backend that the tests use: what `HOZO_TEST_STORE` says, or the default one.
pub(crate) fn store() -> String {
    std::env::var("HOZO_TEST_STORE").unwrap_or_else(|_| hozo::DEFAULT_BACKEND.to_owned())
}

/// A directory in which `hozo init` was run.
pub(crate) struct Home {
    dir: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Home::empty();
        home.run(["init", "--backend", &store()]).ok();
        home
    }

    pub(crate) fn empty() -> Self {
        Home { dir: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs `hozo` with these arguments and nothing on its standard input.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.run_with(args, "")
    }

    /// Runs `hozo` with these arguments and this on its standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hozo"))
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("HOZO_CONFIG")
            .env_remove("HOZO_LIB_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            // It may end without reading all of it.
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("not ended by a signal");
        Ran { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs with `--json` and reads the answer.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.run(args.iter().copied().chain(["--json"])).ok();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }

    /// Runs SQL and answers what it writes, as `a|b` lines without names.
    pub(crate) fn sql(&self, target: &str, sql: &str) -> String {
        self.run(["sql", target, sql, "--mode", "list", "--no-headers"]).ok()
    }

    /// The versions of a namespace, newest first.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        let log = self.json(&["ns", "log", name, "--limit", "0"]);
        let entries = log.as_array().unwrap().iter();
        entries.map(|e| e["version"].as_str().unwrap().to_owned()).collect()
    }
}

impl Ran {
    /// What it wrote, which must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Fails with this code and says all of these words; nothing on standard
    /// output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}
