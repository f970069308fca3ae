//! Connecting to one server after another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hozo_client::{Client, Connector, ErrorKind};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use super::fake::{Call, accept};
use super::{reader, server, welcome};
use crate::run;

#[test]
fn each_feed_has_a_connection_and_the_settings() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("source.sock");
        let listener = UnixListener::bind(&path).expect("nothing is there");
        let connections = Arc::new(AtomicUsize::new(0));
        let (gone, mut left) = mpsc::unbounded_channel();
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let gone = gone.clone();
                tokio::spawn(async move {
                    accept(socket, 1 << 20, |mut call: Call| async move {
                        assert_eq!(call.headers["authorization"], "Bearer hozo_1");
                        call.hello().await;
                        call.give(&welcome());
                        call.left().await;
                    })
                    .await;
                    let _ = gone.send(());
                });
            }
        });
        let connector = Connector::new(Client::builder("").token("hozo_1"));
        let address = format!("unix:{}", path.display());
        let first = connector.connect(&address, &reader()).await.expect("it is there");
        let second = connector.connect(&address, &reader()).await.expect("it is there");
        assert_eq!([first.server(), second.server()], [server(7); 2]);
        assert_eq!(connections.load(Ordering::SeqCst), 2);
        drop(first);
        left.recv().await.expect("its connection ended");
        assert!(left.try_recv().is_err(), "the other one's did not");
        drop(second);
        left.recv().await.expect("its connection ended");
    });
}

#[test]
fn who_is_not_there_is_an_error_that_names_the_address() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let address = format!("unix:{}", directory.path().join("none.sock").display());
        let connector = Connector::default();
        let error = connector.connect(&address, &reader()).await.err().expect("nobody");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains(&address), "{error}");
        for wrong in ["", "db2", "ftp://db2:1978", "https://db2:1978"] {
            let error = connector.connect(wrong, &reader()).await.err().expect("no address");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}: {error}");
        }
    });
}
