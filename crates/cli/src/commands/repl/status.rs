//! How replication is on a server.

use std::io::Write;
use std::time::{Duration, Instant};

use hozo::pages::format_time;
use hozo::traits::{
    Ambient, ConflictReport, FollowState, FollowerStatus, Position, ReplicationStatus,
    SourceStatus, SystemAmbient, Timestamp,
};
use hozo_client::{Client, ErrorKind};
use serde_json::{Value, json};

use super::{failure, pages};
use crate::args::repl::{Conflicts, Status};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

/// How often a server is asked that is waited for.
const EVERY: Duration = Duration::from_millis(50);

pub(super) async fn run(args: &Status, client: &Client, context: &mut Context) -> Done {
    let status = match args.wait {
        None => client.replication_status().await.map_err(failure)?,
        Some(seconds) => settled(client, Duration::from_secs_f64(seconds), args.followers).await?,
    };
    let waited = args.wait.is_some();
    if context.json {
        context.write_json(&view(&status))?;
    } else {
        show(&status, context)?;
    }
    match judge(&status) {
        exit::OK if waited && !is_settled(&status, args.followers) => {
            Err(Failure::new(exit::FAILED, "the time is over, and not everything is everywhere"))
        }
        exit::OK => Ok(()),
        code => Err(Failure::quiet(code)),
    }
}

