//! The service as clients see it: the generated client over the generated
//! server, without sockets.

use std::sync::Arc;

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::dbm_service_client::DbmServiceClient;
use hozo_proto::tkrzw_rpc::dbm_service_server::DbmServiceServer;
use hozo_proto::tkrzw_rpc::*;
use hozo_traits::{Ambient, Dbm, Durability, KvStore, Parts, Store, Timestamp};
use tempfile::TempDir;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use self::replicator::Log;
use super::{Access, Options, Service};

mod access;
mod crowd;
mod double;
mod exchange;
mod follow;
mod inspect;
mod iterate;
mod multi;
mod pages;
mod queue;
mod records;
mod replicate;
mod replication;
// That of the server's tests.
#[path = "../../tests/server/kit/commits.rs"]
mod commits;
#[path = "../../tests/server/kit/replicator.rs"]
mod replicator;
mod stream;
mod whole;

/// The index of a DBM that is ordered, and of one that is not.
const ORDERED: i32 = 0;
const UNORDERED: i32 = 1;
const BOTH: [i32; 2] = [ORDERED, UNORDERED];

/// The time that it always is.
const NOW_MICROS: u64 = 1_795_306_391_123_456;

struct Fixed;

impl Ambient for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(NOW_MICROS)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Lets a request through with this access, as the server does.
#[derive(Clone)]
struct Allow(Option<Access>);

impl Interceptor for Allow {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(access) = &self.0 {
            request.extensions_mut().insert(access.clone());
        }
        Ok(request)
    }
}

type Client = DbmServiceClient<InterceptedService<DbmServiceServer<Service>, Allow>>;

fn client_with(service: &Service, access: Option<Access>) -> Client {
    let server = DbmServiceServer::with_interceptor(service.clone(), Allow(access));
    DbmServiceClient::new(server)
}

struct Fixture {
    service: Service,
    client: Client,
    _dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Fixture::with(Options::default())
    }

    fn with(options: Options) -> Self {
        Fixture::replicating(options, None)
    }

    fn replicating(options: Options, log: Option<&Log>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let memory = hozo_backend_memory::open(&Default::default(), Arc::new(Fixed));
        let config = hozo_backend_hashdbm::Config::new(dir.path().join("store"));
        let hashdbm = hozo_backend_hashdbm::open(&config, Arc::new(Fixed));
        let stores: [Arc<dyn Store>; 2] = [memory.expect("memory"), hashdbm.expect("hashdbm")];
        let dbms = ["ordered", "unordered"]
            .into_iter()
            .zip(stores)
            .map(|(name, store)| dbm(name, store.records("casket").expect("a DBM")));
        let replication = log.map(Log::replicator);
        let parts = Parts { replication, ..parts(dbms.collect()) };
        let service = Service::new(parts, options);
        let client = client_with(&service, Some(Access::Full));
        Fixture { service, client, _dir: dir }
    }
}

fn dbm(name: &str, records: Arc<dyn KvStore>) -> Dbm {
    Dbm {
        name: name.into(),
        store: "main".into(),
        records,
        durability: Durability::Sequenced,
        path: None,
    }
}

fn parts(dbms: Vec<Dbm>) -> Parts {
    Parts { dbms, replication: None, ambient: Arc::new(Fixed) }
}

/// The code of a status, which every answer has.
fn code(status: Option<StatusProto>) -> StatusCode {
    status.expect("a status").status_code()
}

async fn set(client: &mut Client, dbm_index: i32, key: &str, value: &str) {
    let request = SetRequest {
        dbm_index,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        overwrite: true,
    };
    let response = client.set(request).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
}

/// The value of a record, if there is one.
async fn get(client: &mut Client, dbm_index: i32, key: &str) -> Option<String> {
    let key = Bytes::copy_from_slice(key.as_bytes());
    let request = GetRequest { dbm_index, key, omit_value: false };
    let response = client.get(request).await.expect("a call").into_inner();
    match code(response.status) {
        StatusCode::Success => Some(String::from_utf8_lossy(&response.value).into_owned()),
        StatusCode::NotFoundError => None,
        other => panic!("{other}"),
    }
}

async fn count(client: &mut Client, dbm_index: i32) -> i64 {
    client.count(CountRequest { dbm_index }).await.expect("a call").into_inner().count
}

fn pair(key: &'static str, value: &'static str) -> BytesPair {
    BytesPair { first: key.into(), second: value.into() }
}
