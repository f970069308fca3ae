//! Configs, right and wrong.

use std::fs;

use hozo_tests::{Run, Running, Scratch, built, repository};

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] = &[
    Case::new("each_file_in_configs_starts", shipped_configs),
    Case::new("each_file_in_configs_is_served", served_configs),
    Case::new("the_commands_of_the_tls_config_work", tls_config)
        .needing(&[Need::Program("openssl")]),
    Case::new("what_is_in_dist_calls_hozo_as_it_is", dist),
    Case::new("a_config_cut_off_anywhere_is_an_error_or_right", cut_off),
    Case::new("every_mistake_is_said_at_once", mistakes),
];

/// The configs that the repository ships: their names and texts.
fn shipped() -> Vec<(String, String)> {
    let dir = repository().join("configs");
    let entries = fs::read_dir(&dir).expect("configs/ is there");
    let paths = entries.map(|entry| entry.expect("configs/ can be listed").path());
    let configs = paths.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).expect("a config can be read");
        (path.file_name().expect("a file has a name").to_string_lossy().into_owned(), text)
    };
    let found: Vec<_> = configs.map(read).collect();
    assert!(!found.is_empty(), "no configs in {}", dir.display());
    found
}

/// Each config that the repository ships, started: a namespace is made, written
/// and read.
fn shipped_configs() {
    for (name, text) in shipped() {
        let scratch = Scratch::empty();
        scratch.write("hozo.toml", &text);
        let checked = scratch.hozo(&["check", "hozo.toml"]).run();
        assert_eq!(checked.code, Some(0), "{name}: {checked}");
        // Written and read in one process, since a store in memory ends with it;
        // its config makes names when they are opened.
        scratch.hozo(&["ns", "create", "--if-not-exists", "app"]).ok();
        let sql = "CREATE TABLE t(x); INSERT INTO t VALUES (41 + 1); SELECT x FROM t";
        let said = scratch.hozo(&["sql", "app", sql]).run();
        assert!(said.code == Some(0) && said.stdout.contains("42"), "{name}: {said}");
    }
}

/// Each config with a networked DBM, served: every DBM answers, a follower that
/// others are to be written to, and it stops.
fn served_configs() {
    let (mut served, mut followers) = (0, 0);
    for (name, text) in shipped() {
        if !text.contains("kind = \"rpc\"") || text.contains("\ntls = ") {
            continue;
        }
        let scratch = Scratch::empty();
        scratch.write("hozo.toml", &elsewhere(&text));
        let mut server = scratch.hozo(&["serve"]).start();
        let line = server.wait_for("rpc on 127.0.0.1:");
        let address = address(&line);
        let dbms = text.matches("\n[[dbm]]").count();
        assert!(dbms > 0, "{name}: {line}");
        for index in 0..dbms {
            let index = index.to_string();
            let dbm = |args: &[&str]| {
                scratch.hozo(&["dbm", "--address", &address, "--index", &index]).args(args).run()
            };
            let set = dbm(&["set", "Japan", &format!("Tokyo {index}")]);
            if follows(&text) {
                set.fails(&["PERMISSION_ERROR", "follower", "nobody-8"]);
                dbm(&["get", "Japan"]).fails(&["NOT_FOUND_ERROR"]);
                followers += 1;
                continue;
            }
            set.ok();
            assert_eq!(dbm(&["get", "Japan"]).ok(), format!("Tokyo {index}\n"), "{name}");
        }
        stop(server);
        served += 1;
    }
    assert!(served >= 5 && followers > 0, "configs with a DBM for this machine");
}

/// Whether a server with this config takes no writes from clients.
fn follows(text: &str) -> bool {
    text.contains("\nfollow = ") && !text.contains("\nrole = \"master\"")
}