/// The status when everything is everywhere, when waiting is of no use any more, or
/// when the time is over.
async fn settled(client: &Client, within: Duration, followers: usize) -> Done<ReplicationStatus> {
    let begin = Instant::now();
    loop {
        let status = client.replication_status().await;
        let over = begin.elapsed() >= within;
        match status {
            Ok(status) => {
                let stuck = judge(&status) == exit::CONFLICT;
                if over || stuck || is_settled(&status, followers) {
                    return Ok(status);
                }
            }
            // It may be about to start.
            Err(error) if !over && error.kind() == ErrorKind::Unavailable => {}
            Err(error) => return Err(failure(error)),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether the server has all that its source has, and its followers all that it has.
fn is_settled(status: &ReplicationStatus, followers: usize) -> bool {
    let has_all = |source: &SourceStatus| {
        source.state == FollowState::Following && source.error.is_none() && source.behind == 0
    };
    let mut connected = status.followers.iter().filter(|follower| follower.connected);
    let there = connected.clone().filter(|follower| follower.has.is_some()).count();
    status.source.as_ref().is_none_or(has_all)
        && there >= followers
        && connected.all(|follower| follower.behind == 0)
        && status.pages.iter().all(|store| pages::is_settled(store, followers))
}

/// The exit code.
fn judge(status: &ReplicationStatus) -> u8 {
    let state = status.source.as_ref().map(|source| (source.state, source.error.is_some()));
    match state {
        _ if status.fenced.is_some() => exit::CONFLICT,
        Some((FollowState::Stopped, _)) => exit::CONFLICT,
        _ if status.pages.iter().any(pages::is_stuck) => exit::CONFLICT,
        Some((FollowState::Connecting, true)) => exit::FAILED,
        _ if status.pages.iter().any(pages::is_interrupted) => exit::FAILED,
        _ => exit::OK,
    }
}

fn show(status: &ReplicationStatus, context: &mut Context) -> Done {
    let now = SystemAmbient.now();
    let mut role = status.role.as_str().to_owned();
    if let Some(why) = &status.fenced {
        role = format!("{role}, takes no writes: {why}");
    }
    let mut head = status.head.to_string();
    if status.newest > Timestamp::default() {
        head = format!("{head}, {}", output::time(now, status.newest));
    }
    let mut facts = vec![
        ("server", status.server.to_string()),
        ("role", role),
        ("epoch", status.epoch.to_string()),
        ("updates", head),
        ("log", output::size(status.log_bytes)),
    ];
    if status.ack > 0 {
        facts.push(("ack", format!("{} of its followers", status.ack)));
    }
    if let Some(source) = &status.source {
        facts.extend(source_facts(source));
    }
    facts.push(("conflicts", status.conflicts.to_string()));
    write!(context.out, "{}", output::facts(&facts))?;
    if !status.followers.is_empty() {
        writeln!(context.out, "\n{}", followers(&status.followers))?;
    }
    if !status.pages.is_empty() {
        writeln!(context.out, "\n{}", pages::list(&status.pages))?;
    }
    for store in &status.pages {
        if let Some(error) = store.source.as_ref().and_then(|source| source.error.as_ref()) {
            writeln!(context.out, "{}: {error}", store.store)?;
        }
    }
    Ok(())
}

fn source_facts(source: &SourceStatus) -> Vec<(&'static str, String)> {
    let mut name = source.address.clone();
    if let Some(server) = source.server {
        name = format!("{name} (server {server})");
    }
    let mut state = source.state.as_str().to_owned();
    if let (FollowState::Loading, Some((loaded, of))) = (source.state, source.loaded) {
        state = format!("{state}, {loaded} of about {of} records");
    }
    if source.state == FollowState::Following {
        state = match source.behind {
            0 => format!("{state}, has everything"),
            behind => format!("{state}, {behind} updates behind, {:.1?}", source.lag),
        };
    }
    let mut facts = vec![("source", name), ("state", state)];
    if let Some(error) = &source.error {
        facts.push(("error", error.clone()));
    }
    facts
}

fn followers(followers: &[FollowerStatus]) -> String {
    let row = |follower: &FollowerStatus| {
        [
            follower.server.map_or_else(|| "-".to_owned(), |server| server.to_string()),
            follower.name.clone(),
            if follower.connected { "connected" } else { "gone" }.to_owned(),
            follower.has.as_ref().map_or_else(|| "-".to_owned(), Position::to_string),
            follower.has.as_ref().map_or_else(|| "-".to_owned(), |_| follower.behind.to_string()),
        ]
    };
    let header = ["FOLLOWER", "NAME", "STATE", "HAS", "BEHIND"];
    output::list(header, &[0, 4], followers.iter().map(row))
}

fn view(status: &ReplicationStatus) -> Value {
    let source = status.source.as_ref().map(|source| {
        json!({
            "address": source.address,
            "server": source.server.map(|server| server.get()),
            "state": source.state.as_str(),
            "error": source.error,
            "behind": source.behind,
            "lag_s": source.lag.as_secs_f64(),
            "loaded": source.loaded.map(|(loaded, _)| loaded),
            "of": source.loaded.map(|(_, of)| of),
        })
    });
    let follower = |follower: &FollowerStatus| {
        json!({
            "server": follower.server.map(|server| server.get()),
            "name": follower.name,
            "connected": follower.connected,
            "has": follower.has.as_ref().map(position),
            "behind": follower.behind,
        })
    };
    json!({
        "ok": judge(status) == exit::OK,
        "server": status.server.get(),
        "kind": status.kind,
        "role": status.role.as_str(),
        "takes_writes": status.role.takes_writes() && status.fenced.is_none(),
        "epoch": status.epoch,
        "fenced": status.fenced,
        "head": position(&status.head),
        "newest": (status.newest > Timestamp::default()).then(|| format_time(status.newest)),
        "log_bytes": status.log_bytes,
        "source": source,
        "followers": status.followers.iter().map(follower).collect::<Vec<_>>(),
        "ack": status.ack,
        "conflicts": status.conflicts,
        "namespaces": status.pages.iter().map(pages::view).collect::<Vec<_>>(),
    })
}

/// `[{"server": 1, "updates": 500}]`
pub(super) fn position(position: &Position) -> Value {
    let reach = position.iter();
    reach.map(|(server, reach)| json!({ "server": server.get(), "updates": reach.seq })).collect()
}

pub(super) async fn conflicts(args: &Conflicts, client: &Client, context: &mut Context) -> Done {
    let found = client.conflicts(args.limit).await.map_err(failure)?;
    if context.json {
        let views: Vec<Value> = found.iter().map(conflict).collect();
        return context.write_json(&views);
    }
    if found.is_empty() {
        return Ok(writeln!(context.out, "none")?);
    }
    let row = |report: &ConflictReport| {
        let of = |(server, time): (hozo::traits::ServerId, Timestamp)| {
            format!("server {server}, {}", format_time(time))
        };
        let key = match &report.key {
            Some(key) => String::from_utf8_lossy(key).into_owned(),
            None => "(all records)".to_owned(),
        };
        [format_time(report.found), report.dbm.to_string(), key, of(report.kept), of(report.lost)]
    };
    let header = ["FOUND", "DBM", "KEY", "STANDS", "LOST"];
    Ok(writeln!(context.out, "{}", output::list(header, &[1], found.iter().map(row)))?)
}

fn conflict(report: &ConflictReport) -> Value {
    let of = |(server, time): (hozo::traits::ServerId, Timestamp)| json!({ "server": server.get(), "time": format_time(time) });
    let mut view = json!({
        "found": format_time(report.found),
        "dbm_index": report.dbm,
        "kept": of(report.kept),
        "lost": of(report.lost),
    });
    if let Some(key) = &report.key {
        match std::str::from_utf8(key) {
            Ok(text) => view["key"] = text.into(),
            Err(_) => {
                let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                view["key_hex"] = hex.into();
            }
        }
    }
    view
}
