//! Building and running the programs that the tests are about.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// No program of a test takes longer than this, in seconds, on a slow machine.
const PATIENCE: &str = "180";

/// The library under test. Cargo puts it beside the tests' own binary, where
/// another build may replace it at any time; so the tests use a link of theirs.
pub(crate) fn preload() -> PathBuf {
    const NAME: &str = "libhozo_preload.so";
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    LINKED
        .get_or_init(|| {
            let exe = std::env::current_exe().expect("a running test has a path");
            let built = exe.parent().expect("and a directory").join(NAME);
            assert!(built.exists(), "{} was not built", built.display());
            let (link, partial) = (scratch().join(NAME), scratch().join(format!("{NAME}.part")));
            let _ = fs::remove_file(&partial);
            fs::hard_link(&built, &partial).expect("the target directory is one file system");
            fs::rename(&partial, &link).expect("a file can be renamed");
            link
        })
        .clone()
}

/// The store that this build can test with.
pub(crate) const PERSISTENT: bool = cfg!(feature = "rocksdb");

/// A directory to run programs in, with a config that maps `app` and `app/*`.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self::bare();
        let store = if PERSISTENT {
            "backend = \"rocksdb\"\npath = \"store\""
        } else {
            "backend = \"memory\""
        };
        place.write(
            "hozo.toml",
            &format!(
                "[store.main]\n{store}\n[[namespace]]\nmatch = \"app\"\n\
                 [[namespace]]\nmatch = \"app/*\"\n"
            ),
        );
        place
    }

    /// A directory without a config.
    pub(crate) fn bare() -> Self {
        Place { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the directory can be written");
    }

    /// Whether this is a plain file of SQLite's.
    pub(crate) fn is_database(&self, name: &str) -> bool {
        fs::read(self.path(name)).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    }

    /// Names in the directory, without the config's and the store's.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("the directory can be read");
        let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text"));
        let mut names: Vec<_> =
            names.filter(|name| name != "hozo.toml" && name != "store").collect();
        names.sort();
        names
    }

    /// Runs a program under the library, with the config.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Ran {
        self.run_with(&[("HOZO_CONFIG", &self.path("hozo.toml"))], program, args)
    }

    /// Runs a program under the library, with these variables.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &Path)],
        program: impl AsRef<OsStr>,
        args: &[S],
    ) -> Ran {
        let mut all = vec![("LD_PRELOAD", preload())];
        all.extend(variables.iter().map(|(key, value)| (*key, value.to_path_buf())));
        self.run_bare(&all, program, args)
    }

    /// Runs a program without the library.
    pub(crate) fn run_bare<S: AsRef<OsStr>>(
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
        command.arg(program).args(args);
        let output = command.output().expect("coreutils are installed");
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
    #[track_caller]
    pub(crate) fn quiet(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
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
    let amalgamation = || amalgamation().display().to_string();
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
    let out = scratch().join(format!("{build:?}"));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-fPIC", "-pthread", "-Wall", "-Werror", "-o"]).arg(&out);
    cc.args(sources.iter().map(|source| c.join(source))).args(flags).arg("-ldl");
    let status = cc.status().expect("a C compiler is installed");
    assert!(status.success(), "{build:?} did not build");
    built.push((build, out.clone()));
    out
}

/// The object file of the current SQLite, from the source that the workspace's
/// own SQLite is built from. Kept, since it takes a while.
fn amalgamation() -> PathBuf {
    let source = amalgamation_source();
    // The package's directory has its version in its name.
    let version = source.parent().and_then(Path::parent).and_then(Path::file_name);
    let version = version.expect("the source lies in a package").to_string_lossy();
    let object = scratch().join(format!("{version}.o"));
    if !object.exists() {
        let partial = scratch().join(format!("{version}.{}.part", std::process::id()));
        let status = Command::new("cc")
            .args(["-O1", "-fPIC", "-DSQLITE_ENABLE_FTS5", "-DSQLITE_USE_URI", "-c", "-o"])
            .args([&partial, &source])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "SQLite did not build");
        fs::rename(partial, &object).expect("a file can be renamed");
    }
    object
}

fn amalgamation_source() -> PathBuf {
    static SOURCE: OnceLock<PathBuf> = OnceLock::new();
    SOURCE
        .get_or_init(|| {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let output = Command::new(cargo)
                .args(["metadata", "--format-version", "1", "--offline"])
                // What other platforms need is not in the registry of a machine that has
                // only ever built for its own.
                .arg(format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .expect("cargo runs");
            let text = String::from_utf8_lossy(&output.stderr);
            let value: serde_json::Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {text}"));
            let packages = value["packages"].as_array().expect("packages");
            let package = packages.iter().find(|p| p["name"] == "libsqlite3-sys");
            let package = package.expect("the workspace uses libsqlite3-sys");
            let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
            manifest.parent().expect("a directory").join("sqlite3/sqlite3.c")
        })
        .clone()
}

fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("preload-programs");
    fs::create_dir_all(&dir).expect("the target directory can be written");
    dir
}

/// Whether a program is installed; says so where it is not.
pub(crate) fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        // Past the harness, which would keep it for failed tests.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {program} is not installed");
    }
    found
}
