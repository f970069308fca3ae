//! A server over stores in memory, and a client that says what it is told.

mod client;
pub(crate) mod commits;
mod log;
pub(crate) mod replicator;
mod store;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hozo_frontend_rpc::{Config, Rpc};
use hozo_proto::tkrzw_rpc::{
    EchoRequest, EchoResponse, GetRequest, GetResponse, SetRequest, SetResponse,
};
use hozo_traits::{Claim, Dbm, Durability, Error, Frontend, Parts, Result, Running, SystemAmbient};
use tempfile::TempDir;

pub(crate) use client::{Client, Conversation, Reply, frame};
pub(crate) use log::{keep_log, logged};
pub(crate) use store::Gate;

/// Long enough for whatever is going to happen; nothing depends on it that
/// works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server with the DBMs `casket` and `log`, in a directory of its own.
pub(crate) struct Server {
    pub(crate) running: Box<dyn Running>,
    pub(crate) gate: Gate,
    pub(crate) directory: TempDir,
}

/// Runs a test's client.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it hangs") })
}

/// What is written in a config; all but `listen` may be left out.
pub(crate) fn config(text: &str) -> Config {
    toml::from_str(text).unwrap()
}

/// On a port of its own, with these settings besides.
pub(crate) fn serve(settings: &str) -> Server {
    serve_in(tempfile::tempdir().unwrap(), settings).unwrap()
}

/// With files that are in the directory already.
pub(crate) fn serve_in(directory: TempDir, settings: &str) -> Result<Server> {
    serve_with(directory, settings, None)
}

/// One of which this log can be followed.
pub(crate) fn serve_with(
    directory: TempDir,
    settings: &str,
    log: Option<&replicator::Log>,
) -> Result<Server> {
    let listen = if settings.contains("listen = ") { "" } else { "listen = \"127.0.0.1:0\"\n" };
    let config = config(&format!("{listen}threads = 2\n{settings}"));
    let gate = Gate::default();
    let parts = Parts { replication: log.map(|log| log.replicator()), ..parts(&gate) };
    let running = Rpc::new(config, directory.path())?.start(parts)?;
    Ok(Server { running, gate, directory })
}

/// Why such a server does not start.
pub(crate) fn refused(directory: TempDir, settings: &str) -> Error {
    serve_in(directory, settings).err().expect("it starts")
}

/// Two DBMs in memory, behind a gate.
pub(crate) fn parts(gate: &Gate) -> Parts {
    let store = hozo_backend_memory::open(&Default::default(), Arc::new(SystemAmbient)).unwrap();
    let dbm = |name: &str| Dbm {
        name: name.into(),
        store: "main".into(),
        records: gate.before(store.records(name).unwrap()),
        durability: Durability::Sequenced,
        path: None,
    };
    Parts {
        dbms: vec![dbm("casket"), dbm("log")],
        replication: None,
        ambient: Arc::new(SystemAmbient),
    }
}

impl Server {
    /// Where it listens by TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        let tcp = |claim| match claim {
            Claim::Tcp(address) => Some(address),
            _ => None,
        };
        self.running.endpoints().into_iter().find_map(|endpoint| tcp(endpoint.at)).unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::tcp(self.address()).await
    }
}

/// `/tkrzw_rpc.DBMService/` and a method.
pub(crate) fn path(method: &str) -> String {
    format!("/tkrzw_rpc.DBMService/{method}")
}

pub(crate) fn get_request(key: &str) -> GetRequest {
    GetRequest { key: key.to_owned().into(), ..Default::default() }
}

pub(crate) fn set_request(key: &str, value: &str) -> SetRequest {
    let (key, value) = (key.to_owned().into(), value.to_owned().into());
    SetRequest { key, value, overwrite: true, ..Default::default() }
}

pub(crate) async fn echo(client: &Client) {
    let request = EchoRequest { message: "is anybody there?".into() };
    let answer: EchoResponse = client.get(&path("Echo"), &request).await;
    assert_eq!(answer.echo, request.message);
}

pub(crate) async fn set(client: &Client, key: &str, value: &str) {
    let answer: SetResponse = client.get(&path("Set"), &set_request(key, value)).await;
    assert_eq!(answer.status.unwrap_or_default().code, 0);
}

pub(crate) async fn get(client: &Client, key: &str) -> String {
    let answer: GetResponse = client.get(&path("Get"), &get_request(key)).await;
    assert_eq!(answer.status.unwrap_or_default().code, 0);
    String::from_utf8(answer.value.to_vec()).unwrap()
}
