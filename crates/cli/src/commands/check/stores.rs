//! The part of `hozo check` that reads stores.

use std::io::Write as _;

use hozo::traits::{Error, SystemAmbient};
use hozo::{CheckedPart, Checkup, Plan, StorePlan};
use serde_json::{Value, json};

use crate::args::Check;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::{output, progress};

/// How a store is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Damaged,
    Repaired,
    Failed,
    Untouched,
    NoCheck,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Whole => "whole",
            State::Damaged => "damaged",
            State::Repaired => "repaired",
            State::Failed => "failed",
            State::Untouched => "untouched",
            State::NoCheck => "no-check",
        }
    }
}

/// What came of a store's check.
pub(super) struct Checked {
    store: String,
    state: State,
    error: Option<Error>,
    parts: Vec<CheckedPart>,
    repaired: Vec<String>,
    /// Somebody who was asked about a repair knows it already.
    was_told: bool,
}

impl Checked {
    fn new(store: &StorePlan, state: State) -> Self {
        let store = store.name().to_owned();
        Checked {
            store,
            state,
            error: None,
            parts: Vec::new(),
            repaired: Vec::new(),
            was_told: false,
        }
    }

    /// Whether there is nothing to worry about.
    pub(super) fn is_well(&self) -> bool {
        !matches!(self.state, State::Damaged | State::Failed)
    }

    pub(super) fn json(&self) -> Value {
        let part = |part: &CheckedPart| {
            json!({
                "name": part.name,
                "bytes": part.bytes,
                "keys": part.keys,
                "problems": part.problems,
                "losses": part.losses,
                "notes": part.notes,
                "can_be_repaired": part.can_be_repaired,
            })
        };
        json!({
            "store": self.store,
            "state": self.state.name(),
            "error": self.error.as_ref().map(ToString::to_string),
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "repaired": self.repaired,
        })
    }
}

/// Whether the command line asks for stores to be checked.
pub(super) fn are_asked_for(args: &Check) -> bool {
    args.stores || args.repair || !args.store.is_empty()
}

/// Checks the stores that the command line asks for, and repairs them if it
/// says so.
pub(super) fn run(args: &Check, context: &mut Context, plan: &Plan) -> Done<Vec<Checked>> {
    if let Some(name) =
        args.store.iter().find(|name| plan.stores().iter().all(|s| s.name() != **name))
    {
        let names: Vec<_> = plan.stores().iter().map(StorePlan::name).collect();
        return Err(Failure::new(exit::NOT_FOUND, format!("the config has no store `{name}`"))
            .hint(format!("it has {}", names.join(", "))));
    }
    let mut checked = Vec::new();
    if !are_asked_for(args) {
        return Ok(checked);
    }
    for store in plan.stores() {
        if args.store.is_empty() || args.store.iter().any(|name| name == store.name()) {
            let one = check(args, context, store)?;
            if !one.was_told {
                tell(context, &one, true)?;
            }
            checked.push(one);
        }
    }
    Ok(checked)
}

fn check(args: &Check, context: &mut Context, store: &StorePlan) -> Done<Checked> {
    if !store.has_check() {
        return Ok(Checked::new(store, State::NoCheck));
    }
    if store.is_untouched() {
        return Ok(Checked::new(store, State::Untouched));
    }
    let bar = progress::bytes(context, "checking");
    let found = store.check(&mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let mut checked = Checked::new(store, State::Whole);
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            checked.state = State::Failed;
            checked.error = Some(error);
            return Ok(checked);
        }
    };
    checked.parts = found.parts();
    if checked.parts.iter().all(|part| part.problems.is_empty()) {
        return Ok(checked);
    }
    checked.state = State::Damaged;
    if args.repair && checked.parts.iter().any(can_be_repaired) {
        repair(args, context, &*found, &mut checked)?;
    }
    Ok(checked)
}

fn can_be_repaired(part: &CheckedPart) -> bool {
    !part.problems.is_empty() && part.can_be_repaired
}

fn repair(args: &Check, context: &mut Context, found: &dyn Checkup, checked: &mut Checked) -> Done {
    // Who is asked, or has said yes, is to know what.
    tell(context, checked, false)?;
    context.out.flush()?;
    checked.was_told = true;
    if !args.yes {
        if !context.can_ask() {
            return Err(Failure::new(
                exit::USAGE,
                format!("this would repair store `{}`; say --yes if it is to", checked.store),
            ));
        }
        eprint!("Repair store `{}`? The damaged files are kept. [y/N] ", checked.store);
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
    }
    let bar = progress::bytes(context, "repairing");
    let repaired = found.repair(&SystemAmbient, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    checked.was_told = false;
    match repaired {
        Ok(repaired) => {
            let hopeless = |part: &CheckedPart| !part.problems.is_empty() && !part.can_be_repaired;
            if !checked.parts.iter().any(hopeless) {
                checked.state = State::Repaired;
            }
            checked.repaired = repaired;
        }
        Err(error) => {
            checked.state = State::Failed;
            checked.error = Some(error);
        }
    }
    Ok(())
}

/// Says what came of a check, and of a repair, and what to do if there is a
/// `hint` to give.
fn tell(context: &mut Context, checked: &Checked, hint: bool) -> Done {
    if context.json {
        return Ok(());
    }
    let style = context.out_style;
    let out = &mut context.out;
    let store = &checked.store;
    match checked.state {
        State::Whole => writeln!(out, "\n{} store {store} is whole", style.good("ok"))?,
        State::Untouched => writeln!(out, "\nstore {store}: nothing was ever stored in it")?,
        State::NoCheck => writeln!(out, "\nstore {store}: this backend has no check of its own")?,
        State::Repaired => {
            writeln!(out, "\n{} store {store} is repaired", style.good("ok"))?;
        }
        State::Damaged => writeln!(out, "\n{} store {store}", style.error("damaged:"))?,
        State::Failed => writeln!(out, "\n{} store {store}", style.error("error:"))?,
    }
    if let Some(error) = &checked.error {
        writeln!(out, "  {}", output::printable(&error.to_string()))?;
    }
    if !checked.repaired.is_empty() {
        for line in &checked.repaired {
            writeln!(out, "  {}", output::printable(line))?;
        }
        return Ok(());
    }
    for part in &checked.parts {
        let size = output::size(part.bytes);
        let keys = part.keys.map(|keys| format!(", {keys} keys")).unwrap_or_default();
        writeln!(out, "  {}: {size}{keys}", output::printable(&part.name))?;
        let lines =
            [("", &part.problems), ("a repair would lose: ", &part.losses), ("", &part.notes)];
        for (what, lines) in lines {
            for line in lines {
                let what = if line.starts_with(' ') { "" } else { what };
                writeln!(out, "    {what}{}", output::printable(line))?;
            }
        }
        if !part.problems.is_empty() && part.losses.is_empty() {
            writeln!(out, "    a repair would lose nothing")?;
        }
    }
    if hint && checked.state == State::Damaged {
        let hint = format!("`hozo check --store {store} --repair` repairs it, after asking");
        writeln!(out, "{} {hint}", style.hint("hint:"))?;
    }
    Ok(())
}
