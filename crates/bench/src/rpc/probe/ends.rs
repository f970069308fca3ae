//! A master and its follower, each over a connection of its own.

use bytes::Bytes;
use h2::client::SendRequest;
use hozo::traits::{Error, Result};
use hozo_proto::StatusCode;
use hozo_proto::hozo_v1::{StatusRequest, StatusResponse};
use hozo_proto::tkrzw_rpc::{GetRequest, GetResponse, SetRequest, SetResponse, StatusProto};
use http::Request;
use prost::Message;
use tokio::time::{Duration, timeout};

use super::Ends;
use crate::rpc::call::unary;
use crate::rpc::connection::Connection;
use crate::rpc::requests::{done, frame};
use crate::rpc::server::Server;
use crate::rpc::trouble::Trouble;

/// How long one request may take, so that a server that stands still is an error.
const CALL_MAX: Duration = Duration::from_secs(20);
/// What the key has after the prefix; no record has it, and no counter.
const KEY: &str = "probe";

/// Both ends.
pub(super) struct Wires {
    dbm_index: i32,
    key: Bytes,
    /// The message that reads it, framed.
    read: Bytes,
    master: End,
    follower: End,
}

/// A connection, with the heads of the requests to one server.
struct End {
    send: SendRequest<Bytes>,
    get: Request<()>,
    set: Request<()>,
    status: Request<()>,
}

impl End {
    async fn open(server: &Server) -> Result<Self> {
        let connection = Connection::open(server).await?;
        Ok(End {
            send: connection.sender(),
            get: connection.head("Get"),
            set: connection.head("Set"),
            status: connection.head_about_replication("Status"),
        })
    }

    async fn call(&self, head: &Request<()>, message: Bytes) -> Result<Bytes, Trouble> {
        match timeout(CALL_MAX, unary(&self.send, head, message)).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::of("unanswered", "a probe has no answer")),
        }
    }

    /// How many updates it has on its disk.
    async fn updates(&self) -> Result<u64, Trouble> {
        let answer = self.call(&self.status, frame(&StatusRequest::default())).await?;
        let status = StatusResponse::decode(answer).map_err(broken)?;
        let head = status.head.unwrap_or_default();
        Ok(head.reaches.iter().map(|reach| reach.seq).sum())
    }
}

impl Wires {
    /// Connects to both.
    pub(super) async fn open(master: &Server, follower: &Server, prefix: &str) -> Result<Self> {
        let key = Bytes::from(format!("{prefix}{KEY}"));
        let dbm_index = follower.dbm_index;
        let read = frame(&GetRequest { dbm_index, key: key.clone(), ..Default::default() });
        let of_follower = |e: Error| e.with("follower of", &master.name);
        Ok(Wires {
            dbm_index: master.dbm_index,
            key,
            read,
            master: End::open(master).await?,
            follower: End::open(follower).await.map_err(of_follower)?,
        })
    }

    /// How many updates the master has that the follower lacks.
    pub(super) async fn behind(&self) -> Result<u64, Trouble> {
        // The follower first: what comes to it while the master is asked would
        // make it look better than it is.
        let there = self.follower.updates().await?;
        Ok(self.master.updates().await?.saturating_sub(there))
    }
}

impl Ends for Wires {
    async fn write(&self, number: u64) -> Result<(), Trouble> {
        let request = SetRequest {
            dbm_index: self.dbm_index,
            key: self.key.clone(),
            value: Bytes::copy_from_slice(&number.to_be_bytes()),
            overwrite: true,
        };
        let answer = self.master.call(&self.master.set, frame(&request)).await?;
        done(SetResponse::decode(answer).map_err(broken)?.status)
    }

    async fn read(&self) -> Result<Option<u64>, Trouble> {
        let answer = self.follower.call(&self.follower.get, self.read.clone()).await?;
        let answer = GetResponse::decode(answer).map_err(broken)?;
        let lacks = |status: &StatusProto| status.status_code() == StatusCode::NotFoundError;
        if answer.status.as_ref().is_some_and(lacks) {
            return Ok(None);
        }
        done(answer.status)?;
        let number = <[u8; 8]>::try_from(&*answer.value);
        let strange = |_| Trouble::of("wrong value", "the follower has a value nobody wrote");
        number.map(|number| Some(u64::from_be_bytes(number))).map_err(strange)
    }
}

fn broken(e: prost::DecodeError) -> Trouble {
    Trouble::garbage(e.to_string())
}
