//! What the trials ask a server with: the generated client, one call at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::dbm_service_client::DbmServiceClient;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_proto::tkrzw_rpc::*;
use tokio::runtime::{Builder, Runtime};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

pub(crate) type Client = DbmServiceClient<Channel>;

/// Longer than any call of a test takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The variable with the address of somebody else's server.
pub(crate) const PEER: &str = "HOZO_RPC_PEER";

/// A DBM of a server, and a connection to it.
pub(crate) struct Kit {
    /// The DBM's index.
    pub(crate) index: i32,
    /// Whether its scans go by key.
    pub(crate) ordered: bool,
    /// Whether it is somebody else's server.
    pub(crate) is_peer: bool,
    address: String,
    client: Client,
    runtime: Runtime,
}

pub(crate) fn b(bytes: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.as_ref())
}

pub(crate) fn pair(first: impl AsRef<[u8]>, second: impl AsRef<[u8]>) -> BytesPair {
    BytesPair { first: b(first), second: b(second) }
}

/// The code of a response; one that has no status succeeded.
pub(crate) fn code(status: &Option<StatusProto>) -> StatusCode {
    status.as_ref().map_or(StatusCode::Success, StatusProto::status_code)
}

/// A connection that is made when it is first used.
pub(crate) fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.timeout(PATIENCE).connect_timeout(PATIENCE).connect_lazy()
}

macro_rules! unary {
    ($($rpc:ident($request:ident) -> $response:ident;)*) => {
        impl Kit {
            $(pub(crate) fn $rpc(&self, request: $request) -> Result<$response, Status> {
                let mut client = self.client.clone();
                let answer = self.runtime.block_on(async move { client.$rpc(request).await });
                answer.map(tonic::Response::into_inner)
            })*
        }
    };
}

unary! {
    echo(EchoRequest) -> EchoResponse;
    inspect(InspectRequest) -> InspectResponse;
    get(GetRequest) -> GetResponse;
    get_multi(GetMultiRequest) -> GetMultiResponse;
    set(SetRequest) -> SetResponse;
    set_multi(SetMultiRequest) -> SetMultiResponse;
    remove(RemoveRequest) -> RemoveResponse;
    remove_multi(RemoveMultiRequest) -> RemoveMultiResponse;
    append(AppendRequest) -> AppendResponse;
    append_multi(AppendMultiRequest) -> AppendMultiResponse;
    compare_exchange(CompareExchangeRequest) -> CompareExchangeResponse;
    increment(IncrementRequest) -> IncrementResponse;
    compare_exchange_multi(CompareExchangeMultiRequest) -> CompareExchangeMultiResponse;
    rekey(RekeyRequest) -> RekeyResponse;
    pop_first(PopFirstRequest) -> PopFirstResponse;
    push_last(PushLastRequest) -> PushLastResponse;
    count(CountRequest) -> CountResponse;
    get_file_size(GetFileSizeRequest) -> GetFileSizeResponse;
    clear(ClearRequest) -> ClearResponse;
    rebuild(RebuildRequest) -> RebuildResponse;
    should_be_rebuilt(ShouldBeRebuiltRequest) -> ShouldBeRebuiltResponse;
    synchronize(SynchronizeRequest) -> SynchronizeResponse;
    search(SearchRequest) -> SearchResponse;
    change_master(ChangeMasterRequest) -> ChangeMasterResponse;
}

impl Kit {
    /// The DBM with this index of a server, whose records are cleared.
    pub(crate) fn new(address: &str, index: i32) -> Kit {
        let kit = Kit::as_is(address, index);
        assert_eq!(
            code(&kit.clear(ClearRequest { dbm_index: index }).expect("cleared").status),
            StatusCode::Success
        );
        kit
    }

