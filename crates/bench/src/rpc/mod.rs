//! Applies load to a server of the DBM service, Hozo's or any other that speaks
//! Tkrzw-RPC's protocol, and measures it from the client's side.
//!
//! The client has to be cheap: it shares the machine with the server in most
//! runs, and what it uses the server lacks. So it is not one of the usual
//! clients: each connection is one HTTP/2 connection, driven without the layers
//! of a channel; requests are encoded once and only their keys and values are put
//! in; few threads have many connections each. Every answer is checked all the
//! same, to the last byte of a value: what is quick and wrong is an error.
//!
//! A [`Run`](run::Run) makes trials of cases on servers, one
//! after the other and round by round, and answers a [`Report`](report::Report).

mod call;
pub mod case;
mod connection;
mod drive;
mod inspect;
pub mod lag;
mod lane;
mod pace;
mod probe;
mod process;
mod records;
pub mod replication;
pub mod report;
mod requests;
pub mod run;
pub mod server;
pub mod started;
mod stock;
mod stream;
pub mod table;
mod tally;
mod trouble;
