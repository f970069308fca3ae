use super::*;

fn wanted(backend: &str) -> Wanted {
    Wanted { backend: backend.to_owned(), durable: true, threads: Some(3) }
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
        let config: Table = config(&wanted(backend), &registry).unwrap().parse().unwrap();
        assert_eq!(config["dbm"][0]["durability"].as_str(), Some("durable"));
        assert_eq!(config["frontend"][0]["threads"].as_integer(), Some(3));
        assert_eq!(config["store"]["bench"]["backend"].as_str(), Some(backend));
    }
    assert!(config(&wanted("tape"), &registry).is_err());
}

fn start(script: &str) -> Result<Started> {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    Started::new(command, &wanted("memory"), &Registry::builtin(), dir.path())
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
