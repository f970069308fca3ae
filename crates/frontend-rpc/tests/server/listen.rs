use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use hozo_frontend_rpc::Rpc;
use hozo_traits::{Claim, ErrorKind, Frontend};

use crate::kit::{
    Client, Gate, PATIENCE, config, echo, get, parts, refused, run, serve, serve_in, set,
};

#[test]
fn requests_are_answered_over_tcp() {
    let server = serve("");
    run(async {
        let client = server.client().await;
        set(&client, "tenon", "oak").await;
        assert_eq!(get(&client, "tenon").await, "oak");
    });
}

#[test]
fn requests_are_answered_at_every_place() {
    let directory = tempfile::tempdir().unwrap();
    let server = refused(directory, "listen = [\"localhost:0\", \"[::1]:0\", \"unix:s/dbm\"]\n");
    // The socket's directory is not there: nothing of it may be left.
    assert_eq!(server.kind(), ErrorKind::Unavailable, "{server}");

    let server = serve("listen = [\"localhost:0\", \"127.0.0.1:0\", \"unix:dbm.sock\"]\n");
    run(async {
        for endpoint in server.running.endpoints() {
            let client = match &endpoint.at {
                Claim::Tcp(address) => {
                    assert_ne!(address.port(), 0);
                    assert_eq!(endpoint.protection, "not protected");
                    Client::tcp(*address).await
                }
                Claim::Socket(path) => {
                    assert_eq!(*path, server.directory.path().join("dbm.sock"));
                    assert_eq!(endpoint.protection, "socket mode 0600");
                    Client::unix(path).await
                }
                other => panic!("{other}"),
            };
            echo(&client).await;
        }
    });
    assert_eq!(server.running.endpoints().len(), 3);
}

#[test]
fn a_connection_inside_the_process_has_every_right() {
    run(async {
        let io = hozo_frontend_rpc::local(parts(&Gate::default())).unwrap();
        let client = Client::over(io).await.unwrap();
        set(&client, "tenon", "oak").await;
        assert_eq!(get(&client, "tenon").await, "oak");
    });
}

#[test]
fn claims_are_known_before_anything_is_taken() {
    let text = "listen = [\"127.0.0.1:1978\", \"localhost:1979\", \"unix:dbm.sock\"]";
    let rpc = Rpc::new(config(text), "/srv".as_ref()).unwrap();
    let claims: Vec<_> = rpc.claims().iter().map(ToString::to_string).collect();
    assert_eq!(claims, ["127.0.0.1:1978", "127.0.0.1:1979", "unix:/srv/dbm.sock"]);
    assert_eq!(rpc.kind(), "rpc");
    assert!(rpc.needs().dbms);
}

#[test]
fn a_port_has_one_server() {
    let server = serve("");
    let text = format!("listen = \"{}\"", server.address());
    let error = refused(tempfile::tempdir().unwrap(), &text);
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("somebody listens there already"), "{error}");
}

#[test]
fn a_port_is_free_again_at_once() {
    let server = serve("");
    let address = server.address();
    run(async { echo(&server.client().await).await });
    server.running.stop(PATIENCE).unwrap();
    let again = serve(&format!("listen = \"{address}\""));
    run(async { echo(&again.client().await).await });
}

#[test]
fn a_socket_has_its_mode_and_goes_with_the_server() {
    for (setting, mode) in [("", 0o600), ("socket_mode = \"0660\"\n", 0o660)] {
        let server = serve(&format!("listen = \"unix:dbm.sock\"\n{setting}"));
        let path = server.directory.path().join("dbm.sock");
        let found = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
        server.running.stop(PATIENCE).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn a_socket_goes_with_a_server_that_is_dropped() {
    let server = serve("listen = \"unix:dbm.sock\"");
    let path = server.directory.path().join("dbm.sock");
    drop(server.running);
    assert!(!path.exists());
}

#[test]
fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dbm.sock");
    // A listener that is dropped leaves its name behind.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = serve_in(directory, "listen = \"unix:dbm.sock\"").unwrap();
    run(async { echo(&Client::unix(&path).await).await });

    let text = format!("listen = \"unix:{}\"", path.display());
    let error = refused(tempfile::tempdir().unwrap(), &text);
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    run(async { echo(&Client::unix(&path).await).await });
    drop(server);
}

#[test]
fn a_live_socket_with_a_full_queue_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dbm.sock");
    // Listens, and takes nobody.
    let _hangs = UnixListener::bind(&path).unwrap();
    let socket = socket_with_short_queue(&path);
    let error = refused(directory, "listen = \"unix:dbm.sock\"");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    drop(socket);
}

/// Connects until no more fit.
fn socket_with_short_queue(path: &std::path::Path) -> Vec<rustix::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let address = SocketAddrUnix::new(path).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        match rustix::net::connect(&socket, &address) {
            Ok(()) => waiting.push(socket),
            Err(rustix::io::Errno::AGAIN) => return waiting,
            // More than this process may open; then the queue is long enough.
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn a_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dbm.sock");
    std::fs::write(&path, "letters").unwrap();
    let error = refused(directory, "listen = \"unix:dbm.sock\"");
    assert!(error.to_string().contains("no socket"), "{error}");
}
