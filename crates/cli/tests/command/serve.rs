//! `hozo serve`, and what other commands say about what is served.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::run::{Home, store};
use super::served::Served;

/// A directory with two DBMs and a frontend of these keys.
fn home(frontend: &str) -> Home {
    let home = Home::empty();
    let (backend, path) = match store().as_str() {
        "memory" => ("memory".to_owned(), ""),
        other => (other.to_owned(), "path = \"data\"\n"),
    };
    home.write(
        "hozo.toml",
        format!(
            "[store.main]\nbackend = {backend:?}\n{path}[store.quick]\nbackend = \"memory\"\n\
             [[dbm]]\nname = \"casket\"\n\
             [[dbm]]\nname = \"log\"\nstore = \"quick\"\ndurability = \"durable\"\n\
             [[frontend]]\nkind = \"rpc\"\n{frontend}\n"
        ),
    );
    home
}

/// Where the line says that it listens.
fn address(line: &str) -> &str {
    let (_, rest) = line.split_once("rpc on ").unwrap_or_else(|| panic!("{line}"));
    rest.split(',').next().unwrap()
}

#[test]
fn it_says_what_listens_where_and_ends_when_it_is_told() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let home = home("listen = [\"127.0.0.1:0\", \"unix:dbm.sock\"]");
        let served = Served::start(&home, &[]);
        let (tcp, socket) = (served.line(), served.line());
        let dbms = format!("casket in main ({}), log in quick (memory, durable)", store());
        assert_eq!(tcp, format!("rpc on {}, not protected: {dbms}", address(&tcp)));
        TcpStream::connect(address(&tcp)).unwrap();
        let path = fs::canonicalize(home.path("dbm.sock")).unwrap();
        assert!(
            socket.starts_with("rpc on unix:") && socket.contains("socket mode 0600"),
            "{socket}"
        );
        assert!(path.exists());
        served.signal(signal);
        let (code, out, err) = served.ended();
        assert_eq!((code, &*out), (Some(0), ""), "{err}");
        assert!(err.contains("INFO") && err.contains("stopping"), "{err}");
        assert!(!path.exists(), "the socket goes with it");
    }
}

