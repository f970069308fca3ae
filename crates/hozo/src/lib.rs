//! Hozo in a Rust program: one config file, its stores, and SQLite over them.
//! Connections come from the crate `hozo-embedded`, or from an SQLite that is
//! there already, through [`vfs`].
//!
//! From text to running parts in four steps, each to be seen by itself:
//!
//! 1. the text is parsed, and every key and value keeps its place in it;
//! 2. sections become typed settings;
//! 3. settings are checked against the [`Registry`] of backends and against the
//!    directories that they name, and become a [`Plan`];
//! 4. a plan is opened as a [`Stack`].
//!
//! Steps one to three collect everything that is wrong before they give up, as
//! [`Problems`]: each with file, line, column, what was probably meant and the
//! names that exist.
//!
//! # The config
//!
//! TOML; relative paths are relative to the file; unknown keys are errors.
//!
//! | section | key | meaning |
//! |---|---|---|
//! | `[store.NAME]` | `backend` | `hashdbm`, `memory`, `fdb`, `rocksdb` and `sled` with the cargo feature of the name, or one that the program registered |
//! | | `path` | the store's directory, for backends that have one; made when first opened |
//! | | others | the backend's: the fields of its `Config` |
//! | `[[namespace]]` | `match` | the names that this is about, as a [`Pattern`] |
//! | | `store` | where they are; the first store unless given |
//! | | `concurrency` | `serial` or `optimistic`, instead of what each was created with |
//! | | `page_size` | that new ones start with, 512 to 65536; 4096 unless given |
//! | `[[dbm]]` | `name` | a DBM that frontends serve; their order is the index that clients may choose one by |
//! | | `store` | where it is; the first store unless given |
//! | | `durability` | of an update before it is answered: `sequenced`, unless given, or `durable` |
//! | `[replication.NAME]` | `kind` | `ulog`: all DBMs of the config have one update log, which other servers may follow. One section at most |
//! | | `server_id` | this server, from 1 to 2147483647; no other of those that replicate has it |
//! | | `dir` | the log's directory, of its own; made when first opened |
//! | | `follow` | the server whose updates are applied here: `http://HOST:PORT`, `https://HOST:PORT`, `HOST:PORT` or `unix:PATH` |
//! | | `role` | with `follow`: `follower`, unless given, whose clients only read, or `master`, one of two |
//! | | `home` | of two masters, whether this one takes commits of namespaces; `false` unless given |
//! | | `namespaces` | the stores whose namespaces are replicated, as in `["main"]`; those that `[[namespace]]` rules name unless given |
//! | | `acknowledge` | whether it counts as a follower: for `ack`, and for what the source's log keeps; `true` unless given |
//! | | `ack` | how many followers have an update or a commit on stable storage before it is answered; 0 unless given, at most 100 |
//! | | `ack_timeout_ms` | how long that may take; 5000 unless given |
//! | | `segment_bytes` | of the first files of a new log: a power of two from 64 KiB to 1 GiB, 64 MiB unless given; later ones grow with it, to 256 MiB |
//! | | `keep` | how old updates become before they are removed: `7d` unless given, as in `12h` or `1w2d`; what followers still need is kept beyond that |
//! | | `keep_bytes` | of the log, whatever followers need; 10 GiB unless given |
//! | | `follow_token` or `follow_token_file` | the token that is shown to the source |
//! | | `follow_ca`, `follow_cert`, `follow_key` | files in PEM: who vouches for the source, and what is shown to it |
//! | | `timestamp_skew_ms` | moves the moment from which a Tkrzw server is followed; 0 unless given |
//! | `[cache]` | `bytes` | of pages, for all databases of a process; 64 MiB unless given |
//! | `[[frontend]]` | `kind` | `vfs`, `rpc` with the cargo feature of the name, or one that the program registered |
//! | | others | the frontend's: the fields of its `Config` |
//!
//! [`Stack`] says which names are namespaces.
//!
//! One file serves every process of a stack. Those that do not serve use
//! [`Registry::builtin`], which leaves `[[frontend]]` sections alone that are
//! another process's; the one that does uses [`Registry::serving`] and
//! [`Stack::serve`].
//!
//! Nothing is opened before it is needed: a [`Stack`] costs no file and no
//! thread until the first name is looked up in a store, and after a fork the
//! child opens its stores anew.
#![forbid(unsafe_code)]

mod checkup;
mod homes;
mod lazy;
mod pattern;
mod plan;
mod problem;
mod process;
mod registry;
#[cfg(feature = "rpc")]
mod replication;
mod secret;
mod section;
mod serving;
mod settings;
mod stack;
mod text;

#[cfg(feature = "rpc")]
pub use hozo_frontend_rpc as rpc;
pub use hozo_frontend_vfs as vfs;
pub use hozo_pages as pages;
pub use hozo_repl as repl;
pub use hozo_traits as traits;

pub use checkup::{CheckProgress, CheckStore, CheckedPart, Checkup};
pub use lazy::LazyStack;
pub use pattern::Pattern;
pub use plan::{DbmPlan, FrontendPlan, NamespaceRule, Plan, ReplicationPlan, StorePlan};
pub use problem::{Problem, Problems};
pub use registry::{BuildFrontend, BuiltFrontend, DEFAULT_BACKEND, OpenStore, Registry};
pub use secret::Secret;
pub use serving::Serving;
pub use stack::Stack;
