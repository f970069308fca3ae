//! `hozo env`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::preload;
use crate::args::Env;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(args: &Env, context: &mut Context) -> Done {
    let plan = context.plan()?;
    let config: PathBuf = std::fs::canonicalize(context.config_file())?;
    let library = preload::library()?;
    if context.json {
        return context.write_json(&json!({ "LD_PRELOAD": library, "HOZO_CONFIG": config }));
    }
    let name = &args.name;
    writeln!(context.out, "# Use: eval \"$(hozo env {name})\"   then for example: sqlite3 {name}")?;
    if plan.maps(name.as_str()).is_none() && plan.store_of(name.as_str()).is_untouched() {
        writeln!(context.out, "# {name} does not exist yet: hozo ns create {name}")?;
    }
    // A library that is preloaded already stays, and this one is not added twice.
    let quoted = quote(&library);
    writeln!(
        context.out,
        "case \":${{LD_PRELOAD:-}}:\" in *:{quoted}:*) ;; \
         *) export LD_PRELOAD={quoted}\"${{LD_PRELOAD:+:$LD_PRELOAD}}\" ;; esac"
    )?;
    writeln!(context.out, "export HOZO_CONFIG={}", quote(&config))?;
    Ok(())
}

/// The path as one word of sh.
fn quote(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
