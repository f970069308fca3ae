//! What a server is to do from now on, and removing what is old.

use std::io::Write;

use hozo::traits::{Ambient, SystemAmbient};
use hozo_client::Client;
use serde_json::json;

use super::failure;
use crate::args::repl::{Follow, Prune};
use crate::context::Context;
use crate::failure::Done;
use crate::output;

pub(super) async fn follow(args: &Follow, client: &Client, context: &mut Context) -> Done {
    client.follow(args.source.as_str(), args.skew_ms).await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "source": args.source }));
    }
    context.remark(format!("it follows {} from now on; `hozo repl status` says how", args.source));
    Ok(())
}

pub(super) async fn promote(client: &Client, context: &mut Context) -> Done {
    let epoch = client.promote().await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "epoch": epoch }));
    }
    Ok(writeln!(context.out, "the master of epoch {epoch}")?)
}

pub(super) async fn unfollow(client: &Client, context: &mut Context) -> Done {
    client.unfollow().await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "done": true }));
    }
    context.remark("it follows nobody any more");
    Ok(())
}

pub(super) async fn prune(args: &Prune, client: &Client, context: &mut Context) -> Done {
    let before = args.before.from(SystemAmbient.now());
    let freed = client.prune(before).await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "freed_bytes": freed }));
    }
    Ok(writeln!(context.out, "freed {}", output::size(freed))?)
}
