//! `hozo serve`

mod pid_file;
mod signals;
mod systemd;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hozo::traits::{Error, ErrorKind, Health};
use hozo::{Plan, Serving, Stack};
use serde_json::json;

use self::pid_file::PidFile;
use self::signals::{Signal, Signals};
use crate::args::serve::Serve;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::logging;

/// How often the frontends are asked how they are.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// What is accepted may be finished for as long as each frontend's own
/// `stop_timeout_s` says; this is only so that there is an end.
const STOP_MAX: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(args: &Serve, context: &mut Context) -> Done {
    logging::start(args.log, args.log_level, logging::To::of(args.log_file.as_deref()))?;
    let stack = context.stack_to_serve()?;
    if !stack.plan().frontends().iter().any(|frontend| frontend.is_served()) {
        return Err(nothing_to_serve(context));
    }
    serve(&stack, args.pid_file.as_deref(), || Ok(()), context)
}

/// Serves until somebody says stop; `started` is done when everything has started
/// and that was said.
pub(super) fn serve(
    stack: &Stack,
    pid_file: Option<&Path>,
    started: impl FnOnce() -> Done,
    context: &mut Context,
) -> Done {
    // Before anything starts: who is told to stop meanwhile should not be killed.
    let signals = Signals::catch()?;
    tracing::debug!("opening stores and starting frontends");
    let serving = stack.serve().map_err(not_started)?;
    let _pid_file = pid_file.map(PidFile::write).transpose()?;
    if announce(context, stack, &serving).is_err() {
        // Whoever started it may not read this, and wants it to serve all the same.
        tracing::warn!("what listens where could not be written to standard output");
    }
    started()?;
    systemd::ready_with(&places(&serving));
    until_told(&serving, &signals);
    tracing::info!("stopping");
    systemd::stopping();
    // Requests that were broken off are a failure, too: who made them is to look whether
    // they were done.
    serving.stop(STOP_MAX).map_err(|error| Failure::from(error).when("stopping"))
}

/// Serves until somebody says stop.
///
/// A frontend that says that it fails goes on: reading may still work where a
/// disk is full, and who watches it is told by its own health service.
fn until_told(serving: &Serving, signals: &Signals) {
    let mut known = Health::Serving;
    loop {
        match signals.next(HEALTH_EVERY) {
            Some(Signal::Stop) => return,
            Some(Signal::Reload) => reload(serving, &known),
            None => {}
        }
        let health = serving.health();
        if health == known {
            continue;
        }
        match &health {
            Health::Failed(why) => tracing::error!(%why, "nothing is served as it should be"),
            Health::Degraded(why) => {
                tracing::warn!(%why, "not everything is served as it should be");
            }
            Health::Serving => tracing::info!("everything is served again"),
        }
        systemd::status(&status(serving, &health));
        known = health;
    }
}

/// What there is to say about it in one line.
fn status(serving: &Serving, health: &Health) -> String {
    match health {
        Health::Failed(why) => format!("failed: {why}"),
        Health::Degraded(why) => format!("degraded: {why}"),
        Health::Serving => places(serving),
    }
}

/// Each frontend says itself what it read again. systemd has one way to be told that
/// reading again is over, and its user sees from the status how it went.
fn reload(serving: &Serving, health: &Health) {
    systemd::reloading();
    logging::reopen();
    let now = status(serving, health);
    let now = match serving.reload() {
        Ok(()) => now,
        Err(error) => {
            tracing::error!(%error, "what was to be read again is as it was before");
            format!("reading again failed, and all is as before: {error}; {now}")
        }
    };
    systemd::ready_with(&now);
}

/// Says what listens where.
fn announce(context: &mut Context, stack: &Stack, serving: &Serving) -> Done {
    let plan = stack.plan();
    if context.json {
        let frontends: Vec<_> = serving
            .endpoints()
            .iter()
            .map(|(kind, endpoint)| {
                json!({
                    "kind": kind,
                    "listen": endpoint.at.to_string(),
                    "protection": endpoint.protection,
                })
            })
            .collect();
        let dbms: Vec<_> = plan
            .dbms()
            .iter()
            .map(|dbm| {
                json!({
                    "name": dbm.name(),
                    "store": dbm.store(plan).name(),
                    "backend": dbm.store(plan).backend(),
                    "durability": dbm.durability_name(),
                })
            })
            .collect();
        context.write_json(&json!({ "frontends": frontends, "dbms": dbms }))?;
    } else {
        let dbms = dbms(plan);
        for (kind, endpoint) in serving.endpoints() {
            writeln!(context.out, "{kind} on {}, {}: {dbms}", endpoint.at, endpoint.protection)?;
        }
    }
    // Whoever waits for these lines waits for them now.
    Ok(context.out.flush()?)
}

/// `casket in main (hashdbm), log in fast (memory, durable)`
fn dbms(plan: &Plan) -> String {
    let shown = plan.dbms().iter().map(|dbm| {
        let store = dbm.store(plan);
        let durable = match dbm.durability_name() {
            "sequenced" => String::new(),
            name => format!(", {name}"),
        };
        format!("{} in {} ({}{durable})", dbm.name(), store.name(), store.backend())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// `serving on 127.0.0.1:1978, unix:/run/hozo/dbm.sock`
fn places(serving: &Serving) -> String {
    let places = serving.endpoints().into_iter().map(|(_, endpoint)| endpoint.at.to_string());
    format!("serving on {}", places.collect::<Vec<_>>().join(", "))
}

fn nothing_to_serve(context: &Context) -> Failure {
    let file = context.config_file();
    let example = "write below its stores, for a DBM on this machine alone:\n\n\
        [[dbm]]\nname = \"casket\"\n\n\
        [[frontend]]\nkind = \"rpc\"\nlisten = \"127.0.0.1:1978\"\n";
    Failure::new(exit::CONFIG, format!("{} has no frontend to serve", file.display())).hint(example)
}

fn not_started(error: Error) -> Failure {
    let busy = error.kind() == ErrorKind::Busy;
    let store = error.context().iter().any(|(about, _)| *about == "store");
    let failure = Failure::from(error);
    if busy && store {
        return failure.hint("one process at a time has a store; stop that one first");
    }
    failure
}
