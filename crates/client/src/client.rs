//! The client, and what it asks of the server as a whole.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hozo_proto::tkrzw_rpc::{ChangeMasterRequest, EchoRequest, InspectRequest, StringPair};
use hozo_traits::{Ambient, Error, ErrorKind, Result};
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::address::Address;
use crate::call::Deadline;
use crate::error::check;
use crate::transport::Transport;
use crate::{Builder, Dbm};

/// What all handles of one client share.
pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) address: Address,
    has_token: bool,
    pub(crate) retries: u32,
    pub(crate) max_in_flight: usize,
    pub(crate) ambient: Arc<dyn Ambient>,
}

/// A DBM server, over one connection that is made when it is needed and again
/// after it ended. Cloning is cheap and shares the connection; calls of all
/// clones go over it side by side.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
    pub(crate) deadline: Deadline,
}

impl Client {
    /// Connects to `http://HOST:PORT`, `HOST:PORT` or `unix:PATH`. With a token,
    /// TLS or other settings: [`builder`](Self::builder).
    pub async fn connect(address: impl Into<String>) -> Result<Client> {
        Client::builder(address).connect().await
    }

    /// A client that is still to be described.
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder::new(address.into())
    }

    /// A client over a connection that is there already, such as one half of
    /// [`tokio::io::duplex`]. [`Builder::over`] has settings besides. Must be
    /// called within a runtime of tokio.
    pub fn over<S>(io: S) -> Client
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Client::builder("").over(io).expect("without settings nothing can be wrong")
    }

    pub(crate) fn new(
        transport: Transport,
        address: Address,
        token: Option<&HeaderValue>,
        builder: Builder,
    ) -> Client {
        let inner = Inner {
            transport,
            address,
            has_token: token.is_some(),
            retries: builder.retries,
            max_in_flight: builder.max_in_flight,
            ambient: builder.ambient,
        };
        Client { inner: Arc::new(inner), deadline: Deadline::new(builder.timeout, token) }
    }

    /// The same client, whose calls may take so long.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client { inner: self.inner.clone(), deadline: self.deadline.changed(timeout) }
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.deadline.within
    }

    /// The DBM with this index, from 0 on. Nothing is asked: an index that there
    /// is not is an error of what is called then.
    pub fn dbm(&self, index: i32) -> Dbm {
        Dbm::new(self.clone(), index)
    }

    /// The DBM with this name. A server of Tkrzw has no names; there it is the
    /// path of the DBM.
    pub async fn dbm_named(&self, name: &str) -> Result<Dbm> {
        let dbms = self.dbms().await?;
        if let Some(dbm) = dbms.iter().find(|dbm| dbm.name == name) {
            return Ok(self.dbm(dbm.index));
        }
        let there: Vec<&str> = dbms.iter().map(|dbm| dbm.name.as_str()).collect();
        let what = match there.is_empty() {
            true => "there is no DBM of this name, nor another that may be seen".to_owned(),
            false => format!("there is no DBM of this name; there are {}", there.join(", ")),
        };
        Err(Error::new(ErrorKind::NotFound, what).with("dbm", name))
    }

    /// What the server tells of its DBMs, in the order of their indexes.
    pub async fn dbms(&self) -> Result<Vec<DbmInfo>> {
        Ok(DbmInfo::read(&self.inspect().await?))
    }

    /// Properties of the server, names and values in its order.
    pub async fn inspect(&self) -> Result<Vec<(String, String)>> {
        self.inspect_at(-1).await
    }

    pub(crate) async fn inspect_at(&self, dbm_index: i32) -> Result<Vec<(String, String)>> {
        let answer = self.call(InspectRequest { dbm_index }).await?;
        check(answer.status)?;
        Ok(answer.records.into_iter().map(|StringPair { first, second }| (first, second)).collect())
    }

    /// Sends a text there and back.
    pub async fn echo(&self, message: impl Into<String>) -> Result<String> {
        let answer = self.call(EchoRequest { message: message.into() }).await?;
        check(answer.status)?;
        Ok(answer.echo)
    }

    /// Tells a replica to follow the server at `master`, or none if it is empty,
    /// from where it is plus `timestamp_skew_ms`.
    pub async fn change_master(
        &self,
        master: impl Into<String>,
        timestamp_skew_ms: i64,
    ) -> Result<()> {
        let master = master.into();
        let request = ChangeMasterRequest { master, timestamp_skew: timestamp_skew_ms };
        check(self.call(request).await?.status)
    }
}

impl fmt::Debug for Client {
    /// Where it goes, without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.inner.address.to_string())
            .field("token", &self.inner.has_token.then_some("(secret)"))
            .field("timeout", &self.deadline.within)
            .finish_non_exhaustive()
    }
}

/// What a server tells of one of its DBMs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DbmInfo {
    /// Its index on the wire.
    pub index: i32,
    /// Its name, or its path where the server has no names.
    pub name: String,
    /// Where its files are; empty if it has none.
    pub path: String,
    /// How many records it has.
    pub count: u64,
    /// What it is, in the server's words.
    pub class: String,
}

impl DbmInfo {
    /// From the rows `dbm_<i>_…` of the server's properties. A DBM that the
    /// token may not see has no rows, and its index is passed over.
    fn read(rows: &[(String, String)]) -> Vec<DbmInfo> {
        let mut dbms: Vec<DbmInfo> = Vec::new();
        let mut names = std::collections::BTreeMap::new();
        for (name, value) in rows {
            let Some((index, what)) =
                name.strip_prefix("dbm_").and_then(|rest| rest.split_once('_'))
            else {
                continue;
            };
            let Ok(index) = index.parse::<i32>() else { continue };
            let place = *names.entry(index).or_insert_with(|| {
                let (name, path, class) = (String::new(), String::new(), String::new());
                dbms.push(DbmInfo { index, name, path, count: 0, class });
                dbms.len() - 1
            });
            match what {
                "name" => dbms[place].name.clone_from(value),
                "path" => dbms[place].path.clone_from(value),
                "count" => dbms[place].count = value.parse().unwrap_or(0),
                "class" => dbms[place].class.clone_from(value),
                _ => {}
            }
        }
        for dbm in &mut dbms {
            if dbm.name.is_empty() {
                dbm.name.clone_from(&dbm.path);
            }
        }
        dbms.sort_by_key(|dbm| dbm.index);
        dbms
    }
}

#[cfg(test)]
mod tests;
