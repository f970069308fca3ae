//! The command as a user runs it.

mod check;
mod dbm;
mod dbm_server;
mod history;
mod moving;
mod names;
mod repl;
mod run;
mod serve;
mod served;
mod shell;
mod start;
mod token;
mod ulog;
