//! `hozo dbm-server`

mod config;
mod daemon;
mod dbms;
mod moved;
mod replication;

use std::io::Write;
use std::path::Path;

use hozo::{Plan, Registry};
use serde_json::json;

use self::config::Config;
use super::serve;
use crate::args::dbm_server::DbmServer;
use crate::args::serve::LogFormat;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::logging;

/// What problems of the config are said to be in.
const CONFIG_NAME: &str = "(the config of these flags)";

pub(super) fn run(args: &DbmServer, context: &mut Context) -> Done {
    if args.version {
        let version = env!("CARGO_PKG_VERSION");
        return Ok(writeln!(context.out, "hozo {version}, with the flags of tkrzw_server 0.9.10")?);
    }
    if context.config_is_given {
        let message = "--config is for `hozo serve`; here the flags are the config";
        return Err(Failure::new(exit::USAGE, message));
    }
    let base = std::env::current_dir()?;
    let backends: Vec<&str> = Registry::builtin().names().collect();
    let config = Config::of(args, &base, &backends)?;
    if args.print_config {
        return print(&config, context);
    }
    if args.daemon && !daemon::is_here() {
        return daemon::start(context);
    }
    logging::start(LogFormat::Text, config.log_level, config.log.clone())?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let plan = Plan::from_text(CONFIG_NAME, &config.text, &base, &Registry::serving())
        .map_err(|problems| Failure::from(problems).hint("--print-config shows that config"))?;
    let stack = context.stack_of(plan);
    let started = || if args.daemon { daemon::detach(&config.log) } else { Ok(()) };
    serve::serve(&stack, args.pid_file.as_deref().map(Path::new), started, context)
}

fn print(config: &Config, context: &mut Context) -> Done {
    if context.json {
        return context.write_json(&json!({ "config": config.text, "notes": config.notes }));
    }
    Ok(context.out.write_all(config.text.as_bytes())?)
}

#[cfg(test)]
mod tests;
