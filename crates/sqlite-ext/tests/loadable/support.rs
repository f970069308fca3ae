//! Building and running the programs that the tests are about.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// No program of a test takes longer than this, in seconds, on a slow machine.
const PATIENCE: &str = "180";

/// The store that this build can test with.
pub(crate) const PERSISTENT: bool = cfg!(feature = "rocksdb");

/// The library under test. Cargo puts it beside the tests' own binary, where
/// another build may replace it at any time; so the tests use a link of theirs.
pub(crate) fn extension() -> PathBuf {
    const NAME: &str = "libhozo_sqlite_ext.so";
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
        let config = format!(
            "[store.main]\n{store}\n[[namespace]]\nmatch = \"app\"\n\
             [[namespace]]\nmatch = \"app/*\"\n"
        );
        fs::write(place.path("hozo.toml"), config).expect("the directory can be written");
        place
    }

    /// A directory without a config.
    pub(crate) fn bare() -> Self {
        Place { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts the library there under another name.
    pub(crate) fn install(&self, name: &str) {
        std::os::unix::fs::symlink(extension(), self.path(name)).expect("a link");
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

    /// Runs a program in the directory, with these variables.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, PathBuf)],
        program: impl AsRef<OsStr>,
        args: &[S],
    ) -> Ran {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", PATIENCE, "env"]).current_dir(self.dir.path());
        command.env_remove("HOZO_CONFIG");
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
    #[track_caller]
    pub(crate) fn quiet(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }
}

/// Whose SQLite a program has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sqlite {
    /// The distribution's shared library.
    System,
    /// The one that the workspace bundles, inside the program.
    Current,
}

/// A C program of `tests/c`, with that SQLite or none.
pub(crate) fn built(source: &str, sqlite: Option<Sqlite>) -> PathBuf {
    // One at a time: two tests may want the same.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let out = scratch().join(format!("{source}-{sqlite:?}"));
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&out);
    cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(source));
    match sqlite {
        Some(Sqlite::System) => drop(cc.arg("-l:libsqlite3.so.0")),
        Some(Sqlite::Current) => drop(cc.arg(amalgamation()).args(["-lm", "-ldl", "-pthread"])),
        None => drop(cc.arg("-I").arg(sqlite_source())),
    }
    assert!(cc.status().expect("a C compiler is installed").success(), "{source} did not build");
    out
}

/// The object file of the current SQLite. Kept, since it takes a while.
fn amalgamation() -> PathBuf {
    let source = sqlite_source();
    // The package's directory has its version in its name.
    let version = source.parent().and_then(Path::file_name).expect("the source lies in a package");
    let object = scratch().join(format!("{}.o", version.to_string_lossy()));
    if !object.exists() {
        let partial = object.with_extension(format!("{}.part", std::process::id()));
        let status = Command::new("cc")
            .args(["-O1", "-fPIC", "-c", "-o"])
            .args([&partial, &source.join("sqlite3.c")])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "SQLite did not build");
        fs::rename(partial, &object).expect("a file can be renamed");
    }
    object
}

/// Where the workspace's own SQLite lies: `sqlite3.c`, `sqlite3ext.h`.
fn sqlite_source() -> PathBuf {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline"])
        // What other platforms need is not in the registry of a machine that has
        // only ever built for its own.
        .arg(format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // The one package whose directory has this name, without a JSON parser.
    let manifest = text
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("/libsqlite3-sys-"));
    let manifest = manifest.unwrap_or_else(|| panic!("no libsqlite3-sys: {errors}"));
    Path::new(manifest).parent().expect("a directory").join("sqlite3")
}

fn scratch() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("extension-programs");
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
