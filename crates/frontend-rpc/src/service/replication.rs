//! Replication over the wire: `hozo.v1.Replication`, and the two rpcs that
//! Tkrzw has for it.

mod convert;
mod ear;
mod feeding;
mod follow;
mod pages;
mod parts;
mod pieces;
mod refusal;
mod tkrzw;

use std::sync::Arc;

use hozo_proto::hozo_v1::replication_server::Replication;
use hozo_proto::hozo_v1::*;
use hozo_traits::{Error, ErrorKind, Replicator, Result, Timestamp};
use tonic::{Request, Response, Status, Streaming};

use super::access::Right;
use super::answers::Answers;
use super::call::{Call, parts};
use super::dbm::is_of_the_store;
use super::{Inner, Service};

pub(crate) use self::refusal::{KIND, refusal};
pub(super) use self::tkrzw::{change_master, replicate};

type Answer<T> = Result<Response<T>, Status>;

/// What replication is answered where there is none.
const NO_REPLICATION: &str = "this server has no replication";
/// Conflicts in one answer.
const CONFLICTS_MAX: usize = 10_000;

impl Inner {
    /// This server's part in replication.
    fn replicator(&self) -> Result<&Arc<dyn Replicator>, Status> {
        self.replication.as_ref().ok_or_else(|| Status::unimplemented(NO_REPLICATION))
    }

    /// What is told of a failure of replication, which is logged if it is this
    /// server's own.
    fn refusal(&self, error: &Error) -> Status {
        self.log_failure(error);
        refusal(error)
    }

    fn log_failure(&self, error: &Error) {
        if is_of_the_store(error.kind())
            && let Some(others) = self.replication_failures.now()
        {
            tracing::error!(%error, others, "replication failed");
        }
    }

    /// Does what is asked of replication to its end, even if who asked for it
    /// goes meanwhile: half a change of roles is none that anybody meant.
    async fn to_its_end<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let done = tokio::spawn(work).await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Internal, "a defect ended the work").caused_by(error))
        });
        done.inspect_err(|error| self.log_failure(error))
    }
}

impl Service {
    /// The same for work that keeps its thread, such as a checkpoint of the log.
    async fn long_to_its_end<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let service = self.clone();
        let work = async move {
            service.0.long(|_| work).await.unwrap_or_else(|status| {
                Err(Error::new(ErrorKind::Internal, "the work was given up").caused_by(status))
            })
        };
        self.0.to_its_end(work).await
    }
}

/// Follows the server at this address from now on, or nobody if it is empty.
async fn follow(replicator: Arc<dyn Replicator>, address: String, skew_ms: i64) -> Result<()> {
    if address.is_empty() {
        replicator.unfollow().await
    } else {
        replicator.follow(&address, skew_ms).await
    }
}

#[tonic::async_trait]
impl Replication for Service {
    type FollowStream = Answers<FollowResponse>;

    async fn follow(
        &self,
        request: Request<Streaming<FollowRequest>>,
    ) -> Answer<Self::FollowStream> {
        let (access, requests) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let replicator = Arc::clone(self.0.replicator()?);
        Ok(Response::new(follow::serve(Call::new(self), access, replicator, requests)))
    }

    type FollowPagesStream = Answers<FollowPagesResponse>;

    async fn follow_pages(
        &self,
        request: Request<Streaming<FollowPagesRequest>>,
    ) -> Answer<Self::FollowPagesStream> {
        let (access, requests) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let replicator = Arc::clone(self.0.replicator()?);
        Ok(Response::new(pages::serve(Call::new(self), access, replicator, requests)))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Answer<StatusResponse> {
        let _active = self.0.enter();
        let (access, _) = parts(request)?;
        self.0.need_all(&access, Right::Read)?;
        Ok(Response::new(convert::status(self.0.replicator()?.status())))
    }

    async fn change_source(
        &self,
        request: Request<ChangeSourceRequest>,
    ) -> Answer<ChangeSourceResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let replicator = Arc::clone(self.0.replicator()?);
        let followed = follow(replicator, request.address, request.skew_ms);
        self.long_to_its_end(followed).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(ChangeSourceResponse {}))
    }

    async fn promote(&self, request: Request<PromoteRequest>) -> Answer<PromoteResponse> {
        let _active = self.0.enter();
        let (access, _) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let replicator = Arc::clone(self.0.replicator()?);
        let promoted = self.0.to_its_end(async move { replicator.promote().await }).await;
        let epoch = promoted.map_err(|error| refusal(&error))?;
        Ok(Response::new(PromoteResponse { epoch }))
    }

    async fn conflicts(&self, request: Request<ConflictsRequest>) -> Answer<ConflictsResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).min(CONFLICTS_MAX);
        let found = self.0.replicator()?.conflicts(limit).await;
        let found = found.map_err(|error| self.0.refusal(&error))?;
        Ok(Response::new(convert::conflicts(found, self.0.options.message_bytes_max)))
    }

    async fn prune(&self, request: Request<PruneRequest>) -> Answer<PruneResponse> {
        let _active = self.0.enter();
        let (access, request) = parts(request)?;
        self.0.need_all(&access, Right::Admin)?;
        let replicator = Arc::clone(self.0.replicator()?);
        let before = Timestamp::from_micros(request.before);
        let pruned = self.long_to_its_end(async move { replicator.prune(before).await }).await;
        let freed_bytes = pruned.map_err(|error| refusal(&error))?;
        Ok(Response::new(PruneResponse { freed_bytes }))
    }
}
