//! Building the programs that the tests are about, and running them under the
//! library.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use hozo_loaded::kit::Programs;
pub(crate) use hozo_loaded::kit::{Place, Ran, have, sqlites_in, store_stays};

/// The library under test.
pub(crate) fn preload() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| programs().library("libhozo_preload.so")).clone()
}

/// Runs programs in a place under the library.
pub(crate) trait Preloaded {
    /// With the config of the place.
    fn run<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Ran;

    /// With these variables.
    fn run_with<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &Path)],
        program: impl AsRef<OsStr>,
        args: &[S],
    ) -> Ran;
}

impl Preloaded for Place {
    fn run<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Ran {
        self.run_with(&[("HOZO_CONFIG", &self.path("hozo.toml"))], program, args)
    }

    fn run_with<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &Path)],
        program: impl AsRef<OsStr>,
        args: &[S],
    ) -> Ran {
        let mut all = vec![("LD_PRELOAD", preload())];
        all.extend(variables.iter().map(|(key, value)| (*key, value.to_path_buf())));
        self.run_bare(&all, program, args)
    }
}

/// How a program has its SQLite.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Build {
    /// A program linked with the system's shared library.
    System,
    /// A program with the current SQLite in itself, whose symbols nobody sees.
    Static,
    /// The same, with its symbols exported.
    Exported,
    /// A plug-in linked with the system's shared library.
    SystemPlugin,
    /// A plug-in with the current SQLite in itself, visible.
    BundledPlugin,
    /// A host of plug-ins without an SQLite.
    Host,
    /// A host of plug-ins linked with the system's shared library.
    SystemHost,
    /// A library that opens by a tail call, linked with the system's.
    TailLibrary,
    /// The program for that.
    TailProgram,
}

/// The program, built once per run of the tests.
pub(crate) fn built(build: Build) -> PathBuf {
    static BUILT: Mutex<Vec<(Build, PathBuf)>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, path)) = built.iter().find(|(b, _)| *b == build) {
        return path.clone();
    }
    const SYSTEM: &str = "-l:libsqlite3.so.0";
    let sqlite = ["-DSQLITE_ENABLE_FTS5", "-DSQLITE_USE_URI"];
    let amalgamation = || programs().sqlite(&sqlite).display().to_string();
    let (sources, flags): (&[&str], Vec<String>) = match build {
        Build::System => (&["probe.c", "main.c"], vec![SYSTEM.into()]),
        Build::Static => (&["probe.c", "main.c"], vec![amalgamation(), "-lm".into()]),
        Build::Exported => {
            (&["probe.c", "main.c"], vec![amalgamation(), "-lm".into(), "-rdynamic".into()])
        }
        Build::SystemPlugin => (&["probe.c"], vec!["-shared".into(), SYSTEM.into()]),
        Build::BundledPlugin => {
            (&["probe.c"], vec!["-shared".into(), amalgamation(), "-lm".into()])
        }
        Build::Host => (&["host.c"], vec![]),
        Build::SystemHost => (&["host.c"], vec!["-DHOST_VERSION".into(), SYSTEM.into()]),
        Build::TailLibrary => (&["tail.c"], vec!["-shared".into(), SYSTEM.into()]),
        Build::TailProgram => (&["tail_main.c"], vec![]),
    };
    let c = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let out = programs().path(&format!("{build:?}"));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-fPIC", "-pthread", "-Wall", "-Werror", "-o"]).arg(&out);
    cc.args(sources.iter().map(|source| c.join(source))).args(flags).arg("-ldl");
    let status = cc.status().expect("a C compiler is installed");
    assert!(status.success(), "{build:?} did not build");
    built.push((build, out.clone()));
    out
}

fn programs() -> Programs {
    Programs::new(env!("CARGO_TARGET_TMPDIR"), "preload-programs")
}
