//! Where the built programs are, and what else this machine has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a build of the workspace leaves for users.
#[derive(Clone, Debug)]
pub struct Built {
    /// The directory with all of them.
    pub dir: PathBuf,
    /// The command.
    pub hozo: PathBuf,
    /// The LD_PRELOAD library.
    pub preload: PathBuf,
    /// The loadable extension.
    pub extension: PathBuf,
}

/// The checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// The built programs, of this very checkout: `make build` comes first unless
/// `make test`, which has just done so, says that it did.
pub fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        // The test binary lies in <target>/<profile>/deps; what users get is
        // built in one profile.
        let exe = std::env::current_exe().expect("a running test has a path");
        let target = exe.ancestors().nth(3).expect("a test binary lies in deps");
        if std::env::var_os("HOZO_TESTS_BUILT").is_none() {
            let mut make = Command::new("make");
            make.arg("build").current_dir(repository()).env("CARGO_TARGET_DIR", target);
            let status = make.status().expect("make is installed");
            assert!(status.success(), "the workspace did not build");
        }
        let dir = target.join("release");
        Built {
            hozo: there(dir.join("hozo")),
            preload: there(dir.join("libhozo_preload.so")),
            extension: there(dir.join("libhozo_sqlite_ext.so")),
            dir,
        }
    })
}

fn there(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} was not built: run `make build`", path.display());
    path
}

/// Whether a program is on the path.
pub fn have(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join(program).is_file())
}

/// Whether the tests run as root, as some set-ups need.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Whether a small disk in memory can be mounted: not even every root may.
pub fn can_mount() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let Ok(dir) = tempfile::tempdir() else { return false };
        let quiet = |program: &str| {
            let mut command = Command::new(program);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let mount = quiet("mount").args(["-t", "tmpfs", "tmpfs"]).arg(dir.path()).status();
        let mounted = mount.is_ok_and(|status| status.success());
        mounted && quiet("umount").arg(dir.path()).status().is_ok_and(|status| status.success())
    })
}

/// The Python of the environment that `.ci/setup test` makes, with Django and a
/// Python SQLite that bundles its own library.
pub fn python_environment() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let setup = repository().join(".ci/setup");
        let output = Command::new(&setup).arg("test").output().expect("bash runs .ci/setup");
        let text = String::from_utf8_lossy(&output.stdout);
        let venv = text.lines().last().and_then(|line| line.strip_prefix("venv: "));
        let Some(venv) = venv.filter(|_| output.status.success()) else {
            let stderr = String::from_utf8_lossy(&output.stderr);
            panic!(".ci/setup test failed:\n{text}{stderr}");
        };
        there(Path::new(venv).join("bin/python"))
    })
}

/// The source of the SQLite that the command and the tests bundle, in cargo's
/// registry.
pub fn bundled_sqlite_source() -> Option<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        // What other platforms need is not in the registry of a machine that has
        // only ever built for its own.
        .arg(format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(repository())
        .output()
        .ok()?;
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let packages = value["packages"].as_array()?;
    let package = packages.iter().find(|package| package["name"] == "libsqlite3-sys")?;
    let manifest = Path::new(package["manifest_path"].as_str()?);
    Some(manifest.parent()?.join("sqlite3/sqlite3.c")).filter(|source| source.exists())
}
