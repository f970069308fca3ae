//! A copy of a server's DBMs, brought up to date.

mod new_copy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hozo::pages::format_time;
use hozo::traits::{FollowState, ReplicationStatus, Replicator, SourceStatus, Timestamp};
use hozo::{Plan, Registry};
use indicatif::ProgressBar;
use serde_json::json;

use super::{failure, pages, status};
use crate::args::repl::Pull;
use crate::args::server::Server;
use crate::context::{CONFIG_FILE, Context};
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

/// How often it is looked how far it is.
const EVERY: Duration = Duration::from_millis(20);
/// For so long it is tried to reach the source, unless the options say otherwise.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) async fn run(args: &Pull, server: &Server, context: &mut Context) -> Done {
    let file = args.to.join(CONFIG_FILE);
    if !file.exists() {
        let address = server.address.as_deref().ok_or_else(|| {
            let message = format!("{} is no copy yet: of which server?", args.to.display());
            Failure::new(exit::USAGE, message).hint("--address HOST:PORT or --address unix:PATH")
        })?;
        new_copy::make(args, server, address, &file).await?;
    }
    let plan = Plan::from_file(&file, &Registry::builtin())?;
    if plan.replication().and_then(|replication| replication.follow()).is_none() {
        let message = format!("{} follows nobody, so it is no copy", file.display());
        return Err(Failure::new(exit::CONFIG, message));
    }
    let stack = context.stack_of(plan);
    let replicator = stack.replicator()?.ok_or_else(|| {
        Failure::new(exit::CONFIG, format!("{} has no replication", file.display()))
    })?;
    if let Some(address) = &server.address
        && replicator.status().source.is_none_or(|source| source.address != *address)
    {
        replicator.follow(address, 0).await.map_err(failure)?;
    }
    let begun = updates(&replicator.status());
    let pulled = pull(args, server, &replicator, begun, context).await;
    // Also where it was broken off: what has arrived stays.
    let status = replicator.status();
    let stopped = replicator.stop().await;
    let up_to_date = pulled?;
    stopped?;
    // By now all that has arrived is durable.
    let now = ReplicationStatus { source: status.source, ..replicator.status() };
    let items = updates(&now).saturating_sub(begun);
    say(args, &now, items, up_to_date, context)
}

/// Follows until it has everything and nothing more came, or enough has come since there
/// were `begun` updates: whether that was everything.
async fn pull(
    args: &Pull,
    server: &Server,
    replicator: &Arc<dyn Replicator>,
    begun: u64,
    context: &Context,
) -> Done<bool> {
    let bar = progress::records(context, "copying");
    let patience = server.timeout.map_or(CONNECT, Duration::from_secs_f64);
    let wait = Duration::from_secs_f64(args.wait);
    let (mut reached, mut quiet_since) = (Instant::now(), None);
    let mut last = (0, None);
    loop {
        let status = replicator.status();
        let items = updates(&status).saturating_sub(begun);
        let now = (items, status.pages.iter().map(|store| store.durable).max());
        if now != last {
            (last, quiet_since) = (now, None);
        }
        if args.items.is_some_and(|enough| items >= enough) {
            return Ok(status.source.is_some_and(|source| has_all(&source)));
        }
        if let Some(why) = status.pages.iter().find_map(pages::stopped) {
            return Err(Failure::new(exit::CONFLICT, "the copy cannot go on").because(why));
        }
        match &status.source {
            Some(source) if source.state == FollowState::Stopped => return Err(stopped(source)),
            Some(source) if source.state == FollowState::Connecting => {
                if reached.elapsed() >= patience {
                    return Err(unreached(source));
                }
            }
            Some(source) => {
                reached = Instant::now();
                show(&bar, source, items);
                if has_all(source) && status.pages.iter().all(pages::is_whole) {
                    let since = *quiet_since.get_or_insert(reached);
                    if since.elapsed() >= wait {
                        return Ok(true);
                    }
                } else {
                    quiet_since = None;
                }
            }
            // It is about to begin.
            None if reached.elapsed() < patience => {}
            None => return Err(Failure::new(exit::FAILED, "there is nobody to copy from")),
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn updates(status: &ReplicationStatus) -> u64 {
    status.head.iter().map(|(_, reach)| reach.seq).sum()
}

fn has_all(source: &SourceStatus) -> bool {
    source.state == FollowState::Following && source.error.is_none() && source.behind == 0
}

fn show(bar: &ProgressBar, source: &SourceStatus, items: u64) {
    let (done, of) = source.loaded.unwrap_or((items, items + source.behind));
    bar.set_length(of.max(done));
    bar.set_position(done);
}

fn stopped(source: &SourceStatus) -> Failure {
    let why = source.error.clone().unwrap_or_default();
    Failure::new(exit::CONFLICT, "the copy cannot go on").because(why)
}

fn unreached(source: &SourceStatus) -> Failure {
    let message = format!("{} cannot be reached", source.address);
    Failure::new(exit::FAILED, message).because(source.error.clone().unwrap_or_default())
}

fn say(
    args: &Pull,
    status: &ReplicationStatus,
    items: u64,
    up_to_date: bool,
    context: &mut Context,
) -> Done {
    let source = status.source.as_ref().map(|source| source.address.as_str());
    let newest = (status.newest > Timestamp::default()).then(|| format_time(status.newest));
    if context.json {
        return context.write_json(&json!({
            "dir": args.to,
            "source": source,
            "head": status::position(&status.head),
            "newest": newest,
            "items": items,
            "up_to_date": up_to_date,
        }));
    }
    let what = match up_to_date {
        true => "has everything",
        false => "is on the way: run it again to go on",
    };
    let newest = newest.map_or_else(String::new, |time| format!(", the newest of {time}"));
    context.remark(format!("{} {what}; {items} updates came{newest}", args.to.display()));
    Ok(())
}
