use super::*;

fn wanted(backend: &str) -> Wanted {
    let replication = Replication::None;
    Wanted { backend: backend.to_owned(), durable: true, threads: Some(3), replication }
}

#[test]
fn the_port_is_found_in_whatever_is_said() {
    for (line, port) in [
        ("listening on 127.0.0.1:4711, not protected", Some(4711)),
        (r#"{"at":"127.0.0.1:80"}"#, Some(80)),
        ("127.0.0.1 and then 127.0.0.1:81", Some(81)),
        ("127.0.0.1:0", None),
        ("127.0.0.1:99999", None),
        ("nothing", None),
    ] {
        assert_eq!(port_in(line), port, "{line}");
    }
}

#[test]
fn every_backend_has_a_config() {
    let registry = Registry::builtin();
    for backend in ["memory", "hashdbm"] {
        let config: Table = config(&wanted(backend), &registry, None).unwrap().parse().unwrap();
        assert_eq!(config["dbm"][0]["durability"].as_str(), Some("durable"));
        assert_eq!(config["frontend"][0]["threads"].as_integer(), Some(3));
        assert_eq!(config["store"]["bench"]["backend"].as_str(), Some(backend));
    }
    assert!(config(&wanted("tape"), &registry, None).is_err());
}

#[test]
fn what_replicates_has_a_log_and_who_follows_a_source() {
    let source = "127.0.0.1:4711".parse().unwrap();
    let part = |replication, source| -> Option<Table> {
        let wanted = Wanted { replication, ..wanted("memory") };
        let config = config(&wanted, &Registry::builtin(), source).unwrap();
        let config: Table = config.parse().unwrap();
        Some(config.get("replication")?.get("bench")?.as_table()?.clone())
    };
    assert_eq!(part(Replication::None, None), None);
    let log = part(Replication::Log, None).unwrap();
    assert_eq!((log.get("follow"), log.get("ack")), (None, None));
    assert_eq!(part(Replication::Follower, None).unwrap(), log);
    let ack = part(Replication::Ack, None).unwrap();
    assert_eq!(ack["ack"].as_integer(), Some(1));
    let follower = part(Replication::Ack, Some(&source)).unwrap();
    assert_eq!(follower["follow"].as_str(), Some("127.0.0.1:4711"));
    assert_ne!(follower["server_id"], ack["server_id"]);
}

fn start_with(script: &str, replication: Replication) -> Result<Started> {
    let dir = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        command
    };
    let wanted = Wanted { replication, ..wanted("memory") };
    Started::new(&command, &wanted, &Registry::builtin(), dir.path())
}

fn start(script: &str) -> Result<Started> {
    start_with(script, Replication::None)
}

#[test]
fn a_follower_is_started_and_stopped_as_well() {
    let started = start_with("echo 127.0.0.1:4711; exec sleep 3600", Replication::Ack).unwrap();
    let server = started.server().clone();
    assert_eq!(server.name, "memory + ack");
    let pids = [server.pid.unwrap(), server.follower.unwrap().pid.unwrap()];
    assert_ne!(pids[0], pids[1]);
    drop(started);
    for pid in pids {
        assert_eq!(super::super::process::cpu_nanos(pid), None, "it is gone");
    }
    // The script is told the config, of which the follower's says whom it follows.
    let script = "if grep -q 'follow = .127.0.0.1:4711' \"$2\"; then echo no source; exit 3; fi
        echo 127.0.0.1:4711; exec sleep 3600";
    let said = start_with(script, Replication::Follower).err().unwrap().to_string();
    assert!(said.contains("follower of") && said.contains("no source"), "{said}");
}

#[test]
fn a_server_is_asked_where_it_listens_and_is_stopped() {
    let started = start("echo starting; echo at 127.0.0.1:4711 >&2; exec sleep 3600").unwrap();
    let server = started.server();
    assert_eq!((server.address.to_string(), &*server.name), ("127.0.0.1:4711".into(), "memory"));
    let pid = server.pid.unwrap();
    drop(started);
    assert_eq!(super::super::process::cpu_nanos(pid), None, "it is gone");
}

#[test]
fn one_that_does_not_start_says_why() {
    let said = start("echo no such backend; exit 3").err().unwrap().to_string();
    assert!(said.contains("no such backend") && said.contains("memory"), "{said}");
    let said = start("exec cat hozo.toml.none").err().unwrap().to_string();
    assert!(said.contains("hozo.toml.none"), "{said}");
}
