//! Loading the client library: what a process can and cannot do. Each of these runs
//! in a process of its own, this program again.

use std::process::{Command, Output};
use std::sync::Arc;

use hozo_backend_fdb::Config;
use hozo_traits::{Error, Result, Store, SystemAmbient};

use crate::control::Double;
use crate::kit;

const CHILD: &str = "HOZO_FDB_TEST_CHILD";

fn open(config: &Config) -> Result<Arc<dyn Store>> {
    hozo_backend_fdb::open(config, Arc::new(SystemAmbient))
}

fn refused(config: &Config) -> Error {
    open(config).err().expect("it is refused")
}

/// What the child does that is given this name.
fn child(name: &str) {
    match name {
        "no library" => {
            let nowhere =
                Config { client_library: Some("/nowhere/libfdb_c.so".into()), ..kit::config() };
            let error = refused(&nowhere).to_string();
            assert!(error.contains("/nowhere/libfdb_c.so"), "{error}");
            // By the environment, which the parent has set.
            let error = refused(&Config { client_library: None, ..kit::config() }).to_string();
            assert!(error.contains("/nowhere/else.so"), "{error}");
            // A failure to load is not final.
            open(&kit::config()).expect("the double is there");
        }
        "not found" => {
            let error = refused(&Config { client_library: None, ..kit::config() }).to_string();
            assert!(error.contains("foundationdb-clients"), "{error}");
            assert!(error.contains("HOZO_FDB_CLIENT"), "{error}");
        }
        "another library" => {
            let libc = Config { client_library: Some("libc.so.6".into()), ..kit::config() };
            let error = refused(&libc).to_string();
            assert!(error.contains("fdb_select_api_version_impl"), "{error}");
        }
        "too old" => {
            let error = refused(&kit::config()).to_string();
            assert!(error.contains("older than 7.1"), "{error}");
            let again = refused(&kit::config()).to_string();
            assert!(again.contains("cannot be tried again"), "{again}");
        }
        "by version" => drop(open(&kit::config()).expect("7.1 and newer work")),
        "two settings" => {
            let one = open(&kit::config()).expect("the first store opens");
            open(&kit::config()).expect("the same once more");
            let other = Config { trace_dir: Some("/tmp".into()), ..kit::config() };
            let error = refused(&other).to_string();
            assert!(error.contains("trace_dir"), "{error}");
            drop(one);
        }
        "settings" => {
            let config = Config {
                tls_ca: Some("/ca.pem".into()),
                tls_certificate: Some("/cert.pem".into()),
                tls_key: Some("/key.pem".into()),
                tls_key_password: Some("open sesame".into()),
                tls_verify_peers: Some("Check.Valid=1".into()),
                external_clients: Some("/clients".into()),
                ..kit::config()
            };
            open(&config).expect("the double takes them");
            let options = Double::take().network_options();
            let wanted = "63=/clients 53=/ca.pem 43=/cert.pem 54=open sesame 46=/key.pem \
                          47=Check.Valid=1 ";
            assert_eq!(options, wanted);
        }
        "files" => {
            let dir = tempfile::tempdir().expect("a scratch directory");
            let file = dir.path().join("fdb.cluster");
            let by_file =
                Config { cluster: None, cluster_file: Some(file.clone()), ..kit::config() };
            let error = refused(&by_file).to_string();
            assert!(error.contains("fdb.cluster"), "{error}");
            std::fs::write(&file, "not a cluster").expect("it is written");
            let error = refused(&by_file).to_string();
            assert!(error.contains("description:id@host:port"), "{error}");
            std::fs::write(&file, "hozo:double@127.0.0.1:4500\n").expect("it is written");
            open(&by_file).expect("the double takes it");
        }
        "fork" => {
            let store = open(&kit::config()).expect("the first store opens");
            // SAFETY: the child only uses what does not need other threads, and ends
            // without the parent's handlers.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                let pages = store.pages().expect("it has pages");
                let told = hozo_traits::exec::block_on(pages.watermarks());
                let here = told.is_err_and(|e| e.to_string().contains("fork"));
                let anew = refused(&kit::config()).to_string().contains("fork");
                drop((pages, store));
                // As any program ends: nothing may wait for a thread that is not there.
                std::process::exit(if here && anew { 0 } else { 1 });
            }
            let mut status = 0;
            // SAFETY: the child is ours, and there is room for its status.
            unsafe { libc::waitpid(pid, &mut status, 0) };
            assert_eq!(status, 0, "the forked process");
            store.pages().expect("the parent goes on");
        }
        other => panic!("no child is called {other}"),
    }
}

fn run(name: &str, variables: &[(&str, &str)]) {
    let exe = std::env::current_exe().expect("a running test has a path");
    let mut command = Command::new(exe);
    command.args(["--exact", "opening::as_a_child", "--nocapture"]).env(CHILD, name);
    command.env_remove("HOZO_FDB_CLIENT").env_remove("FDB_CLUSTER_FILE");
    command.envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "{name}: {status}\n{}\n{}", text(&stdout), text(&stderr));
}

#[test]
fn as_a_child() {
    if let Ok(name) = std::env::var(CHILD) {
        child(&name);
    }
}

#[test]
fn a_library_that_is_not_there_is_named() {
    run("no library", &[("HOZO_FDB_CLIENT", "/nowhere/else.so")]);
}

#[test]
fn without_a_library_it_says_what_to_install() {
    let there = ["/usr/lib/libfdb_c.so", "/usr/local/lib/libfdb_c.so", "/usr/lib64/libfdb_c.so"];
    if there.iter().any(|path| std::path::Path::new(path).exists()) {
        // Nothing to see where it is installed.
        return;
    }
    run("not found", &[]);
}

#[test]
fn a_library_that_is_another_lacks_functions() {
    run("another library", &[]);
}

#[test]
fn a_library_before_7_1_is_too_old() {
    run("too old", &[("HOZO_FDB_DOUBLE_API", "700")]);
}

#[test]
fn every_api_version_from_7_1_on_works() {
    for version in ["710", "720", "730", "740", "800"] {
        run("by version", &[("HOZO_FDB_DOUBLE_API", version)]);
    }
}

#[test]
fn two_stores_cannot_configure_the_client_differently() {
    run("two settings", &[]);
}

#[test]
fn settings_reach_the_client() {
    run("settings", &[]);
}

#[test]
fn a_cluster_file_is_read_by_path() {
    run("files", &[]);
}

#[test]
fn a_forked_process_is_told() {
    run("fork", &[]);
}
