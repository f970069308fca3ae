//! `hozo repl`

mod change;
mod pages;
mod place;
mod pull;
mod status;

use hozo_client::{Client, Error, ErrorKind};

use super::remote;
use crate::args::repl::{Repl, ReplCommand};
use crate::args::server::Server;
use crate::context::Context;
use crate::failure::{Done, Failure};

/// Threads that drive the connection.
const WORKERS: usize = 2;

pub(super) fn run(args: &Repl, context: &mut Context) -> Done {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(dispatch(args, context))
}

async fn dispatch(Repl { server, command }: &Repl, context: &mut Context) -> Done {
    match command {
        ReplCommand::Status(args) => status::run(args, &client(server, context)?, context).await,
        ReplCommand::Follow(args) => change::follow(args, &client(server, context)?, context).await,
        ReplCommand::Promote(_) => change::promote(&client(server, context)?, context).await,
        ReplCommand::Unfollow(_) => change::unfollow(&client(server, context)?, context).await,
        ReplCommand::Conflicts(args) => {
            status::conflicts(args, &client(server, context)?, context).await
        }
        ReplCommand::Pull(args) => pull::run(args, server, context).await,
        ReplCommand::Prune(args) => change::prune(args, &client(server, context)?, context).await,
    }
}

/// The server that the options name, or that of the config.
fn client(server: &Server, context: &Context) -> Done<Client> {
    let address = match &server.address {
        Some(address) => address.clone(),
        None => place::of_config(context, remote::has_tls(server))?,
    };
    // The first call connects.
    remote::builder(server, &address)?.lazy().map_err(failure)
}

/// What a server refused, or why it could not be asked.
fn failure(error: Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::Unsupported => {
            Some("a server replicates if its config has a section [replication.NAME]")
        }
        ErrorKind::Unauthenticated | ErrorKind::Denied => {
            Some("--token-file FILE or HOZO_TOKEN says who asks")
        }
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
