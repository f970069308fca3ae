//! `hozo ulog list` and `prune`

use std::io::{self, Write};

use hozo::pages::format_time;
use hozo::repl::offline::{Pruned, Segment};
use hozo::traits::{Ambient, SystemAmbient, Timestamp};
use serde_json::{Value, json};

use super::open;
use crate::args::ulog::{List, Prune};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn list(args: &List, context: &mut Context) -> Done {
    let log = open(&args.of, context)?;
    let now = SystemAmbient.now();
    let since = args.since.map(|since| since.from(now));
    let mut segments = log.segments()?;
    segments.retain(|segment| since.is_none_or(|since| segment.newest >= Some(since)));
    if context.json {
        return context.write_json(&segments.iter().map(shown).collect::<Vec<_>>());
    }
    for segment in &segments {
        let newest = segment.newest.map_or(0, Timestamp::as_millis);
        let age = segment.newest.map_or_else(|| "-".to_owned(), |newest| age(now, newest));
        let damaged = if segment.damaged { "\tdamaged" } else { "" };
        writeln!(
            context.out,
            "{}\t{}\t{newest}\t{age}\t{}{damaged}",
            segment.path.display(),
            id(segment),
            segment.bytes,
        )?;
    }
    Ok(())
}

/// The number that the file's name is.
fn id(segment: &Segment) -> u64 {
    let name = segment.path.file_stem().unwrap_or_default().to_string_lossy();
    u64::from_str_radix(&name, 16).unwrap_or_default()
}

/// As Tkrzw says how long ago something was.
fn age(now: Timestamp, then: Timestamp) -> String {
    const UNITS: [(f64, &str); 3] = [(86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")];
    let seconds = (now.as_micros() as f64 - then.as_micros() as f64) / 1e6;
    let unit = UNITS.iter().find(|(length, _)| seconds.abs() >= *length);
    let (length, name) = unit.unwrap_or(&(1.0, "seconds"));
    format!("{:.1} {name}", seconds / length)
}

fn shown(segment: &Segment) -> Value {
    json!({
        "path": segment.path,
        "id": id(segment),
        "first": segment.first,
        "end": segment.end,
        "bytes": segment.bytes,
        "updates": segment.updates,
        "oldest": segment.oldest.map(format_time),
        "newest": segment.newest.map(format_time),
        "damaged": segment.damaged,
    })
}

pub(super) fn prune(args: &Prune, context: &mut Context) -> Done {
    let log = open(&args.of, context)?;
    let before = args.before.from(SystemAmbient.now());
    let would = log.prunable(before, args.keep_latest)?;
    if args.dry_run {
        return say(&would, true, context);
    }
    if would.removed.is_empty() {
        return say(&would, false, context);
    }
    if !args.yes {
        if !context.can_ask() {
            let message = "removing updates needs --yes where nobody can be asked";
            return Err(Failure::new(exit::USAGE, message).hint("--dry-run says what would go"));
        }
        eprint!(
            "Remove {} of {} files of {} ({}), with updates before {}? [y/N] ",
            would.removed.len(),
            would.removed.len() as u64 + would.left,
            log.dir().display(),
            output::size(would.bytes()),
            format_time(before),
        );
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::new(exit::FAILED, "nothing was removed"));
        }
    }
    let pruned = log.prune(before, args.keep_latest).map_err(|error| {
        let busy = error.kind() == hozo::traits::ErrorKind::Busy;
        let failure = Failure::from(error);
        match busy {
            true => {
                failure.hint("a running server removes old updates itself: `keep` of its config")
            }
            false => failure,
        }
    })?;
    say(&pruned, false, context)
}

fn say(pruned: &Pruned, dry_run: bool, context: &mut Context) -> Done {
    if context.json {
        let removed: Vec<_> = pruned.removed.iter().map(|segment| &segment.path).collect();
        return context.write_json(&json!({
            "removed": removed, "bytes": pruned.bytes(), "left": pruned.left, "dry_run": dry_run,
        }));
    }
    for segment in &pruned.removed {
        writeln!(context.out, "{}", segment.path.display())?;
    }
    let done = if dry_run { "would remove" } else { "removed" };
    let (count, left) = (pruned.removed.len(), pruned.left);
    context
        .remark(format!("{done} {count} files, {}; {left} are left", output::size(pruned.bytes())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_look_as_those_of_tkrzw() {
        let now = Timestamp::from_micros(1_795_305_600_000_000);
        let ago = |micros: i64| {
            age(now, Timestamp::from_micros(now.as_micros().saturating_add_signed(-micros)))
        };
        assert_eq!(age(now, Timestamp::from_micros(5_000_000)), "20779.0 days");
        assert_eq!(ago(86_400_000_000), "1.0 days");
        assert_eq!(ago(86_399_000_000), "24.0 hours");
        assert_eq!(ago(5_400_000_000), "1.5 hours");
        assert_eq!(ago(90_000_000), "1.5 minutes");
        assert_eq!(ago(1_250_000), "1.2 seconds");
        assert_eq!(ago(-90_000_000), "-1.5 minutes");
    }
}