    /// The same with the records that it has.
    pub(crate) fn as_is(address: &str, index: i32) -> Kit {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let client = runtime.block_on(async { DbmServiceClient::new(channel(address)) });
        let is_peer = std::env::var_os(PEER).is_some();
        let address = address.to_owned();
        let mut kit = Kit { index, ordered: false, is_peer, address, client, runtime };
        let last = kit.iterate(vec![kit.step(OpType::OpLast)]).expect("answered");
        kit.ordered = code(&last[0].status) == StatusCode::Success;
        kit
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A client over the kit's connection.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client over a connection of its own.
    pub(crate) fn another(&self) -> Client {
        self.run(async { DbmServiceClient::new(channel(&self.address)) })
    }

    /// Runs something to its end.
    ///
    /// # Panics
    /// If it has none.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let limited = async { tokio::time::timeout(2 * PATIENCE, future).await };
        self.runtime.block_on(limited).expect("it goes on and on")
    }

    /// Runs something beside the test.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(future)
    }

    /// Sets a record, whatever was there.
    #[track_caller]
    pub(crate) fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let request =
            SetRequest { dbm_index: self.index, key: b(key), value: b(value), overwrite: true };
        let answer = self.set(request).expect("answered");
        assert_eq!(code(&answer.status), StatusCode::Success, "{answer:?}");
    }

    /// The value of a record.
    #[track_caller]
    pub(crate) fn value(&self, key: impl AsRef<[u8]>) -> Option<Bytes> {
        let request = GetRequest { dbm_index: self.index, key: b(key), omit_value: false };
        let answer = self.get(request).expect("answered");
        match code(&answer.status) {
            StatusCode::Success => Some(answer.value),
            StatusCode::NotFoundError => None,
            _ => panic!("{answer:?}"),
        }
    }

    /// A step of an iterator over the kit's DBM.
    pub(crate) fn step(&self, operation: OpType) -> IterateRequest {
        IterateRequest {
            dbm_index: self.index,
            operation: operation.into(),
            ..IterateRequest::default()
        }
    }

    /// A jump.
    pub(crate) fn jump(
        &self,
        operation: OpType,
        key: impl AsRef<[u8]>,
        inclusive: bool,
    ) -> IterateRequest {
        IterateRequest { key: b(key), jump_inclusive: inclusive, ..self.step(operation) }
    }

    /// One iterator that does all these steps.
    pub(crate) fn iterate(
        &self,
        steps: Vec<IterateRequest>,
    ) -> Result<Vec<IterateResponse>, Status> {
        let mut client = self.client();
        self.run(async move {
            let mut answers = client.iterate(tokio_stream::iter(steps)).await?.into_inner();
            let mut all = Vec::new();
            while let Some(answer) = answers.message().await? {
                all.push(answer);
            }
            Ok(all)
        })
    }

    /// One stream that makes all these requests.
    pub(crate) fn stream(
        &self,
        requests: Vec<StreamRequest>,
    ) -> Result<Vec<StreamResponse>, Status> {
        let mut client = self.client();
        self.run(async move {
            let mut answers = client.stream(tokio_stream::iter(requests)).await?.into_inner();
            let mut all = Vec::new();
            while let Some(answer) = answers.message().await? {
                all.push(answer);
            }
            Ok(all)
        })
    }

    /// All records, as an iterator meets them.
    pub(crate) fn listed(&self) -> Vec<(Bytes, Bytes)> {
        let count = self.counted();
        let mut steps = vec![self.step(OpType::OpFirst)];
        steps.extend((0..=count).map(|_| self.step(OpType::OpStep)));
        let answers = self.iterate(steps).expect("iterated");
        let (last, found) = answers[1..].split_last().expect("a step more than there are records");
        assert_eq!(code(&last.status), StatusCode::NotFoundError, "there are {count} records");
        let record = |answer: &IterateResponse| {
            assert_eq!(code(&answer.status), StatusCode::Success);
            (answer.key.clone(), answer.value.clone())
        };
        found.iter().map(record).collect()
    }

    /// All records.
    pub(crate) fn contents(&self) -> BTreeMap<Bytes, Bytes> {
        let listed = self.listed();
        let count = listed.len();
        let contents: BTreeMap<Bytes, Bytes> = listed.into_iter().collect();
        assert_eq!(contents.len(), count, "a record was met twice");
        contents
    }

    /// How many records there are.
    pub(crate) fn counted(&self) -> i64 {
        self.count(CountRequest { dbm_index: self.index }).expect("counted").count
    }
}
