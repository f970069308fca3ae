//! Where the double is.

use std::path::PathBuf;

use hozo_backend_fdb::Config;

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
