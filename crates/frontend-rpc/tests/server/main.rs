//! The server over real sockets: who may come, what they may do, and what
//! becomes of those who mean harm.

mod auth;
mod health;
mod hostile;
mod kit;
mod limits;
mod listen;
mod reflection;
mod replication;
mod stop;
mod tls;
