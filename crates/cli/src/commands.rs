//! One module a command.

mod bench;
mod check;
mod completions;
mod copy;
pub(crate) mod dbm;
mod dbm_server;
mod doctor;
mod env;
mod export;
mod import;
mod init;
mod log;
mod new_file;
mod ns;
mod preload;
mod remote;
mod repl;
mod serve;
mod sql;
mod token;
mod toml;
mod ulog;
mod view;

use crate::args::token::Token;
use crate::args::{Command, Ns};
use crate::context::Context;
use crate::failure::Done;

pub(crate) use log::newest;
pub(crate) use view::{connect, open_target};

/// Runs a command.
pub(crate) fn run(command: Command, context: &mut Context) -> Done {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Ns(Ns::Create(args)) => ns::create(&args, context),
        Command::Ns(Ns::List(args)) => ns::list(&args, context),
        Command::Ns(Ns::Stat(args)) => ns::stat(&args, context),
        Command::Ns(Ns::Rename(args)) => ns::rename(&args, context),
        Command::Ns(Ns::Delete(args)) => ns::delete(&args, context),
        Command::Ns(Ns::Log(args)) => log::run(&args, context),
        Command::Sql(args) => sql::run(&args, context),
        Command::Import(args) => import::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Env(args) => env::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Dbm(args) => dbm::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::DbmServer(args) => dbm_server::run(&args, context),
        Command::Repl(args) => repl::run(&args, context),
        Command::Token(Token::New(args)) => token::new(&args, context),
        Command::Token(Token::List(args)) => token::list(&args, context),
        Command::Ulog(args) => ulog::run(&args, context),
        Command::Bench(args) => bench::run(&args, context),
        Command::Completions { shell } => completions::run(shell, context),
    }
}
