//! `hozo repl`, asked of servers that run.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::run::{Home, Ran, store};
use super::served::Served;

/// A server in a directory of its own, on a socket there.
struct Server {
    home: Home,
    served: Option<Served>,
}

impl Server {
    /// A server with this id; `more` is the rest of its section of replication.
    fn start(id: u32, more: &str) -> Server {
        let home = Home::empty();
        let backend = store();
        home.write(
            "hozo.toml",
            format!(
                "[store.main]\nbackend = {backend:?}\npath = \"data\"\n\n[[dbm]]\nname = \"casket\"\n\n\
                 [replication.main]\nkind = \"ulog\"\nserver_id = {id}\ndir = \"ulog\"\n\
                 segment_bytes = 65536\n{more}\n\n\
                 [[frontend]]\nkind = \"rpc\"\nlisten = \"unix:dbm.sock\"\n"
            ),
        );
        let mut server = Server { home, served: None };
        server.again();
        server
    }

    fn again(&mut self) {
        let served = Served::start(&self.home, &[]);
        served.line();
        self.served = Some(served);
    }

    /// Ends it in order.
    fn stop(&mut self) {
        let served = self.served.take().unwrap();
        served.signal(Signal::TERM);
        assert_eq!(served.ended().0, Some(0));
    }

    fn address(&self) -> String {
        format!("unix:{}", self.home.path("dbm.sock").display())
    }

    /// `hozo repl`, of the server of the directory's config.
    fn repl(&self, args: &[&str]) -> Ran {
        self.home.run(["repl"].iter().chain(args))
    }

    fn json(&self, args: &[&str]) -> Value {
        self.home.json(&[&["repl"], args].concat())
    }

    fn set(&self, key: &str, value: &str) -> Ran {
        self.home.run(["dbm", "--address", &self.address(), "set", key, value])
    }

    fn get(&self, key: &str) -> String {
        self.home.run(["dbm", "--address", &self.address(), "get", key]).ok()
    }
}

fn follower(id: u32, of: &Server) -> Server {
    Server::start(id, &format!("follow = {:?}", of.address()))
}

