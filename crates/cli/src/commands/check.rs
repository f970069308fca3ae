//! `hozo check`

use hozo::{Plan, Problem};
use serde_json::{Value, json};

use crate::args::Check;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn run(args: &Check, context: &mut Context) -> Done {
    let file = args.file.clone().unwrap_or_else(|| context.config_file());
    let outcome = context.plan_of(&file);
    if context.json {
        let (plan, problems) = match &outcome {
            Ok(plan) => (Some(plan), Vec::new()),
            Err(problems) => (None, problems.iter().map(problem).collect()),
        };
        context.write_json(&json!({
            "ok": outcome.is_ok(),
            "file": file,
            "problems": problems,
            "stores": plan.map(stores).unwrap_or_default(),
            "namespaces": plan.map(rules).unwrap_or_default(),
        }))?;
        return outcome.map(drop).map_err(|_| Failure::quiet(exit::CONFIG));
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
    Ok(())
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
