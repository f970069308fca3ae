//! A DBM as a whole, and its server.

use std::io::{self, Write};

use hozo_client::HealthStatus;
use hozo_proto::StatusCode;
use serde_json::{Map, Value, json};

use super::connect::To;
use super::input::params;
use super::output::done;
use super::refusal::{failure, refusal};
use crate::args::dbm::{Clear, Echo, Inspect, Rebuild, Sync};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

pub(super) async fn count(to: &To<'_>, context: &mut Context) -> Done {
    let dbm = to.patient(&to.dbm(context).await?);
    let count = dbm.count().await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "count": count }));
    }
    Ok(writeln!(context.out, "{count}")?)
}

pub(super) async fn inspect(args: &Inspect, to: &To<'_>, context: &mut Context) -> Done {
    let rows = if args.server || to.is_server() {
        to.server(context)?.inspect().await
    } else {
        to.dbm(context).await?.inspect().await
    };
    let rows = rows.map_err(failure)?;
    if let Some(name) = &args.name {
        let Some((_, value)) = rows.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = rows.iter().map(|(known, _)| known.as_str()).collect();
            let message = format!("{name} is not told; these are: {}", known.join(", "));
            return Err(refusal(StatusCode::NotFoundError, message));
        };
        if context.json {
            return context.write_json(value);
        }
        return Ok(writeln!(context.out, "{value}")?);
    }
    if context.json {
        let object: Map<String, Value> =
            rows.into_iter().map(|(name, value)| (name, value.into())).collect();
        return context.write_json(&object);
    }
    for (name, value) in rows {
        writeln!(context.out, "{name}={value}")?;
    }
    Ok(())
}

pub(super) async fn clear(args: &Clear, to: &To<'_>, context: &mut Context) -> Done {
    let dbm = to.patient(&to.dbm(context).await?);
    if !args.yes && context.can_ask() {
        let count = dbm.count().await.map_err(failure)?;
        eprint!("Remove all {count} records of {}? [y/N] ", to.shown());
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::new(exit::FAILED, "not cleared"));
        }
    }
    dbm.clear().await.map_err(failure)?;
    done(context)
}

pub(super) async fn rebuild(args: &Rebuild, to: &To<'_>, context: &mut Context) -> Done {
    let dbm = to.patient(&to.dbm(context).await?);
    if args.if_needed && !dbm.should_be_rebuilt().await.map_err(failure)? {
        if context.json {
            return context.write_json(&json!({ "done": false }));
        }
        context.remark("there is nothing to gain from it");
        return Ok(());
    }
    dbm.rebuild(&params(&args.params)).await.map_err(failure)?;
    done(context)
}

pub(super) async fn sync(args: &Sync, to: &To<'_>, context: &mut Context) -> Done {
    let dbm = to.patient(&to.dbm(context).await?);
    dbm.synchronise(args.hard, &params(&args.params)).await.map_err(failure)?;
    done(context)
}

pub(super) async fn echo(args: &Echo, to: &To<'_>, context: &mut Context) -> Done {
    let client = to.server(context)?;
    let echo = client.echo(args.message.join(" ")).await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "echo": echo }));
    }
    Ok(writeln!(context.out, "{echo}")?)
}

pub(super) async fn health(to: &To<'_>, context: &mut Context) -> Done {
    let (client, name) = to.named(context).await?;
    let service = name.map_or_else(String::new, |name| format!("dbm/{name}"));
    let status = client.health_of(service).await;
    let status = match status.map_err(failure)? {
        HealthStatus::Serving => "serving",
        HealthStatus::NotServing => "not-serving",
        HealthStatus::Unknown => "unknown",
    };
    if context.json {
        context.write_json(&json!({ "status": status }))?;
    } else {
        writeln!(context.out, "{status}")?;
    }
    if status == "serving" { Ok(()) } else { Err(Failure::quiet(exit::FAILED)) }
}