/// What the config for other machines says to do first, done, and then with a
/// client: with the token it may what the config says, and without it nothing.
fn tls_config() {
    let text = fs::read_to_string(repository().join("configs/dbm-tls.toml")).expect("it is there");
    let scratch = Scratch::empty();
    scratch.write("hozo.toml", &elsewhere(&text));
    // Its commands are what is indented in the comment above the config.
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let commands = comment.filter_map(|line| line.strip_prefix("#      "));
    let mut script = String::from("set -eu\n");
    for line in commands.filter(|line| !line.contains("db.example:1978")) {
        script.push_str(&format!("{line}\n"));
    }
    for word in ["openssl x509", "hozo token new web"] {
        assert!(script.contains(word), "{script}");
    }
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", built().dir.display());
    scratch.run("sh").env("PATH", path).args(["-c", &script]).ok();
    let mut server = scratch.hozo(&["serve"]).start();
    let line = server.wait_for("rpc on 127.0.0.1:");
    assert!(line.contains(", TLS, tokens: "), "{line}");
    let socket = server.wait_for("rpc on unix:");
    assert!(socket.contains("tokens"), "{socket}");
    let address = format!("https://{}", address(&line).replace("127.0.0.1", "localhost"));
    let dbm = |token: &str, args: &[&str]| {
        let call = scratch.hozo(&["dbm", "--address", &address, "--tls-ca", "ca.pem"]);
        let call = if token.is_empty() { call } else { call.args(["--token-file", token]) };
        call.args(args).run()
    };
    dbm("web.token", &["set", "Japan", "Tokyo"]).ok();
    assert_eq!(dbm("reports.token", &["get", "Japan"]).ok(), "Tokyo\n");
    dbm("reports.token", &["set", "Japan", "Kyoto"]).fails(&["casket", "write"]);
    dbm("", &["get", "Japan"]).fails(&["token"]);
    stop(server);
}

/// The config with ports of the system's choice, on loopback: others may have
/// theirs, and tests run side by side. Whom a server follows, nobody is.
fn elsewhere(text: &str) -> String {
    let moved = |line: &str| match line.starts_with("listen") {
        true => line
            .replace("0.0.0.0:", "127.0.0.1:")
            .replace("127.0.0.1:1978\"", "127.0.0.1:0\"")
            .replace("127.0.0.1:1979\"", "127.0.0.1:0\""),
        false => line.replace("\"127.0.0.1:197", "\"unix:nobody-"),
    };
    text.lines().map(|line| moved(line) + "\n").collect()
}

/// Where a line of `hozo serve` says that it listens.
fn address(line: &str) -> String {
    let (_, rest) = line.split_once("rpc on ").expect("the line says where");
    rest.split(',').next().expect("a first part").to_owned()
}

/// Tells it to end, which must go well.
fn stop(server: Running) {
    Run::new("kill").args(["-TERM", &server.id().to_string()]).ok();
    server.finish().ok();
}

/// The unit and the containers call the command with arguments that it has, and
/// name files that are there.
fn dist() {
    let dist = repository().join("dist");
    let read = |name: &str| fs::read_to_string(dist.join(name)).expect("it is in dist/");
    let unit = read("hozo.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/hozo "));
    let start = start.expect("the unit starts hozo").replace("/etc/hozo/", "");
    let scratch = Scratch::empty();
    // The arguments are right and there is nothing to serve: not a usage error.
    scratch.write("hozo.toml", "[store.main]\nbackend = \"memory\"\n");
    let ran = scratch.run(&built().hozo).args(start.split_whitespace()).run();
    assert_eq!(ran.code, Some(5), "{ran}");
    ran.fails(&["no frontend to serve"]);
    let image = read("Dockerfile");
    let calls = image.lines().filter_map(|line| line.strip_prefix("CMD ")).collect::<Vec<_>>();
    assert_eq!(calls.len(), 1, "{image}");
    let call: Vec<String> = serde_json::from_str(calls[0]).expect("CMD is a list");
    let ran = scratch.run(&built().hozo).args(call).run();
    assert_eq!(ran.code, Some(5), "{ran}");
    let compose = read("compose.yaml");
    let mounted = compose.lines().filter_map(|line| line.trim().strip_prefix("- ../"));
    let configs: Vec<&str> = mounted.filter_map(|line| line.split(':').next()).collect();
    assert_eq!(configs.len(), 3, "{compose}");
    for config in configs {
        assert!(repository().join(config).is_file(), "{config}");
    }
}

fn cut_off() {
    let scratch = Scratch::new();
    let text = scratch.read("hozo.toml");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
        scratch.write("cut.toml", &text[..end]);
        let ran = scratch.hozo(&["check", "cut.toml"]).run();
        if ran.code != Some(0) {
            ran.fails(&["cut.toml"]);
        }
    }
}

fn mistakes() {
    let scratch = Scratch::empty();
    let text = "[store.main]\nbackend = \"rocksdbb\"\npath = \"data\"\n\n[[namespace]]\n\
        match = \"app\"\nstore = \"mian\"\nconcurency = \"serial\"\n";
    scratch.write("hozo.toml", text);
    let ran = scratch.hozo(&["check", "hozo.toml"]).run();
    ran.fails(&["hozo.toml:2:", "rocksdb", "hozo.toml:7:", "main", "hozo.toml:8:", "concurrency"]);
}
