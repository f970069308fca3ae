//! The client of a command: of a server, or of the config's own store.

use std::sync::Arc;
use std::time::Duration;

use hozo::traits::{Dbm as Served, Durability, Error, ErrorKind, Parts, SystemAmbient};
use hozo::{DbmPlan, Stack, rpc};
use hozo_client::{Client, Dbm};
use hozo_proto::StatusCode;

use super::input::Input;
use super::refusal::{failure, refusal};
use crate::args::dbm::Connection;
use crate::commands::remote;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

/// How long a call may take whose work grows with the DBM, unless --timeout says.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The largest message that is taken: a search of a large DBM has many keys.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Where a command goes.
pub(super) struct To<'a> {
    args: &'a Connection,
}

impl<'a> To<'a> {
    pub(super) fn new(args: &'a Connection) -> To<'a> {
        To { args }
    }

    /// Whether keys and values are hex digits.
    pub(super) fn hex(&self) -> bool {
        self.args.hex
    }

    pub(super) fn input(&self) -> Input {
        Input { hex: self.args.hex }
    }

    /// Whether the server is meant, instead of one of its DBMs.
    pub(super) fn is_server(&self) -> bool {
        self.args.index.is_some_and(|index| index < 0)
    }

    /// The DBM, for people.
    pub(super) fn shown(&self) -> String {
        match (&self.args.dbm, self.args.index) {
            (Some(name), _) => format!("the DBM {name}"),
            (None, index) => format!("the DBM with index {}", index.unwrap_or(0)),
        }
    }

    /// The DBM, whose calls may take as long as --timeout says.
    pub(super) async fn dbm(&self, context: &Context) -> Done<Dbm> {
        let Some(address) = &self.args.server.address else {
            let stack = self.stack(context)?;
            let dbm = self.here(&stack)?;
            return Ok(self.local(vec![dbm])?.dbm(0));
        };
        let client = self.remote(address)?;
        match (&self.args.dbm, self.args.index) {
            (Some(_), Some(_)) => Err(both()),
            (Some(name), None) => client.dbm_named(name).await.map_err(failure),
            (None, index) => Ok(client.dbm(index.unwrap_or(0))),
        }
    }

    /// The DBM for calls whose work grows with it.
    pub(super) fn patient(&self, dbm: &Dbm) -> Dbm {
        if self.args.server.timeout.is_some() { dbm.clone() } else { dbm.with_timeout(PATIENCE) }
    }

    /// The server, with all DBMs.
    pub(super) fn server(&self, context: &Context) -> Done<Client> {
        if let Some(address) = &self.args.server.address {
            return self.remote(address);
        }
        let stack = self.stack(context)?;
        let dbms = stack.plan().dbms().iter().map(|dbm| stack.dbm(dbm));
        self.local(dbms.collect::<Result<_, _>>().map_err(held)?)
    }

    /// The server, and the name of the DBM if one is meant.
    pub(super) async fn named(&self, context: &Context) -> Done<(Client, Option<String>)> {
        let client = self.server(context)?;
        let name = match (&self.args.dbm, self.args.index) {
            (Some(_), Some(_)) => return Err(both()),
            (Some(name), None) => Some(name.clone()),
            (None, Some(index)) if index >= 0 => {
                let dbms = client.dbms().await.map_err(failure)?;
                let Some(dbm) = dbms.into_iter().find(|dbm| dbm.index == index) else {
                    let message = format!("there is no DBM with index {index}");
                    return Err(refusal(StatusCode::NotFoundError, message));
                };
                Some(dbm.name)
            }
            (None, _) => None,
        };
        Ok((client, name))
    }

    fn remote(&self, address: &str) -> Done<Client> {
        if self.args.store.is_some() {
            let message = "--store is about the config's stores; a server has DBMs: --dbm, --index";
            return Err(Failure::new(exit::USAGE, message));
        }
        let builder = remote::builder(&self.args.server, address)?;
        // The first call connects: what needs no token needs none here.
        builder.max_message_bytes(MESSAGE_BYTES_MAX).lazy().map_err(failure)
    }

    /// The config's stack, where no server is asked.
    fn stack(&self, context: &Context) -> Done<Arc<Stack>> {
        if remote::is_shown_who_asks(&self.args.server) {
            let message = "a token or a certificate is for a server, and there is no --address";
            return Err(Failure::new(exit::USAGE, message));
        }
        context.stack()
    }

    fn local(&self, dbms: Vec<Served>) -> Done<Client> {
        let parts = Parts { dbms, replication: None, ambient: Arc::new(SystemAmbient) };
        let builder = remote::timeouts(&self.args.server, Client::builder(""));
        builder.max_message_bytes(MESSAGE_BYTES_MAX).over(rpc::local(parts)?).map_err(failure)
    }

    /// The DBM of the config that the options name, opened here.
    fn here(&self, stack: &Stack) -> Done<Served> {
        let dbms = stack.plan().dbms();
        if let Some(store) = &self.args.store {
            return self.of_store(stack, store);
        }
        let known = || dbms.iter().map(DbmPlan::name).collect::<Vec<_>>().join(", ");
        let found = match (&self.args.dbm, self.args.index) {
            (Some(_), Some(_)) => return Err(both()),
            _ if dbms.is_empty() => {
                return Err(Failure::new(exit::CONFIG, "the config has no [[dbm]]").hint(
                    "--store NAME --dbm NAME opens one of a store; --address asks a server",
                ));
            }
            (Some(name), None) => dbms.iter().find(|dbm| dbm.name() == name).ok_or_else(|| {
                Failure::new(
                    exit::NOT_FOUND,
                    format!("the config has no [[dbm]] {name}; there are {}", known()),
                )
                .hint("--store NAME names the store of one that the config does not have")
            }),
            (None, index) => {
                let index = index.unwrap_or(0);
                let place = usize::try_from(index).ok().and_then(|index| dbms.get(index));
                place.ok_or_else(|| {
                    let message = format!(
                        "the config has no [[dbm]] at {index}; there are {}, from 0 on: {}",
                        dbms.len(),
                        known()
                    );
                    Failure::new(exit::NOT_FOUND, message)
                })
            }
        };
        stack.dbm(found?).map_err(held)
    }

    fn of_store(&self, stack: &Stack, store: &str) -> Done<Served> {
        let Some(name) = &self.args.dbm else {
            let message = "--store needs --dbm NAME: which DBM of the store";
            return Err(Failure::new(exit::USAGE, message));
        };
        if self.args.index.is_some() {
            return Err(both());
        }
        // As the config says, where it says something about just this one.
        let planned = stack
            .plan()
            .dbms()
            .iter()
            .find(|dbm| dbm.name() == name && dbm.store(stack.plan()).name() == store);
        if let Some(planned) = planned {
            return stack.dbm(planned).map_err(held);
        }
        let records = stack.records(store, name).map_err(held)?;
        let path = stack.plan().stores().iter().find(|plan| plan.name() == store);
        Ok(Served {
            name: name.clone(),
            store: store.to_owned(),
            records,
            durability: Durability::Sequenced,
            path: path.and_then(|plan| plan.path()).map(ToOwned::to_owned),
        })
    }
}

fn both() -> Failure {
    Failure::new(exit::USAGE, "--dbm and --index both say which DBM: give one of them")
}

/// Says what to do about a store that somebody else has open.
fn held(error: Error) -> Failure {
    let busy = error.kind() == ErrorKind::Busy;
    let failure = Failure::from(error);
    match busy {
        true => failure.hint(
            "if that is `hozo serve`, ask it with --address; `hozo check` shows where it listens",
        ),
        false => failure,
    }
}
