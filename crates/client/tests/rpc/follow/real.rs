//! A `tkrzw_server` as the source, where there is one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hozo_client::{Client, Connector};
use hozo_traits::{Effect, FeedPart, FeedReader, Start, Timestamp, What};

use super::{reader, server};
use crate::run;

/// A server, which ends with this.
struct Tkrzw(Child);

impl Tkrzw {
    fn start(directory: &Path, address: &str) -> Tkrzw {
        let mut command = Command::new("tkrzw_server");
        command.args(["--address", address, "--server_id", "5", "--async"]);
        command.args(["--log_file", "/dev/null", "--ulog_prefix", "ulog"]);
        command.args(["first.tkh", "second.tkt"]).current_dir(directory).stdin(Stdio::null());
        Tkrzw(command.spawn().expect("tkrzw_server is in PATH"))
    }
}

impl Drop for Tkrzw {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first part with updates.
async fn some(updates: &mut dyn FeedReader) -> FeedPart {
    loop {
        let part = updates.next(1 << 20).await.expect("it goes on");
        if !part.updates.is_empty() {
            return part;
        }
    }
}

#[test]
#[ignore = "wants tkrzw_server in PATH: run it with --ignored where there is one"]
fn a_tkrzw_server_is_followed() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let address = format!("unix:{}", directory.path().join("dbm.sock").display());
        let _server = Tkrzw::start(directory.path(), &address);
        let client = Client::builder(&address).retries(100).timeout(Duration::from_secs(30));
        let client = client.connect().await.expect("it comes up");
        client.dbm(0).set("before", "1", true).await.expect("set");

        let feed = Connector::default().connect(&address, &reader()).await.expect("it ships");
        assert_eq!(feed.server(), server(5));
        let start = Start::Since(Timestamp::default());
        let mut updates = feed.open(start.clone(), reader()).await.expect("it ships");
        let first = some(&mut *updates).await;
        assert_eq!((first.updates[0].origin, first.updates[0].server), (server(5), server(5)));

        // While nothing is changed it says so.
        assert_eq!(updates.next(1).await.expect("it goes on").updates, []);
        client.dbm(1).set("after", "2", true).await.expect("set");
        client.dbm(1).remove("after").await.expect("removed");
        client.dbm(0).clear().await.expect("cleared");
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.extend(some(&mut *updates).await.updates);
        }
        let what = |dbm, effect| What::Records { dbm, effects: vec![effect], reduced: false };
        let seen: Vec<What> = seen.into_iter().map(|update| update.what).collect();
        assert_eq!(
            seen,
            [
                what(1, Effect::Set { key: "after".into(), value: "2".into() }),
                what(1, Effect::Remove { key: "after".into() }),
                what(0, Effect::Clear),
            ]
        );

        // From its time on it comes again.
        let since = Start::Since(first.updates[0].time);
        let mut again = feed.open(since, reader()).await.expect("it ships");
        assert_eq!(some(&mut *again).await.updates[0], first.updates[0]);
    });
}
