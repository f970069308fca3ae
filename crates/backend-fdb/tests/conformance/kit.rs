//! Where the double is, and stores in it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use hozo_backend_fdb::Config;

/// Names a real cluster for the tests that want one.
pub(crate) const CLUSTER_FILE: &str = "FDB_CLUSTER_FILE";

/// The double, which cargo builds beside the tests that depend on it.
pub(crate) fn double() -> PathBuf {
    let exe = std::env::current_exe().expect("a running test has a path");
    let name =
        format!("{}hozo_fdb_double{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = exe.with_file_name(name);
    assert!(path.exists(), "{} was not built", path.display());
    path
}

/// A cluster of the double's.
pub(crate) fn config() -> Config {
    Config {
        cluster: Some("hozo:double@127.0.0.1:4500".to_owned()),
        client_library: Some(double()),
        ..Config::default()
    }
}

/// A prefix for the store that lives in this directory.
pub(crate) fn prefix(dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    format!("{:012x}/", hasher.finish() & 0xffff_ffff_ffff)
}
