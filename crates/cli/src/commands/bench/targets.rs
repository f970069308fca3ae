//! What is measured.

use std::fs;

use hozo::Registry;
use hozo_bench::subject::{Target, YARDSTICK};

use crate::args::bench::Measure;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

/// The targets that the command line asks for, the yardstick first.
pub(super) fn chosen(args: &Measure, context: &Context) -> Done<Vec<Target>> {
    let mut targets = if args.backends.is_empty() {
        of_config(args, context)?
    } else {
        of_backends(&args.backends)?
    };
    if !args.no_yardstick {
        if targets.iter().any(|target| target.name == YARDSTICK) {
            return Err(Failure::new(
                exit::USAGE,
                format!("a store is named `{YARDSTICK}`, as SQLite on a plain file is"),
            )
            .hint("--no-yardstick measures without the latter"));
        }
        targets.insert(0, Target::yardstick());
    }
    Ok(targets)
}

fn of_backends(names: &[String]) -> Done<Vec<Target>> {
    let registry = Registry::builtin();
    let mut targets: Vec<Target> = Vec::new();
    // The yardstick comes by itself; who names it means no other.
    for name in names.iter().filter(|name| *name != YARDSTICK) {
        if targets.iter().any(|target| target.name == *name) {
            return Err(Failure::new(exit::USAGE, format!("the backend `{name}` is named twice")));
        }
        let target = Target::of_backend(name, &registry)
            .map_err(|e| Failure::new(exit::USAGE, e.message()))?;
        targets.push(target);
    }
    Ok(targets)
}

fn of_config(args: &Measure, context: &Context) -> Done<Vec<Target>> {
    let plan = context.plan().map_err(|failure| {
        failure.hint("--backends memory,... measures fresh stores without a config")
    })?;
    let text = fs::read_to_string(context.config_file())?;
    let mut targets = Target::of_config(&text, &plan, args.in_place)?;
    for name in &args.stores {
        if !targets.iter().any(|target| target.name == *name) {
            let known: Vec<&str> = targets.iter().map(|target| &*target.name).collect();
            let message = format!("the config has no store `{name}`");
            return Err(Failure::new(exit::NOT_FOUND, message)
                .hint(format!("it has: {}", known.join(", "))));
        }
    }
    if !args.stores.is_empty() {
        targets.retain(|target| args.stores.contains(&target.name));
    }
    Ok(targets)
}
