//! Trying again until a record is as it should be.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hozo_proto::tkrzw_rpc::{
    CompareExchangeRequest, CompareExchangeResponse, PopFirstRequest, PopFirstResponse,
};
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::Inner;
use super::access::Access;
use super::dbm::Served;
use super::{queue, single};

/// Who waits looks again after this time even if nothing changed here: where
/// several processes write to a store, others do not wake who waits in this one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The longest waiting; clocks cannot count much further.
const WAIT_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Inner {
    /// Exchanges a record, waiting until it is as expected if the request says
    /// how long.
    pub(super) async fn compare_exchange(
        &self,
        access: &Access,
        dbm: &Served,
        request: CompareExchangeRequest,
    ) -> Result<CompareExchangeResponse, Status> {
        self.let_in(&request)?;
        let first = single::compare_exchange(dbm, &request, dbm.durability()).await;
        let wait = duration(request.retry_wait);
        if wait.is_zero() || !single::is_mismatch(&first) {
            return Ok(first);
        }
        let _place = self.waiting_place()?;
        let deadline = Instant::now() + wait;
        let waiting = dbm.waiters.on_key(&request.key);
        loop {
            let mut change = pin!(waiting.change());
            change.as_mut().enable();
            access.holds()?;
            self.let_in(&request)?;
            let response = single::compare_exchange(dbm, &request, dbm.durability()).await;
            if !single::is_mismatch(&response) || !self.woken(change, deadline).await {
                return Ok(response);
            }
        }
    }

    /// Takes the first record, waiting until there is one if the request says
    /// how long.
    pub(super) async fn pop_first(
        &self,
        access: &Access,
        dbm: &Served,
        request: PopFirstRequest,
    ) -> Result<PopFirstResponse, Status> {
        self.options.crowd.let_in()?;
        let first = queue::pop_first(dbm, &request).await;
        let wait = duration(request.retry_wait);
        if wait.is_zero() || !queue::is_empty(&first) {
            return Ok(first);
        }
        let _place = self.waiting_place()?;
        let deadline = Instant::now() + wait;
        let waiting = dbm.waiters.on_first();
        loop {
            let mut change = pin!(waiting.change());
            change.as_mut().enable();
            let may = access.holds().and_then(|()| self.options.crowd.let_in());
            if let Err(status) = may {
                // It may be the only one that was woken for a record.
                dbm.waiters.wake_next();
                return Err(status);
            }
            let response = queue::pop_first(dbm, &request).await;
            if !queue::is_empty(&response) || !self.woken(change, deadline).await {
                return Ok(response);
            }
        }
    }

    /// An error if there is no room for what this answers.
    pub(super) fn let_in(&self, request: &CompareExchangeRequest) -> Result<(), Status> {
        if request.get_actual { self.options.crowd.let_in() } else { Ok(()) }
    }

    fn waiting_place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Status> {
        self.waiting.try_acquire().map_err(|_| {
            Status::resource_exhausted(format!(
                "too many requests wait for a record (waiting_max {})",
                self.options.waiting_max
            ))
        })
    }

    /// Waits until it is time to look again; false if it is not worth it.
    async fn woken(&self, change: impl Future<Output = ()>, deadline: Instant) -> bool {
        let mut change = pin!(change);
        let mut stopping = pin!(self.options.stopping.said());
        let event = poll_fn(|context| {
            if change.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            stopping.as_mut().poll(context).map(|()| false)
        });
        let look_again = Instant::now() + LOOK_AGAIN;
        match timeout_at(look_again.min(deadline), event).await {
            Ok(woken) => woken,
            Err(_) => look_again < deadline,
        }
    }
}

/// Seconds as clients say them; what is no time is none.
pub(super) fn duration(seconds: f64) -> Duration {
    if seconds > WAIT_MAX.as_secs_f64() {
        return WAIT_MAX;
    }
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
