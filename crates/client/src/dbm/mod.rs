//! One DBM of a server: its records one at a time.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    AppendRequest, CompareExchangeRequest, CompareExchangeResponse, GetRequest, IncrementRequest,
    PopFirstRequest, PushLastRequest, RekeyRequest, RemoveRequest, SetRequest, StatusProto,
};
use hozo_traits::{Desired, Exchanged, Expected, Outcome, PresentValue, Result};

use crate::Client;
use crate::error::{check, outcome};

mod many;
mod whole;

pub use self::whole::SearchMode;

/// One DBM of a server. A handle: cheap to clone, and clones go over the same
/// connection.
#[derive(Clone)]
pub struct Dbm {
    pub(crate) client: Client,
    pub(crate) index: i32,
}

/// How [`Dbm::compare_exchange_with`] goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExchangeOptions {
    /// Asks for the value that the record had.
    pub actual: bool,
    /// How long the server waits for the record to become as expected.
    pub wait: Option<Duration>,
    /// Wakes those who wait for this record, once it is exchanged. A server of
    /// Hozo wakes them without, too.
    pub notify: bool,
}

/// How [`Dbm::pop_first_with`] goes about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PopOptions {
    /// How long the server waits for a record if there is none.
    pub wait: Option<Duration>,
    /// Answers an empty key.
    pub omit_key: bool,
    /// Answers an empty value.
    pub omit_value: bool,
}

impl Dbm {
    pub(crate) fn new(client: Client, index: i32) -> Dbm {
        Dbm { client, index }
    }

