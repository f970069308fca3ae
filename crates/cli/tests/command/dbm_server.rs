//! `hozo dbm-server` as scripts for tkrzw_server start it.

use std::fs;
use std::net::TcpListener;

use rustix::process::{Pid, Signal, kill_process};

use super::run::Home;
use super::served::Served;

const ANY: [&str; 2] = ["--address", "127.0.0.1:0"];

/// Where the line says that it listens.
fn address(line: &str) -> &str {
    let (_, rest) = line.split_once("rpc on ").unwrap_or_else(|| panic!("{line}"));
    rest.split(',').next().unwrap()
}

#[test]
fn flags_of_tkrzw_server_serve_dbms() {
    let home = Home::empty();
    let flags =
        [&ANY[..], &["--pid_file", "pid", "casket.tkh#num_buckets=1m", "#dbm=tiny"]].concat();
    let start = || Served::start_command(&home, "dbm-server", &flags, &[]);
    let served = start();
    let line = served.line();
    let at = address(&line).to_owned();
    assert!(line.contains("casket.tkh in dbm-0 (hashdbm), tiny in dbm-1 (memory)"), "{line}");
    assert!(served.logs("casket.tkh: without effect").contains("num_buckets"));
    home.run(["dbm", "--address", &at, "set", "Japan", "Tokyo"]).ok();
    home.run(["dbm", "--address", &at, "--index", "1", "set", "Korea", "Seoul"]).ok();
    assert_eq!(home.run(["dbm", "--address", &at, "get", "Japan"]).ok(), "Tokyo\n");
    let name = ["dbm", "--address", &at, "--dbm", "tiny", "get", "Korea"];
    assert_eq!(home.run(name).ok(), "Seoul\n");
    assert_eq!(fs::read_to_string(home.path("pid")).unwrap(), format!("{}\n", served.id()));
    served.signal(Signal::TERM);
    let (code, _, err) = served.ended();
    assert_eq!(code, Some(0), "{err}");
    assert!(!home.path("pid").exists());

    let served = start();
    let line = served.line();
    let get = ["dbm", "--address", address(&line), "get", "Japan"];
    assert_eq!(home.run(get).ok(), "Tokyo\n");
}

#[test]
fn the_config_of_the_flags_is_one() {
    let home = Home::empty();
    let flags = ["--print-config", "--address", "0.0.0.0:1978", "--ulog_prefix", "ulog", "a.tkh"];
    let config = home.run(["dbm-server"].iter().chain(&flags)).ok();
    assert!(config.contains("# --address: everybody"), "{config}");
    fs::create_dir(home.path("elsewhere")).unwrap();
    home.write("elsewhere/hozo.toml", &config);
    let out = home.run(["check", "elsewhere/hozo.toml"]).ok();
    let ulog = home.path("ulog").display().to_string();
    assert!(out.contains("a.tkh") && out.contains(&ulog), "{out}");
    let said = home.json(&[&["dbm-server"], &flags[..]].concat());
    assert_eq!(said["config"], config);
    assert!(said["notes"][0].as_str().is_some(), "{said}");
    assert!(!home.path("a.tkh").exists());
}

#[test]
fn what_is_wrong_is_said_before_anything_is_made() {
    let home = Home::empty();
    home.write("a.tkh", "TkrzwHDB\n");
    home.run(["dbm-server", "a.tkh"]).fails(4, &["a.tkh is a file of Tkrzw's", "tkrzw_dbm_util"]);
    home.run(["dbm-server", "--read_only"]).fails(2, &["--read_only", "hozo token"]);
    home.run(["dbm-server", "absent/b.tkh"]).fails(5, &["absent does not exist", "--print-config"]);
    home.run(["dbm-server", "--config", "x"]).fails(2, &["--config", "hozo serve"]);
    let version = home.run(["dbm-server", "--version"]).ok();
    assert!(version.starts_with("hozo ") && version.contains("tkrzw_server"), "{version}");
    let help = home.run(["dbm-server", "--help"]).ok();
    assert!(help.contains("127.0.0.1:1978 unless told otherwise"), "{help}");
}

/// A server in the background, killed when this is dropped.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[test]
fn it_goes_on_in_the_background() {
    let home = Home::empty();
    let flags = ["--daemon", "--pid_file", "pid", "--log_file", "log", "a.tkh"];
    let flags = [&["dbm-server"], &ANY[..], &flags[..]].concat();
    let out = home.run(&flags).ok();
    let pid = fs::read_to_string(home.path("pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let _background = Background(pid);
    let set = ["dbm", "--address", address(&out), "set", "Japan", "Tokyo"];
    home.run(set).ok();
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    kill_process(pid, Signal::TERM).unwrap();
    // Who opens the store waits until it is closed there, which comes last.
    let config = home.run(flags.iter().chain(&["--print-config"])).ok();
    home.write("hozo.toml", config);
    assert_eq!(home.run(["dbm", "get", "Japan"]).ok(), "Tokyo\n");
    assert!(!home.path("pid").exists());
    assert!(fs::read_to_string(home.path("log")).unwrap().contains("stopping"));
}

#[test]
fn what_goes_wrong_in_the_background_is_said_here() {
    let home = Home::empty();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let flags = ["dbm-server", "--daemon", "--address", &at];
    home.run(flags).fails(4, &["somebody listens there already", &at]);
}
