//! `hozo dbm`

mod connect;
mod exchange;
mod export;
pub(crate) mod files;
mod import;
mod input;
mod list;
mod measured;
pub(super) mod output;
mod queue;
mod records;
mod refusal;
mod whole;

use crate::args::dbm::{Dbm, DbmCommand};
use crate::context::Context;
use crate::failure::Done;

/// Threads that drive the connection, and the server of a store that is opened
/// here. The command itself has the main thread.
const WORKERS: usize = 2;

pub(super) fn run(args: &Dbm, context: &mut Context) -> Done {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(dispatch(&args.command, &connect::To::new(&args.to), context))
}

async fn dispatch(command: &DbmCommand, to: &connect::To<'_>, context: &mut Context) -> Done {
    match command {
        DbmCommand::Get(args) => records::get(args, to, context).await,
        DbmCommand::Set(args) => records::set(args, to, context).await,
        DbmCommand::Append(args) => records::append(args, to, context).await,
        DbmCommand::Incr(args) => records::increment(args, to, context).await,
        DbmCommand::Remove(args) => records::remove(args, to, context).await,
        DbmCommand::Rekey(args) => records::rekey(args, to, context).await,
        DbmCommand::Cas(args) => exchange::run(args, to, context).await,
        DbmCommand::List(args) => list::list(args, to, context).await,
        DbmCommand::Search(args) => list::search(args, to, context).await,
        DbmCommand::Push(args) => queue::push(args, to, context).await,
        DbmCommand::Pop(args) => queue::pop(args, to, context).await,
        DbmCommand::Queue(args) => queue::either(args, to, context).await,
        DbmCommand::Import(args) => import::run(args, to, context).await,
        DbmCommand::Export(args) => export::run(args, to, context).await,
        DbmCommand::Count(_) => whole::count(to, context).await,
        DbmCommand::Inspect(args) => whole::inspect(args, to, context).await,
        DbmCommand::Clear(args) => whole::clear(args, to, context).await,
        DbmCommand::Rebuild(args) => whole::rebuild(args, to, context).await,
        DbmCommand::Sync(args) => whole::sync(args, to, context).await,
        DbmCommand::Echo(args) => whole::echo(args, to, context).await,
        DbmCommand::Health(_) => whole::health(to, context).await,
    }
}