    /// The DBM's index on the wire.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// The client that it is of.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same DBM, whose calls may take so long.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Dbm {
        Dbm::new(self.client.with_timeout(timeout), self.index)
    }

    /// The value of a key, if it has a record.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Bytes>> {
        let request = self.get_request(key.into(), false);
        let answer = self.client.call(request).await?;
        found(answer.status, answer.value)
    }

    /// Whether a key has a record. Its value is not sent.
    pub async fn contains(&self, key: impl Into<Bytes>) -> Result<bool> {
        let request = self.get_request(key.into(), true);
        let answer = self.client.call(request).await?;
        Ok(found(answer.status, ())?.is_some())
    }

    /// Sets a record. Without `overwrite` one that is there stays as it is:
    /// [`Outcome::Exists`].
    pub async fn set(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        overwrite: bool,
    ) -> Result<Outcome> {
        let request = self.set_request(key.into(), value.into(), overwrite);
        outcome(self.client.call(request).await?.status)
    }

    /// Removes a record, or answers [`Outcome::Missing`].
    pub async fn remove(&self, key: impl Into<Bytes>) -> Result<Outcome> {
        let request = self.remove_request(key.into());
        outcome(self.client.call(request).await?.status)
    }

    /// Appends to a record's value, after `delimiter`; a record that is not
    /// there is made, without it.
    pub async fn append(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        delimiter: impl Into<Bytes>,
    ) -> Result<()> {
        let request = self.append_request(key.into(), value.into(), delimiter.into());
        check(self.client.call(request).await?.status)
    }

    /// Changes a record if it is as expected, and answers whether it was. The
    /// value that it had is not asked for: it is
    /// [`PresentValue::Unread`] if there is one.
    pub async fn compare_exchange(
        &self,
        key: impl Into<Bytes>,
        expected: Expected,
        desired: Desired,
    ) -> Result<Exchanged> {
        self.compare_exchange_with(key, expected, desired, ExchangeOptions::default()).await
    }

    /// [`compare_exchange`](Self::compare_exchange) that also asks for the value,
    /// waits, or wakes. With a wait, the call may take that much longer than
    /// others.
    pub async fn compare_exchange_with(
        &self,
        key: impl Into<Bytes>,
        expected: Expected,
        desired: Desired,
        options: ExchangeOptions,
    ) -> Result<Exchanged> {
        let request = self.exchange_request(key.into(), expected, desired, options);
        let answer = match self.client.deadline.longer(options.wait) {
            None => self.client.call(request).await?,
            Some(deadline) => self.client.call_within(request, &deadline).await?,
        };
        exchanged(answer, options.actual)
    }

    /// Adds to a number, 8 bytes big-endian and signed, and answers the sum. A
    /// record that is not there counts as `initial`. [`i64::MIN`] adds nothing,
    /// stores nothing, and answers the number. Sums wrap around.
    pub async fn increment(&self, key: impl Into<Bytes>, by: i64, initial: i64) -> Result<i64> {
        let request = self.increment_request(key.into(), by, initial);
        let answer = self.client.call(request).await?;
        check(answer.status)?;
        Ok(answer.current)
    }

    /// Gives a record another key; `copying` leaves the old one there as well.
    ///
    /// [`Outcome::Missing`] if there is no record `old`; otherwise
    /// [`Outcome::Exists`] if there is one `new` that is not to be overwritten.
    pub async fn rekey(
        &self,
        old: impl Into<Bytes>,
        new: impl Into<Bytes>,
        overwrite: bool,
        copying: bool,
    ) -> Result<Outcome> {
        let (old_key, new_key) = (old.into(), new.into());
        let dbm_index = self.index;
        let request = RekeyRequest { dbm_index, old_key, new_key, overwrite, copying };
        outcome(self.client.call(request).await?.status)
    }

    /// Removes the first record and answers it; `None` if there is none, or none
    /// came for as long as the server is to `wait`.
    pub async fn pop_first(&self, wait: Option<Duration>) -> Result<Option<(Bytes, Bytes)>> {
        self.pop_first_with(PopOptions { wait, ..PopOptions::default() }).await
    }

    /// [`pop_first`](Self::pop_first) that leaves out what is not needed.
    pub async fn pop_first_with(&self, options: PopOptions) -> Result<Option<(Bytes, Bytes)>> {
        let request = PopFirstRequest {
            dbm_index: self.index,
            omit_key: options.omit_key,
            omit_value: options.omit_value,
            retry_wait: options.wait.map_or(0.0, |wait| wait.as_secs_f64()),
        };
        let answer = match self.client.deadline.longer(options.wait) {
            None => self.client.call(request).await?,
            Some(deadline) => self.client.call_within(request, &deadline).await?,
        };
        found(answer.status, (answer.key, answer.value))
    }

    /// Puts a value at the end of a queue: its key is the time, in seconds since
    /// 1970, or the server's clock. `notify` wakes those who wait for a record;
    /// a server of Hozo wakes them without, too.
    pub async fn push_last(
        &self,
        value: impl Into<Bytes>,
        time: Option<f64>,
        notify: bool,
    ) -> Result<()> {
        let request = PushLastRequest {
            dbm_index: self.index,
            value: value.into(),
            wtime: time.unwrap_or(-1.0),
            notify,
        };
        check(self.client.call(request).await?.status)
    }

    pub(crate) fn get_request(&self, key: Bytes, omit_value: bool) -> GetRequest {
        GetRequest { dbm_index: self.index, key, omit_value }
    }

    pub(crate) fn set_request(&self, key: Bytes, value: Bytes, overwrite: bool) -> SetRequest {
        SetRequest { dbm_index: self.index, key, value, overwrite }
    }

    pub(crate) fn remove_request(&self, key: Bytes) -> RemoveRequest {
        RemoveRequest { dbm_index: self.index, key }
    }

    pub(crate) fn append_request(&self, key: Bytes, value: Bytes, delim: Bytes) -> AppendRequest {
        AppendRequest { dbm_index: self.index, key, value, delim }
    }

    pub(crate) fn increment_request(&self, key: Bytes, by: i64, initial: i64) -> IncrementRequest {
        IncrementRequest { dbm_index: self.index, key, increment: by, initial }
    }

    pub(crate) fn exchange_request(
        &self,
        key: Bytes,
        expected: Expected,
        desired: Desired,
        options: ExchangeOptions,
    ) -> CompareExchangeRequest {
        let (desired_existence, desired_value) = match &desired {
            Desired::Set(value) => (true, value.clone()),
            Desired::Unchanged | Desired::Remove => (false, Bytes::new()),
        };
        CompareExchangeRequest {
            dbm_index: self.index,
            key,
            expected_existence: expected != Expected::Absent,
            expect_any_value: expected == Expected::Any,
            expected_value: match expected {
                Expected::Is(value) => value,
                Expected::Absent | Expected::Any => Bytes::new(),
            },
            desired_existence,
            desired_value,
            desire_no_update: desired == Desired::Unchanged,
            get_actual: options.actual,
            retry_wait: options.wait.map_or(0.0, |wait| wait.as_secs_f64()),
            notify: options.notify,
        }
    }
}

impl fmt::Debug for Dbm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dbm").field("index", &self.index).field("client", &self.client).finish()
    }
}

/// What came, unless the status says that there is no record.
pub(crate) fn found<T>(status: Option<StatusProto>, value: T) -> Result<Option<T>> {
    match &status {
        Some(status) if status.code == StatusCode::NotFoundError.as_i32() => Ok(None),
        _ => check(status).map(|()| Some(value)),
    }
}

/// What a comparison came to; `asked` is whether the value was asked for.
pub(crate) fn exchanged(answer: CompareExchangeResponse, asked: bool) -> Result<Exchanged> {
    let infeasible = StatusCode::InfeasibleError.as_i32();
    let done = answer.status.as_ref().is_none_or(|status| status.code != infeasible);
    if done {
        check(answer.status)?;
    }
    let actual = match (answer.found, asked) {
        (false, _) => PresentValue::Absent,
        (true, false) => PresentValue::Unread,
        (true, true) => PresentValue::Is(answer.actual),
    };
    Ok(Exchanged { done, actual })
}
