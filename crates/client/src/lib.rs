//! The Rust client of Hozo's DBM service, which is that of Tkrzw-RPC: it calls
//! servers of either.
//!
//! A [`Client`] is one connection to a server, and a [`Dbm`] one of the DBMs
//! there. Both are handles: cheap to clone, and made to be used from many tasks
//! at once.
//!
//! ```
//! # mod server { include!("../tests/doc/server.rs"); }
//! # server::run(async {
//! # let client = server::client();
//! # #[cfg(any())]
//! let client = hozo_client::Client::connect("http://127.0.0.1:1978").await?;
//! let dbm = client.dbm_named("casket").await?;
//!
//! dbm.set("oak", "hard", true).await?;
//! assert_eq!(dbm.get("oak").await?.as_deref(), Some(&b"hard"[..]));
//! assert_eq!(dbm.get("elm").await?, None);
//! assert_eq!(dbm.increment("joints", 3, 0).await?, 3);
//! # Ok(()) });
//! ```
//!
//! With a token, with TLS, or with another timeout, [`Client::builder`] makes the
//! client; over a connection that is there already, [`Client::over`]. Both may
//! be done without a server in reach ([`Builder::lazy`]): a client connects with
//! its first call, and again when its connection has ended.
//!
//! ```no_run
//! # async fn example(ca: String) -> hozo_client::Result<()> {
//! use std::time::Duration;
//! use hozo_client::{Client, Tls};
//!
//! let client = Client::builder("https://db.example:1978")
//!     .tls(Tls::new(ca))
//!     .token("hozo_…")
//!     .timeout(Duration::from_secs(5))
//!     .connect()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # Many at once
//!
//! A [`Pipeline`] sends operations without waiting for the answers of those
//! before, in order, over one stream. The first `await` gives an operation, the
//! second takes its answer:
//!
//! ```
//! # mod server { include!("../tests/doc/server.rs"); }
//! # server::run(async {
//! # let dbm = server::client().dbm(0);
//! let stream = dbm.stream();
//! let mut answers = Vec::new();
//! for n in 0..100 {
//!     answers.push(stream.set(format!("key {n}"), "value", true).await?);
//! }
//! for answer in answers {
//!     answer.await?;
//! }
//! stream.append_unanswered("key 0", "more", ",").await?;
//! stream.finish().await?;
//! # Ok(()) });
//! ```
//!
//! [`Dbm::scan`] reads records as a [`Stream`](futures_core::Stream), asking for
//! them ahead, and [`Dbm::iterate`] gives a [`Cursor`] that moves step by step:
//!
//! ```
//! # mod server { include!("../tests/doc/server.rs"); }
//! # server::run(async {
//! # let dbm = server::client().dbm(0);
//! use futures_util::TryStreamExt;
//!
//! dbm.set_many([("a", "1"), ("b", "2"), ("c", "3")], true).await?;
//! let mut scan = dbm.scan();
//! while let Some((key, value)) = scan.try_next().await? {
//!     println!("{key:?} {value:?}");
//! }
//!
//! let mut cursor = dbm.iterate();
//! cursor.jump("b").await?;
//! cursor.set("two").await?;
//! # assert_eq!(dbm.get("b").await?.as_deref(), Some(&b"two"[..]));
//! # Ok(()) });
//! ```
//!
//! # Following a server
//!
//! [`Client::feed`] gives what is changed at a server, as it is changed there: as
//! a [`ChangeFeed`](hozo_traits::ChangeFeed), which is what a server's own log is
//! as well. It comes from a Hozo server with replication, or from one of Tkrzw
//! with an update log. A program that keeps a copy acknowledges what it has, and
//! goes on after that position; where the log does not reach back so far, the
//! error is [`VersionGone`](ErrorKind::VersionGone), and there is a snapshot.
//!
//! ```no_run
//! # async fn example(client: hozo_client::Client) -> hozo_client::Result<()> {
//! use hozo_traits::{Position, Reader, Start, What};
//!
//! let reader = Reader { name: "a copy".to_owned(), acknowledges: true, ..Reader::default() };
//! let feed = client.feed(&reader).await?;
//! println!("server {} has {:?}", feed.server(), feed.dbms());
//!
//! let mut updates = feed.open(Start::After(Position::default()), reader).await?;
//! loop {
//!     // Nothing, every few seconds, if there is nothing.
//!     let part = updates.next(1 << 20).await?;
//!     for update in &part.updates {
//!         if let What::Records { dbm, effects, .. } = &update.what {
//!             println!("{}:{} {dbm} {effects:?}", update.origin, update.reach.seq);
//!         }
//!     }
//!     // Here it is put on stable storage; then:
//!     updates.acknowledge(&part.position, feed.epoch())?;
//! }
//! # }
//! ```
//!
//! A feed that ended, or from which nothing came for 10 seconds, is begun again
//! by who reads it: [`Connector`] connects to one server after another with the
//! same settings. [`Client::replication_status`], [`Client::follow`],
//! [`Client::unfollow`], [`Client::promote`], [`Client::conflicts`] and
//! [`Client::prune`] are for those who run the servers.
//!
//! # Errors
//!
//! Errors are [`Error`] with the [`ErrorKind`] that says what to do about it. A
//! missing record is no error, nor is one that is not to be overwritten: that is
//! an [`Outcome`]. The message is the server's; the error's context has the code
//! that it sent, under `status` if a database refused
//! (`INVALID_ARGUMENT_ERROR`) and under `grpc` if the call as such did
//! (`UNAUTHENTICATED`), and the server's address.
//!
//! | database's status | kind |
//! |---|---|
//! | `NOT_IMPLEMENTED_ERROR` | unsupported |
//! | `INVALID_ARGUMENT_ERROR` | invalid; too large, if the message begins so |
//! | `PERMISSION_ERROR` | denied |
//! | `INFEASIBLE_ERROR` | conflict |
//! | `BROKEN_DATA_ERROR` | corrupt |
//! | `SYSTEM_ERROR`, `PRECONDITION_ERROR`, `NETWORK_ERROR` | unavailable |
//! | `CANCELED_ERROR` | timed out |
//! | `UNKNOWN_ERROR`, `APPLICATION_ERROR` | internal |
//! | `NOT_FOUND_ERROR`, `DUPLICATION_ERROR` | not found, exists; an outcome where that is expected |
//!
//! | gRPC's code | kind |
//! |---|---|
//! | `UNAVAILABLE`, `CANCELLED` | unavailable |
//! | `DEADLINE_EXCEEDED` | timed out |
//! | `RESOURCE_EXHAUSTED` | busy; too large, if the message says so |
//! | `OUT_OF_RANGE` | too large |
//! | `INVALID_ARGUMENT` | invalid |
//! | `UNAUTHENTICATED`, `PERMISSION_DENIED` | unauthenticated, denied |
//! | `UNIMPLEMENTED`, `FAILED_PRECONDITION` | unsupported |
//! | `NOT_FOUND`, `ALREADY_EXISTS`, `ABORTED`, `DATA_LOSS` | not found, exists, conflict, corrupt |
//! | `INTERNAL`, `UNKNOWN`, what is no gRPC | internal |
//!
//! Where a server says the kind itself, in the trailer `hozo-error-kind`, that is
//! it. For feeds and the administration of replication `OUT_OF_RANGE` is version
//! gone, and `FAILED_PRECONDITION` read-only.
//!
//! # Deadlines and repeated calls
//!
//! Every call has a deadline, 30 seconds unless [`Builder::timeout`] or
//! [`Client::with_timeout`] says; the server is told. A wait that the server is
//! asked for comes on top. Streams have no deadline, the operations of a cursor
//! and of a scan have one each. After [`TimedOut`](ErrorKind::TimedOut) it is not
//! known whether the call was done.
//!
//! A call that the server cannot have seen, because there was no connection or it
//! refused the call unseen, is tried again, up to [`Builder::retries`] times,
//! with growing waits in between. A call that the server may have seen before the
//! connection broke, or that it answered with `UNAVAILABLE`, is tried again only
//! if doing it twice changes neither what is stored nor the answer, whatever
//! others do in between:
//!
//! | tried again | never |
//! |---|---|
//! | `get`, `contains`, `get_many`, `search`, `count`, `file_size`, `inspect`, `should_be_rebuilt`, `echo`, `health`, `replication_status`, `conflicts` | `append`, `append_many`, `increment`, `rekey`, `clear`, `rebuild` |
//! | `synchronise` without options | `synchronise` with options |
//! | | `set`, `set_many`, `remove`, `remove_many`, `compare_exchange`, `compare_exchange_many` |
//! | | `push_last`, `pop_first`, `change_master`, `follow`, `unfollow`, `promote`, `prune` |
//!
//! A `set` is among the second: done twice, it would overwrite what another
//! client set in between. A program that is alone with its keys can call it again.
//!
//! Nothing in a stream is ever sent again.
#![forbid(unsafe_code)]

mod address;
mod builder;
mod call;
mod client;
mod cursor;
mod dbm;
mod error;
mod follow;
mod health;
mod pipeline;
mod replication;
mod rpcs;
mod scan;
mod transport;

pub use builder::{Builder, Tls};
pub use client::{Client, DbmInfo};
pub use cursor::Cursor;
pub use dbm::{Dbm, ExchangeOptions, PopOptions, SearchMode};
pub use follow::Connector;
pub use health::HealthStatus;
pub use hozo_traits::{
    Desired, Error, ErrorKind, Exchanged, Expected, Outcome, PresentValue, Result, Retry,
};
pub use pipeline::{Answer, Pipeline};
pub use scan::{Records, ScanOptions};