#[test]
fn programs_read_what_listens_and_the_log() {
    let home = home("listen = \"127.0.0.1:0\"");
    let served = Served::start(&home, &["--json", "--log", "json", "--log-level", "debug"]);
    let mut text = String::new();
    while !text.ends_with("\n}") {
        text.push_str(&format!("\n{}", served.line()));
    }
    let said: Value = serde_json::from_str(&text).unwrap();
    let dbms = json!([
        { "name": "casket", "store": "main", "backend": store(), "durability": "sequenced" },
        { "name": "log", "store": "quick", "backend": "memory", "durability": "durable" },
    ]);
    assert_eq!(said["dbms"], dbms);
    let frontend = &said["frontends"][0];
    assert_eq!(
        (&frontend["kind"], &frontend["protection"]),
        (&json!("rpc"), &json!("not protected"))
    );
    TcpStream::connect(frontend["listen"].as_str().unwrap()).unwrap();
    let line: Value = serde_json::from_str(&served.logs("opening stores")).unwrap();
    assert_eq!(line["level"], "DEBUG");
    served.signal(Signal::TERM);
    let (code, _, err) = served.ended();
    assert_eq!(code, Some(0), "{err}");
    for line in err.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn the_log_can_be_quiet() {
    let home = home("listen = \"127.0.0.1:0\"");
    let served = Served::start(&home, &["--log-level", "off"]);
    served.line();
    served.signal(Signal::TERM);
    assert_eq!(served.ended(), (Some(0), String::new(), String::new()));
}

#[test]
fn the_process_id_is_in_a_file_while_it_serves() {
    let home = home("listen = \"127.0.0.1:0\"");
    home.write("pid", "what one that was killed has left");
    let served = Served::start(&home, &["--pid-file", "pid"]);
    served.line();
    assert_eq!(fs::read_to_string(home.path("pid")).unwrap(), format!("{}\n", served.id()));
    served.signal(Signal::TERM);
    assert_eq!(served.ended().0, Some(0));
    assert!(!home.path("pid").exists());
    home.run(["serve", "--pid-file", "absent/pid"]).fails(3, &["process id", "absent/pid"]);
    // One that is another process's by now is left to it.
    let served = Served::start(&home, &["--pid-file", "pid"]);
    served.line();
    home.write("pid", "1\n");
    served.signal(Signal::TERM);
    assert_eq!(served.ended().0, Some(0));
    assert!(home.path("pid").exists());
}

#[test]
fn the_log_file_is_opened_again() {
    let home = home("listen = \"127.0.0.1:0\"");
    let args = ["--log-file", "serve.log", "--log-level", "debug"];
    let served = Served::start(&home, &args);
    served.line();
    fs::rename(home.path("serve.log"), home.path("serve.log.1")).unwrap();
    served.signal(Signal::HUP);
    // Stopping goes before reading again, so the one is waited for before the other.
    for _ in 0..4000 {
        if home.path("serve.log").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    served.signal(Signal::TERM);
    let (code, _, err) = served.ended();
    assert_eq!((code, &*err), (Some(0), ""));
    let read = |name| fs::read_to_string(home.path(name)).unwrap();
    let (before, after) = (read("serve.log.1"), read("serve.log"));
    assert!(before.contains("opening stores") && !before.contains("stopping"), "{before}");
    assert!(after.contains("stopping") && !after.contains('\u{1b}'), "{after}");
    home.run(["serve", "--log-file", "absent/log"]).fails(3, &["log file", "absent/log"]);
}

#[test]
fn tokens_are_read_again_and_wrong_ones_change_nothing() {
    let home = home("listen = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"");
    let ran = home.run(["serve"]);
    ran.fails(1, &["tokens.toml", "cannot be read", "frontend rpc"]);
    home.run(["token", "new", "web", "--right", "*=read", "--file", "tokens.toml"]).ok();
    let served = Served::start(&home, &[]);
    assert!(served.line().contains(", tokens: "));
    served.signal(Signal::HUP);
    served.logs("were read again");
    let tokens = fs::read_to_string(home.path("tokens.toml")).unwrap();
    home.write("tokens.toml", tokens.replace("*", "casquet"));
    served.signal(Signal::HUP);
    let line = served.logs("as it was before");
    assert!(line.contains("ERROR") && line.contains("casquet"), "{line}");
    home.write("tokens.toml", tokens);
    served.signal(Signal::HUP);
    served.logs("were read again");
    served.signal(Signal::TERM);
    assert_eq!(served.ended().0, Some(0));
}

#[test]
fn systemd_is_told_what_happens() {
    let home = home("listen = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"");
    home.run(["token", "new", "web", "--right", "*=read", "--file", "tokens.toml"]).ok();
    let path = home.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let next = || {
        let mut bytes = [0; 4096];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    let served = Served::start_with(&home, &[], &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let line = served.line();
    let ready = format!("READY=1\nSTATUS=serving on {}", address(&line));
    assert_eq!(next().trim(), ready);
    let reload = || {
        served.signal(Signal::HUP);
        let reloading = next();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        next()
    };
    assert_eq!(reload().trim(), ready);
    let tokens = fs::read_to_string(home.path("tokens.toml")).unwrap();
    home.write("tokens.toml", "nonsense");
    let failed = reload();
    assert!(failed.starts_with("READY=1\nSTATUS=reading again failed"), "{failed}");
    assert!(failed.contains("tokens.toml") && failed.trim().lines().count() == 2, "{failed}");
    home.write("tokens.toml", tokens);
    assert_eq!(reload().trim(), ready, "nothing is left of it");
    served.signal(Signal::TERM);
    assert_eq!(next().trim(), "STOPPING=1");
    assert_eq!(served.ended().0, Some(0));
}

#[test]
fn nothing_to_serve_is_said_with_how_to_write_it() {
    let home = Home::new();
    home.run(["serve"]).fails(5, &["no frontend to serve", "[[dbm]]", "kind = \"rpc\"", "1978"]);
    Home::empty().run(["serve"]).fails(5, &["no hozo.toml here", "hozo init"]);
    // A frontend alone has nothing, either.
    let config = "[store.main]\nbackend = \"memory\"\n[[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:0\"\n";
    home.write("hozo.toml", config);
    home.run(["serve"]).fails(5, &["hozo.toml:3:1", "no DBM to serve", "name = \"casket\""]);
    // What is beyond this machine is protected, or said not to be.
    home.write("hozo.toml", config.replace("127.0.0.1", "0.0.0.0") + "[[dbm]]\nname = \"x\"\n");
    home.run(["serve"]).fails(5, &["hozo.toml:5:10", "tokens", "insecure = true"]);
}

/// A store on this machine's disk, whatever the others are over: one in memory is
/// never somebody else's.
fn on_disk(wait_ms: u64) -> Home {
    let home = home("listen = \"127.0.0.1:0\"");
    home.write(
        "hozo.toml",
        format!(
            "[store.main]\nbackend = \"hashdbm\"\npath = \"data\"\nlock_timeout_ms = {wait_ms}\n\
             [[dbm]]\nname = \"casket\"\n[[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:0\"\n"
        ),
    );
    home
}

#[test]
fn a_store_that_another_process_has_is_said_to_be_so() {
    let home = on_disk(0);
    let served = Served::start(&home, &[]);
    served.line();
    let words = ["another process", "store main, dbm casket", "one process at a time", "serve"];
    home.run(["serve"]).fails(4, &words);
    served.signal(Signal::TERM);
    assert_eq!(served.ended().0, Some(0));
    // It closed the store, and the next one has it.
    Served::start(&home, &[]).line();
}

#[test]
fn an_address_that_is_taken_is_said_to_be_so_and_nothing_is_left() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let home = home(&format!("listen = [\"unix:dbm.sock\", \"{at}\"]"));
    home.run(["serve"]).fails(4, &["somebody listens there already", &at.to_string()]);
    assert!(!home.path("dbm.sock").exists());
}

#[test]
fn who_is_told_to_stop_twice_stops_at_once() {
    let home = on_disk(3_600_000);
    let first = Served::start(&home, &[]);
    first.line();
    // This one waits for the store, an hour if it must.
    let second = Served::start(&home, &["--log-level", "debug"]);
    second.logs("opening stores");
    second.signal(Signal::TERM);
    second.signal(Signal::INT);
    let (code, out, err) = second.ended();
    assert_eq!((code, &*out), (Some(1), ""), "{err}");
    assert!(err.contains("told to stop twice"), "{err}");
}

/// The beginning of an HTTP/2 connection with a call whose request never ends.
fn endless_call() -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/tkrzw_rpc.DBMService/Echo"),
        (":authority", "here"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut head = Vec::new();
    for (name, value) in fields {
        // A literal that is not indexed, with a new name (RFC 7541, 6.2.2).
        head.push(0);
        for text in [name, value] {
            head.push(u8::try_from(text.len()).unwrap());
            head.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, u8::try_from(head.len()).unwrap(), 1, 4, 0, 0, 0, 1]);
    bytes.extend(head);
    bytes
}

#[test]
fn who_breaks_off_requests_to_stop_says_so_and_fails() {
    let home = home("listen = \"127.0.0.1:0\"\nstop_timeout_s = 1");
    let served = Served::start(&home, &["--log-level", "debug"]);
    let line = served.line();
    let mut client = TcpStream::connect(address(&line)).unwrap();
    client.write_all(&endless_call()).unwrap();
    served.logs("Echo");
    served.signal(Signal::TERM);
    let (code, _, err) = served.ended();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("WARN") && err.contains("broke off what was not finished"), "{err}");
    assert!(err.contains("error: stopping: ") && err.contains("were broken off"), "{err}");
}

#[test]
fn check_lists_dbms_and_frontends() {
    let home = home("listen = [\"127.0.0.1:1978\", \"unix:dbm.sock\"]");
    let out = home.run(["check"]).ok();
    for words in ["casket", "log", "quick", "durable", "rpc", "127.0.0.1:1978, unix:", "dbm.sock"] {
        assert!(out.contains(words), "no {words:?} in {out}");
    }
    let said = home.json(&["check"]);
    let log = json!({ "name": "log", "store": "quick", "durability": "durable" });
    assert_eq!(said["dbms"][1], log);
    assert_eq!(said["frontends"][0]["kind"], "rpc");
    assert_eq!(said["frontends"][0]["claims"][0], "127.0.0.1:1978");
    // The other commands leave to `hozo serve` what is its own.
    home.write("hozo.toml", "[store.main]\nbackend = \"memory\"\n[[frontend]]\nkind = \"rpc\"\n");
    home.run(["ns", "list"]).ok();
    home.run(["check"]).fails(5, &["has no `listen`"]);
}

#[test]
fn check_shows_replication_without_secrets() {
    let home = home("listen = \"127.0.0.1:1978\"");
    assert_eq!(home.json(&["check"])["replication"], Value::Null);
    let config = fs::read_to_string(home.path("hozo.toml")).unwrap();
    let section = "[replication.main]\nkind = \"ulog\"\nserver_id = 7\ndir = \"log of updates\"\n\
        follow = \"http://db2:1978\"\nrole = \"master\"\nack = 1\nfollow_token = \"hunter2\"\n";
    home.write("hozo.toml", format!("{config}{section}"));
    let out = home.run(["check"]).ok();
    for words in ["SERVER ID", "7", "dual master", "http://db2:1978", "log of updates"] {
        assert!(out.contains(words), "no {words:?} in {out}");
    }
    let said = home.json(&["check"]);
    let replication = &said["replication"];
    assert_eq!(replication["server_id"], 7);
    assert_eq!(replication["role"], "dual master");
    assert_eq!(replication["keep_s"], 7 * 86_400);
    assert!(replication["dir"].as_str().unwrap().ends_with("/log of updates"), "{replication}");
    assert!(!format!("{out}{said}").contains("hunter2"));
}

/// What `hozo init` writes about DBMs, without the `#` before it.
#[test]
fn the_dbm_of_the_example_can_be_served() {
    let home = Home::new();
    let config = fs::read_to_string(home.path("hozo.toml")).unwrap();
    let (before, example) = config.split_once("# [[dbm]]").unwrap();
    let mut text = format!("{before}[[dbm]]");
    for line in example.lines() {
        let key = |line: &str| line.starts_with(['[', ' ']) || line.contains(" = ");
        let plain = line.strip_prefix("# ").filter(|line| key(line));
        // Certificates are another matter.
        let plain = plain.filter(|line| !line.starts_with("tls") && !line.starts_with("tokens"));
        let plain = plain.map(|line| line.replace("127.0.0.1:1978", "127.0.0.1:0"));
        text.push_str(&format!("{}\n", plain.unwrap_or_else(|| line.to_owned())));
    }
    home.write("hozo.toml", &text);
    home.run(["check"]).ok();
    let served = Served::start(&home, &[]);
    assert!(served.line().contains("casket in main"));
}
