//! The rpcs: what each needs to be allowed, and who answers it.

use hozo_proto::tkrzw_rpc::dbm_service_server::DbmService;
use hozo_proto::tkrzw_rpc::*;
use tonic::{Request, Response, Status, Streaming};

use super::access::Right;
use super::answers::Answers;
use super::call::{Call, parts};
use super::status::success;
use super::whole::asks_for_copy;
use super::{Service, inspect, iterate, multi, queue, replication, single, stream, whole};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl DbmService for Service {
    async fn echo(&self, request: Request<EchoRequest>) -> Answer<EchoResponse> {
        let _active = self.0.enter();
        let (_, request) = parts(request)?;
        Ok(Response::new(EchoResponse { status: success(), echo: request.message }))
    }

    async fn inspect(&self, request: Request<InspectRequest>) -> Answer<InspectResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        if request.dbm_index < 0 {
            return Ok(Response::new(self.0.inspect_server(&access).await));
        }
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(inspect::of_dbm(dbm).await))
    }

    async fn get(&self, request: Request<GetRequest>) -> Answer<GetResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(single::get(dbm, request).await))
    }

    async fn get_multi(&self, request: Request<GetMultiRequest>) -> Answer<GetMultiResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(multi::get(dbm, request, self.0.options.message_bytes_max).await?))
    }

    async fn set(&self, request: Request<SetRequest>) -> Answer<SetResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(single::set(dbm, request, dbm.durability()).await))
    }

    async fn set_multi(&self, request: Request<SetMultiRequest>) -> Answer<SetMultiResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(multi::set(dbm, request).await))
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Answer<RemoveResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(single::remove(dbm, request, dbm.durability()).await))
    }

    async fn remove_multi(
        &self,
        request: Request<RemoveMultiRequest>,
    ) -> Answer<RemoveMultiResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(multi::remove(dbm, request).await))
    }

    async fn append(&self, request: Request<AppendRequest>) -> Answer<AppendResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(single::append(dbm, request, dbm.durability()).await))
    }

    async fn append_multi(
        &self,
        request: Request<AppendMultiRequest>,
    ) -> Answer<AppendMultiResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(multi::append(dbm, request).await))
    }

    async fn compare_exchange(
        &self,
        request: Request<CompareExchangeRequest>,
    ) -> Answer<CompareExchangeResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(self.0.compare_exchange(&access, dbm, request).await?))
    }

    async fn increment(&self, request: Request<IncrementRequest>) -> Answer<IncrementResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(single::increment(dbm, request, dbm.durability()).await))
    }

    async fn compare_exchange_multi(
        &self,
        request: Request<CompareExchangeMultiRequest>,
    ) -> Answer<CompareExchangeMultiResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(multi::compare_exchange(dbm, request).await))
    }

    async fn rekey(&self, request: Request<RekeyRequest>) -> Answer<RekeyResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(single::rekey(dbm, request, dbm.durability()).await))
    }

    async fn pop_first(&self, request: Request<PopFirstRequest>) -> Answer<PopFirstResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(self.0.pop_first(&access, dbm, request).await?))
    }

    async fn push_last(&self, request: Request<PushLastRequest>) -> Answer<PushLastResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(queue::push_last(dbm, request, &*self.0.ambient).await))
    }

    async fn count(&self, request: Request<CountRequest>) -> Answer<CountResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(whole::count(dbm).await))
    }

    async fn get_file_size(
        &self,
        request: Request<GetFileSizeRequest>,
    ) -> Answer<GetFileSizeResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(whole::file_size(dbm).await))
    }

    async fn clear(&self, request: Request<ClearRequest>) -> Answer<ClearResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Write)?;
        Ok(Response::new(self.0.clear(dbm).await?))
    }

    async fn rebuild(&self, request: Request<RebuildRequest>) -> Answer<RebuildResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Admin)?;
        Ok(Response::new(self.0.rebuild(dbm, request).await?))
    }

    async fn should_be_rebuilt(
        &self,
        request: Request<ShouldBeRebuiltRequest>,
    ) -> Answer<ShouldBeRebuiltResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(whole::should_be_rebuilt(dbm).await))
    }

    async fn synchronize(
        &self,
        request: Request<SynchronizeRequest>,
    ) -> Answer<SynchronizeResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let copy = asks_for_copy(&request.params);
        let right = if copy { Right::Admin } else { Right::Write };
        let dbm = self.0.dbm(&access, request.dbm_index, right)?;
        Ok(Response::new(self.0.synchronise(dbm, request).await?))
    }

    async fn search(&self, request: Request<SearchRequest>) -> Answer<SearchResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        let dbm = self.0.dbm(&access, request.dbm_index, Right::Read)?;
        Ok(Response::new(self.0.search(dbm, request).await?))
    }

    type StreamStream = Answers<StreamResponse>;

    async fn stream(
        &self,
        request: Request<Streaming<StreamRequest>>,
    ) -> Answer<Self::StreamStream> {
        let (access, requests) = parts(request)?;
        Ok(Response::new(stream::serve(Call::new(self), access, requests)))
    }

    type IterateStream = Answers<IterateResponse>;

    async fn iterate(
        &self,
        request: Request<Streaming<IterateRequest>>,
    ) -> Answer<Self::IterateStream> {
        let (access, requests) = parts(request)?;
        Ok(Response::new(iterate::serve(Call::new(self), access, requests)))
    }

    type ReplicateStream = Answers<ReplicateResponse>;

    async fn replicate(&self, request: Request<ReplicateRequest>) -> Answer<Self::ReplicateStream> {
        let call = Call::new(self);
        let (access, request) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        Ok(Response::new(replication::replicate(call, access, request).await?))
    }

    async fn change_master(
        &self,
        request: Request<ChangeMasterRequest>,
    ) -> Answer<ChangeMasterResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        Ok(Response::new(replication::change_master(self, request).await))
    }
}
