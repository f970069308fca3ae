//! `hozo ulog verify`

use hozo::pages::format_time;
use hozo::repl::offline::{Problem, Verified};
use hozo::traits::{Ambient, SystemAmbient};
use serde_json::{Map, Value, json};

use super::open;
use crate::args::ulog::Verify;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn run(args: &Verify, context: &mut Context) -> Done {
    let log = open(&args.of, context)?;
    let found = log.verify()?;
    let dir = log.dir().display().to_string();
    if context.json {
        context.write_json(&shown(&dir, &found))?;
    } else {
        tell(&dir, &found, context)?;
    }
    match found.is_whole() {
        true => Ok(()),
        false => Err(Failure::quiet(exit::FAILED)),
    }
}

fn tell(dir: &str, found: &Verified, context: &mut Context) -> Done {
    let style = context.out_style;
    for Problem { file, offset, what, .. } in &found.problems {
        writeln!(context.out, "{file} at {offset}: {what}")?;
    }
    let unlisted = found.problem_count - found.problems.len() as u64;
    if unlisted > 0 {
        writeln!(context.out, "and {unlisted} problems more")?;
    }
    let state = match found.is_whole() {
        true => style.good("whole"),
        false => style.error("damaged"),
    };
    let (updates, files, size) = (found.updates, found.segments, output::size(found.bytes));
    writeln!(context.out, "{state} {dir}: {updates} updates in {files} files, {size}")?;
    let newest = output::time(SystemAmbient.now(), found.newest);
    writeln!(context.out, "position {}, epoch {}, newest {newest}", found.position, found.epoch)?;
    if found.loading {
        writeln!(context.out, "the records are not complete: they are being loaded from a source")?;
    }
    Ok(())
}

fn shown(dir: &str, found: &Verified) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "file": problem.file,
            "offset": problem.offset,
            "position": problem.position,
            "what": problem.what,
        })
    };
    let position: Map<String, Value> = found
        .position
        .iter()
        .map(|(server, reach)| {
            let digest = format!("{:08x}", reach.digest);
            (server.to_string(), json!({ "seq": reach.seq, "digest": digest }))
        })
        .collect();
    json!({
        "whole": found.is_whole(),
        "dir": dir,
        "files": found.segments,
        "bytes": found.bytes,
        "updates": found.updates,
        "begin": found.range.0,
        "end": found.range.1,
        "position": position,
        "newest": format_time(found.newest),
        "epoch": found.epoch,
        "dbms": found.dbms,
        "checkpoint": found.checkpoint,
        "loading": found.loading,
        "problem_count": found.problem_count,
        "problems": found.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