#[test]
fn a_follower_is_looked_at_promoted_and_followed() {
    let one = Server::start(1, "");
    let two = follower(2, &one);
    one.set("Japan", "Tokyo").ok();
    let out = one.repl(&["status", "--wait", "60", "--followers", "1"]).ok();
    for words in ["role       master", "updates    1:1, ", "FOLLOWER", "server 2  connected  1:1"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert_eq!(two.get("Japan"), "Tokyo\n");
    let status = two.json(&["status"]);
    assert_eq!(status["role"], "follower");
    assert_eq!(status["takes_writes"], false);
    assert_eq!(status["source"]["state"], "following");
    assert_eq!(status["source"]["server"], 1);
    assert_eq!(status["head"][0]["updates"], 1);
    two.set("Japan", "Kyoto").fails(1, &["PERMISSION_ERROR", &one.address()]);

    assert_eq!(two.json(&["promote"])["epoch"], 1);
    two.set("Japan", "Kyoto").ok();
    // From elsewhere, with the address; and the old master is a follower by that.
    let address = one.address();
    let follow = ["repl", "follow", "--address", &address, &two.address(), "--ts-skew", "-5"];
    two.home.run(follow).ok();
    one.repl(&["status", "--wait", "60"]).ok();
    assert_eq!(one.get("Japan"), "Kyoto\n");
    one.repl(&["unfollow"]).ok();
    let status = one.json(&["status"]);
    assert_eq!((&status["role"], &status["source"]), (&"follower".into(), &Value::Null));
}

#[test]
fn the_exit_code_of_status_says_whether_somebody_has_to_do_something() {
    let mut one = Server::start(1, "");
    let two = follower(2, &one);
    two.repl(&["status", "--wait", "60"]).ok();
    one.stop();
    // It is tried again by itself.
    let ran = two.repl(&["status", "--wait", "0.2"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("state      connecting") && ran.out.contains("error "), "{ran:?}");
    two.repl(&["promote"]).ok();
    one.again();
    one.set("only", "here").ok();
    // Nobody else has its update, and it cannot go on as a follower.
    one.repl(&["follow", &two.address()]).ok();
    let ran = one.repl(&["status", "--wait", "60"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.out.contains("updates of its own"), "{ran:?}");
    let ran = one.repl(&["status", "--json"]);
    let status: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, &status["ok"], &status["source"]["state"]),
        (4, &false.into(), &"stopped".into())
    );
    // What somebody is not: as many followers as were asked for.
    two.repl(&["status", "--wait", "0", "--followers", "1"]).fails(1, &["the time is over"]);
}

#[test]
fn a_master_that_is_fenced_says_so() {
    let one = Server::start(1, "");
    let two = follower(2, &one);
    two.repl(&["status", "--wait", "60"]).ok();
    two.repl(&["promote"]).ok();
    // Who knows of the promotion comes to the old master.
    two.repl(&["follow", &one.address()]).ok();
    let ran = one.repl(&["status", "--wait", "60", "--followers", "9"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.out.contains("takes no writes: another server was promoted, in epoch 1"),
        "{ran:?}"
    );
    assert_eq!(two.repl(&["status"]).code, 1, "its source is of an older epoch");
    one.set("a", "b").fails(1, &["another server was promoted"]);
}

#[test]
fn what_two_masters_did_not_know_of_is_shown() {
    let one = Server::start(1, "");
    let two = Server::start(2, &format!("follow = {:?}\nrole = \"master\"", one.address()));
    one.repl(&["status", "--wait", "60", "--followers", "1"]).ok();
    assert_eq!(two.repl(&["conflicts"]).ok(), "none\n");
    two.repl(&["unfollow"]).ok();
    one.set("both", "first").ok();
    two.set("both", "second").ok();
    two.repl(&["follow", &one.address()]).ok();
    two.repl(&["status", "--wait", "60"]).ok();
    let out = two.repl(&["conflicts", "-n", "5"]).ok();
    assert!(out.contains("both") && out.contains("server 2, "), "{out}");
    let found = two.json(&["conflicts"]);
    assert_eq!(found[0]["key"], "both");
    assert_eq!((&found[0]["kept"]["server"], &found[0]["lost"]["server"]), (&2.into(), &1.into()));
    assert_eq!(two.json(&["status"])["conflicts"], 1);
    assert_eq!(two.get("both"), "second\n");
}

#[test]
fn what_is_old_is_removed_from_the_log() {
    let one = Server::start(1, "");
    let value = "v".repeat(20_000);
    for key in 0..50 {
        one.set(&key.to_string(), &value).ok();
    }
    let before = one.json(&["status"])["log_bytes"].as_u64().unwrap();
    assert_eq!(one.json(&["prune", "-3D"])["freed_bytes"], 0);
    let freed = one.json(&["prune", "-0S"])["freed_bytes"].as_u64().unwrap();
    assert!(freed > 200_000, "{freed}");
    let after = one.json(&["status"])["log_bytes"].as_u64().unwrap();
    assert_eq!(before - freed, after);
    assert!(one.repl(&["prune", "1795306391183"]).ok().starts_with("freed "));
    one.repl(&["prune", "-3W"]).fails(2, &["-3D"]);
}

#[test]
fn a_server_without_replication_and_none_at_all_are_told_apart() {
    let home = Home::empty();
    home.write(
        "hozo.toml",
        "[store.main]\nbackend = \"memory\"\n[[dbm]]\nname = \"a\"\n\
         [[frontend]]\nkind = \"rpc\"\nlisten = [\"127.0.0.1:0\", \"unix:s\"]\n",
    );
    home.run(["repl", "status", "--wait", "0.1"]).fails(1, &["unavailable", "unix:"]);
    let served = Served::start(&home, &[]);
    served.line();
    served.line();
    home.run(["repl", "status"]).fails(1, &["no replication", "[replication.NAME]"]);
    fs::write(home.path("hozo.toml"), "[store.main]\nbackend = \"memory\"\n").unwrap();
    home.run(["repl", "status"]).fails(2, &["no frontend", "--address"]);
}

#[test]
fn a_copy_is_pulled_and_brought_up_to_date() {
    let master = Server::start(1, "");
    let set = |key: &str, value: &str| {
        master.home.run(["dbm", "--address", &master.address(), "set", key, value]).ok();
    };
    set("Japan", "Tokyo");
    let elsewhere = Home::empty();
    let address = master.address();
    let pull = |args: &[&str]| {
        let args = [&["repl", "pull", "--to", "copy"], args].concat();
        elsewhere.run(args.iter().chain(&["--json"]))
    };
    elsewhere.run(["repl", "pull", "--to", "copy"]).fails(2, &["no copy yet", "--address"]);
    pull(&["--address", &address, "--backend", "memory"]).fails(2, &["in memory"]);
    assert!(!elsewhere.path("copy").exists());
    let pulled: Value = serde_json::from_str(&pull(&["--address", &address]).ok()).unwrap();
    assert_eq!((&pulled["up_to_date"], &pulled["source"]), (&true.into(), &address.clone().into()));
    let get = |key: &str| elsewhere.run(["--config", "copy/hozo.toml", "dbm", "get", key]);
    assert_eq!(get("Japan").ok(), "Tokyo\n");
    // It is a copy: nobody else writes to it.
    let write = ["--config", "copy/hozo.toml", "dbm", "set", "Japan", "Kyoto"];
    assert!(elsewhere.run(write).code != 0);

    // And again, of what came since; from the config it knows where.
    set("Japan", "Nara");
    set("Korea", "Seoul");
    let pulled: Value = serde_json::from_str(&pull(&["--wait", "0.2"]).ok()).unwrap();
    assert_eq!((&pulled["items"], &pulled["up_to_date"]), (&2.into(), &true.into()));
    assert_eq!(pulled["head"][0]["updates"], 3);
    assert_eq!((get("Japan").ok(), get("Korea").ok()), ("Nara\n".into(), "Seoul\n".into()));
    let pulled: Value = serde_json::from_str(&pull(&[]).ok()).unwrap();
    assert_eq!(pulled["items"], 0);
    set("China", "Beijing");
    let pulled: Value = serde_json::from_str(&pull(&["--items", "1"]).ok()).unwrap();
    assert_eq!(pulled["items"], 1);

    // It is none of the followers that the master waits for.
    let status = master.json(&["status"]);
    let counts = |follower: &Value| !follower["has"].is_null();
    assert!(!status["followers"].as_array().unwrap().iter().any(counts), "{status}");
    drop(master);
    let said = elsewhere.run(["repl", "pull", "--to", "copy", "--timeout", "0.3"]);
    said.fails(1, &["cannot be reached"]);
    assert_eq!(get("China").ok(), "Beijing\n");
}

#[test]
fn namespaces_are_pulled_with_their_history() {
    let mut master = Server::start(1, "namespaces = [\"main\"]");
    let sql = |home: &Home, config: &str, name: &str, sql: &str| {
        home.run(["--config", config, "sql", name, sql]).ok()
    };
    // Another process cannot have the store while it is served.
    master.stop();
    master.home.run(["ns", "create", "app"]).ok();
    for row in ["CREATE TABLE t(x)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"] {
        sql(&master.home, "hozo.toml", "app", row);
    }
    let log = master.home.run(["ns", "log", "app", "--json"]).ok();
    master.again();
    let copy = Home::empty();
    let address = master.address();
    let pull =
        |args: &[&str]| copy.run([&["repl", "pull", "--to", "copy", "--json"], args].concat()).ok();
    pull(&["--address", &address, "--namespaces", "main"]);
    let read = |name: &str| sql(&copy, "copy/hozo.toml", name, "SELECT count(*) FROM t");
    assert!(read("app").contains('2'), "{}", read("app"));
    // The same versions, back to the first.
    assert_eq!(copy.run(["--config", "copy/hozo.toml", "ns", "log", "app", "--json"]).ok(), log);
    let write = ["--config", "copy/hozo.toml", "sql", "app", "INSERT INTO t VALUES (3)"];
    assert!(copy.run(write).code != 0, "it is a copy");

    master.stop();
    sql(&master.home, "hozo.toml", "app", "INSERT INTO t VALUES (3)");
    master.again();
    pull(&[]);
    assert!(read("app").contains('3'), "{}", read("app"));
}

#[test]
fn a_token_is_shown_to_the_server_of_the_config_without_tls_too() {
    let home = Home::empty();
    let new = ["token", "new", "all", "--right", "*=admin", "--file", "tokens.toml"];
    let token = home.run(new).ok();
    home.write("token", &token);
    let config = format!(
        "[store.main]\nbackend = {:?}\npath = \"data\"\n[[dbm]]\nname = \"casket\"\n\
         [replication.main]\nkind = \"ulog\"\nserver_id = 1\ndir = \"ulog\"\n\
         segment_bytes = 65536\n\
         [[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\n",
        store()
    );
    home.write("hozo.toml", &config);
    let served = Served::start(&home, &[]);
    let line = served.line();
    let (_, port) = line.split_once("127.0.0.1:").unwrap();
    let port = port.split(',').next().unwrap();
    // By now it is known where it listens, for those who look into the config.
    home.write("hozo.toml", config.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
    home.run(["repl", "status"]).fails(1, &["token", "--token-file"]);
    for option in [["--token-file", "token"], ["--token", token.trim()]] {
        let out = home.run(["repl", "status"].iter().chain(&option)).ok();
        assert!(out.contains("role       master"), "{out}");
    }
}
