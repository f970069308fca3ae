//! The command as a user runs it.

mod history;
mod moving;
mod names;
mod run;
mod shell;
mod start;
