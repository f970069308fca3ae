//! Where a test's programs are built, and with which SQLite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A directory, kept between runs, for programs that tests build.
#[derive(Debug)]
pub struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// A directory of this name in cargo's for the tests of the package, which
    /// is `env!("CARGO_TARGET_TMPDIR")` in them.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(target_tmpdir: &str, name: &str) -> Self {
        let dir = Path::new(target_tmpdir).join(name);
        fs::create_dir_all(&dir).expect("the target directory can be written");
        Programs { dir }
    }

    /// Where a program of this name is put.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The library under test. Cargo puts it beside the tests' own binary, where
    /// another build may replace it at any time; so this is a link of ours. To be
    /// called once in a process.
    ///
    /// # Panics
    /// If it was not built.
    pub fn library(&self, name: &str) -> PathBuf {
        let exe = std::env::current_exe().expect("a running test has a path");
        let built = exe.parent().expect("and a directory").join(name);
        assert!(built.exists(), "{} was not built", built.display());
        let (link, partial) = (self.path(name), self.path(&format!("{name}.part")));
        let _ = fs::remove_file(&partial);
        fs::hard_link(&built, &partial).expect("the target directory is one file system");
        fs::rename(&partial, &link).expect("a file can be renamed");
        link
    }

    /// The object file of the current SQLite, built with these flags. Kept, since
    /// it takes a while.
    ///
    /// # Panics
    /// If it does not build.
    pub fn sqlite(&self, flags: &[&str]) -> PathBuf {
        let source = sqlite_source();
        // The package's directory has its version in its name.
        let version = source.parent().and_then(Path::file_name);
        let version = version.expect("the source lies in a package").to_string_lossy();
        let object = self.path(&format!("{version}.o"));
        if !object.exists() {
            let partial = self.path(&format!("{version}.{}.part", std::process::id()));
            let status = Command::new("cc")
                .args(["-O1", "-fPIC"])
                .args(flags)
                .args(["-c", "-o"])
                .args([&partial, &source.join("sqlite3.c")])
                .status();
            assert!(status.is_ok_and(|status| status.success()), "SQLite did not build");
            fs::rename(partial, &object).expect("a file can be renamed");
        }
        object
    }
}

/// Where the source lies from which the workspace's own SQLite is built:
/// `sqlite3.c`, `sqlite3ext.h`.
///
/// # Panics
/// If cargo does not know.
pub fn sqlite_source() -> &'static Path {
    static SOURCE: OnceLock<PathBuf> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--offline"])
            // What other platforms need is not in the registry of a machine that has
            // only ever built for its own.
            .arg(format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        let value: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"));
        let packages = value["packages"].as_array().expect("packages");
        let package = packages.iter().find(|p| p["name"] == "libsqlite3-sys");
        let package = package.expect("the workspace uses libsqlite3-sys");
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        manifest.parent().expect("a directory").join("sqlite3")
    })
}
