//! `hozo check`

mod stores;

use std::path::Path;
use std::time::Duration;

use hozo::{FrontendPlan, Plan, Problem, Problems, ReplicationPlan};
use serde_json::{Value, json};

use self::stores::Checked;
use crate::args::Check;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn run(args: &Check, context: &mut Context) -> Done {
    let file = args.file.clone().unwrap_or_else(|| context.config_file());
    let outcome = context.whole_plan_of(&file);
    if context.json {
        return run_json(args, context, &file, outcome.as_ref());
    }
    let plan = outcome.map_err(|problems| {
        let count = problems.iter().count();
        let errors = if count == 1 { "error" } else { "errors" };
        Failure::from(problems).showing(format!("\n{count} {errors} in {}", file.display()))
    })?;
    writeln!(context.out, "{} {}\n", context.out_style.good("ok"), file.display())?;
    let rows = plan.stores().iter().enumerate().map(|(i, store)| {
        let name = if i == 0 { format!("{} (default)", store.name()) } else { store.name().into() };
        let path = store.path().map(|p| p.display().to_string()).unwrap_or_default();
        [name, store.backend().to_owned(), path]
    });
    writeln!(context.out, "{}", output::list(["STORE", "BACKEND", "PATH"], &[], rows))?;
    if !plan.rules().is_empty() {
        let rows = plan.rules().iter().map(|rule| {
            let or = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            [
                rule.pattern().to_string(),
                rule.store(&plan).name().to_owned(),
                or(rule.concurrency().map(|c| c.to_string())),
                or(rule.page_size().map(|p| p.get().to_string())),
            ]
        });
        let header = ["MATCH", "STORE", "CONCURRENCY", "PAGE SIZE"];
        writeln!(context.out, "\n{}", output::list(header, &[3], rows))?;
    }
    if !plan.dbms().is_empty() {
        let rows = plan.dbms().iter().map(|dbm| {
            let (store, durability) = (dbm.store(&plan).name(), dbm.durability_name());
            [dbm.name().to_owned(), store.to_owned(), durability.to_owned()]
        });
        let header = ["DBM", "STORE", "DURABILITY"];
        writeln!(context.out, "\n{}", output::list(header, &[], rows))?;
    }
    if let Some(replication) = plan.replication() {
        let row = [
            replication.name().to_owned(),
            replication.server_id().to_string(),
            replication.role().as_str().to_owned(),
            replication.follow().unwrap_or("-").to_owned(),
            replication.ack().to_string(),
            replication.dir().display().to_string(),
        ];
        let header = ["REPLICATION", "SERVER ID", "ROLE", "FOLLOWS", "ACK", "LOG"];
        writeln!(context.out, "\n{}", output::list(header, &[1, 4], [row]))?;
    }
    if !plan.frontends().is_empty() {
        let rows =
            plan.frontends().iter().map(|one| [one.kind().to_owned(), claims(one).join(", ")]);
        writeln!(context.out, "\n{}", output::list(["FRONTEND", "LISTENS ON"], &[], rows))?;
    }
    let checked = stores::run(args, context, &plan)?;
    ended(&checked)
}

/// What a frontend would take.
fn claims(frontend: &FrontendPlan) -> Vec<String> {
    frontend.claims().iter().map(ToString::to_string).collect()
}

/// The exit code that the checks of stores have.
fn ended(checked: &[Checked]) -> Done {
    match checked.iter().all(Checked::is_well) {
        true => Ok(()),
        false => Err(Failure::quiet(exit::FAILED)),
    }
}

fn run_json(
    args: &Check,
    context: &mut Context,
    file: &Path,
    outcome: Result<&Plan, &Problems>,
) -> Done {
    let problems = outcome.err().map(|problems| problems.iter().map(problem).collect::<Vec<_>>());
    let plan = outcome.ok();
    let checked = match plan {
        Some(plan) => stores::run(args, context, plan)?,
        None => Vec::new(),
    };
    let mut value = json!({
        "ok": plan.is_some(),
        "file": file,
        "problems": problems.unwrap_or_default(),
        "stores": plan.map(stores).unwrap_or_default(),
        "namespaces": plan.map(rules).unwrap_or_default(),
        "dbms": plan.map(dbms).unwrap_or_default(),
        "replication": plan.and_then(Plan::replication).map(replication),
        "frontends": plan.map(frontends).unwrap_or_default(),
    });
    if stores::are_asked_for(args) {
        value["checked"] = checked.iter().map(Checked::json).collect();
    }
    context.write_json(&value)?;
    match plan {
        Some(_) => ended(&checked),
        None => Err(Failure::quiet(exit::CONFIG)),
    }
}

fn problem(problem: &Problem) -> Value {
    json!({
        "file": problem.file(),
        "line": problem.line(),
        "column": problem.column(),
        "message": problem.message(),
        "hint": problem.hint(),
        "notes": problem.notes(),
    })
}

fn stores(plan: &Plan) -> Vec<Value> {
    let store =
        |s: &hozo::StorePlan| json!({ "name": s.name(), "backend": s.backend(), "path": s.path() });
    plan.stores().iter().map(store).collect()
}

fn rules(plan: &Plan) -> Vec<Value> {
    let rule = |r: &hozo::NamespaceRule| {
        json!({
            "match": r.pattern().as_str(),
            "store": r.store(plan).name(),
            "concurrency": r.concurrency().map(|c| c.as_str()),
            "page_size": r.page_size().map(|p| p.get()),
        })
    };
    plan.rules().iter().map(rule).collect()
}

fn dbms(plan: &Plan) -> Vec<Value> {
    let dbm = |d: &hozo::DbmPlan| {
        json!({
            "name": d.name(),
            "store": d.store(plan).name(),
            "durability": d.durability_name(),
        })
    };
    plan.dbms().iter().map(dbm).collect()
}

/// Without what is secret.
fn replication(plan: &ReplicationPlan) -> Value {
    json!({
        "name": plan.name(),
        "kind": plan.kind(),
        "server_id": plan.server_id().get(),
        "dir": plan.dir(),
        "role": plan.role().as_str(),
        "follow": plan.follow(),
        "ack": plan.ack(),
        "ack_timeout_ms": millis(plan.ack_timeout()),
        "segment_bytes": plan.segment_bytes(),
        "keep_s": plan.keep().as_secs(),
        "keep_bytes": plan.keep_bytes(),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn frontends(plan: &Plan) -> Vec<Value> {
    let frontend = |f: &FrontendPlan| json!({ "kind": f.kind(), "claims": claims(f) });
    plan.frontends().iter().map(frontend).collect()
}
