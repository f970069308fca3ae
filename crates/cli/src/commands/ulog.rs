//! `hozo ulog`

mod dump;
mod files;
mod verify;

use hozo::repl::offline::UlogDir;

use crate::args::ulog::{Directory, Ulog};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

pub(super) fn run(command: &Ulog, context: &mut Context) -> Done {
    match command {
        Ulog::List(args) => files::list(args, context),
        Ulog::Dump(args) => dump::run(args, context),
        Ulog::Verify(args) => verify::run(args, context),
        Ulog::Prune(args) => files::prune(args, context),
    }
}

/// The log that is named, or the config's.
fn open(of: &Directory, context: &Context) -> Done<UlogDir> {
    if let Some(dir) = &of.dir {
        return Ok(UlogDir::open(dir)?);
    }
    let plan = context.plan()?;
    let Some(replication) = plan.replication() else {
        return Err(Failure::new(
            exit::CONFIG,
            "the config has no [replication.NAME], and so no log",
        )
        .hint("the directory of a log can be given, too"));
    };
    Ok(UlogDir::open(replication.dir())?)
}
