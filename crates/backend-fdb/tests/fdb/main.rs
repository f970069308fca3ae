//! What is FoundationDB's own: errors at every call, limits, time, and the process
//! that loads the client library. Over the test double.

mod control;
mod faults;
#[path = "../conformance/kit.rs"]
mod kit;
mod limits;
mod opening;
mod script;
