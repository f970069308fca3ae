//! The wire formats: what programs and servers say to each other.
//!
//! [`tkrzw_rpc`] is the DBM service that Tkrzw-RPC has and that its clients
//! speak, and [`hozo_v1`] what only we have: messages, client and server,
//! generated from `proto/tkrzw_rpc.proto` and `proto/hozo_v1.proto`.
//! Change those, then run `cargo run -p xtask -- proto`; what it writes to
//! `src/gen` is committed, so that a build needs no generator. [`StatusCode`] is
//! what the numbers in [`tkrzw_rpc::StatusProto`] mean.
#![forbid(unsafe_code)]

mod status;

// Of what is generated, the `oneof` fields, the methods and the nested items have
// no comments in the protocol to take, and its own style.
#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
#[path = "gen/tkrzw_rpc.rs"]
pub mod tkrzw_rpc;

// The fields of its messages are those of the traits, where their comments are.
#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
#[path = "gen/hozo.v1.rs"]
pub mod hozo_v1;

pub use status::{StatusCode, StatusText};

/// The descriptors of all services and messages, an encoded `FileDescriptorSet`:
/// for server reflection. Without comments and positions.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");
