//! `hozo ns create | list | stat | rename | delete`

use std::io::{self, Write};

use hozo::pages::{CommitCount, NamespaceName, NamespaceStat, Target, When, format_time};
use hozo::traits::exec::block_on;
use hozo::traits::{Ambient, ErrorKind, PageSize, SystemAmbient};
use hozo::{Stack, StorePlan};
use serde::Serialize;
use serde_json::json;

use super::view::{View, absent, open_target, version};
use crate::args::{Create, Delete, List, Rename, Stat};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output;

pub(super) fn create(args: &Create, context: &mut Context) -> Done {
    let stack = context.stack()?;
    let mut options = stack.plan().create_options(args.name.as_str());
    if let Some(bytes) = args.page_size {
        options.page_size =
            PageSize::new(bytes).map_err(|e| Failure::new(exit::USAGE, e.to_string()))?;
    }
    options.concurrency = args.concurrency.unwrap_or(options.concurrency);
    match block_on(stack.store_of(&args.name)?.create(&args.name, options)) {
        Ok(_) => context.remark(format!("made {}", args.name)),
        Err(e) if e.kind() == ErrorKind::Exists && args.if_not_exists => {
            context.remark(format!("{} exists already", args.name));
        }
        Err(e) => return Err(e.into()),
    }
    if context.json { show(&stack, &args.name, context) } else { Ok(()) }
}

pub(super) fn list(args: &List, context: &mut Context) -> Done {
    let stack = context.stack()?;
    if let Some(name) = &args.store
        && !stack.plan().stores().iter().any(|s| s.name() == name)
    {
        let names: Vec<&str> = stack.plan().stores().iter().map(StorePlan::name).collect();
        return Err(Failure::new(exit::NOT_FOUND, format!("the config has no store `{name}`"))
            .hint(format!("stores: {}", names.join(", "))));
    }
    let mut views = Vec::new();
    for store in stack.plan().stores() {
        if args.store.as_ref().is_some_and(|name| name != store.name()) || store.is_untouched() {
            continue;
        }
        let namespaces = stack.store(store.name())?;
        let mut after: Option<NamespaceName> = None;
        loop {
            let found = block_on(namespaces.list(&args.prefix, after.as_ref(), usize::MAX))?;
            let Some(last) = found.last() else { break };
            after = Some(last.name.clone());
            for info in found {
                // One that is gone by now is simply not there any more.
                let target = Target { name: info.name.clone(), when: When::Head };
                match open_target(&stack, &target) {
                    Ok(open) => views.push((View::of(store.name(), &info, &open.head), open.head)),
                    Err(e) if e.exit() == exit::NOT_FOUND => {}
                    Err(e) => return Err(e),
                }
            }
        }
    }
    if context.json {
        let views: Vec<&View> = views.iter().map(|(view, _)| view).collect();
        return context.write_json(&views);
    }
    if views.is_empty() {
        context.remark("no namespaces; `hozo ns create NAME` makes one");
        return Ok(());
    }
    let now = SystemAmbient.now();
    let rows = views.into_iter().map(|(view, head)| {
        let changed = output::ago(now, head.time);
        [
            view.name,
            view.store,
            output::size(view.bytes),
            version(&head).unwrap_or_else(|| "-".into()),
            changed,
        ]
    });
    let header = ["NAME", "STORE", "SIZE", "VERSION", "CHANGED"];
    Ok(writeln!(context.out, "{}", output::list(header, &[2], rows))?)
}

pub(super) fn stat(args: &Stat, context: &mut Context) -> Done {
    let stack = context.stack()?;
    show(&stack, &args.name, context)
}

#[derive(Serialize)]
struct StatView {
    #[serde(flatten)]
    view: View,
    oldest: Option<String>,
    commits: u64,
    commits_is_exact: bool,
}

fn show(stack: &Stack, name: &NamespaceName, context: &mut Context) -> Done {
    let namespaces = stack.store_of(name)?;
    let stat: NamespaceStat = block_on(namespaces.stat(name)).map_err(|e| absent(e, name))?;
    let store = stack.plan().store_of(name.as_str()).name();
    let view = View::of(store, &stat.info, &stat.head);
    let oldest = (stat.oldest != hozo::traits::Version::ZERO).then(|| stat.oldest.to_string());
    if context.json {
        let (commits, commits_is_exact) = match stat.commits {
            CommitCount::Exactly(n) => (n, true),
            CommitCount::MoreThan(n) => (n, false),
        };
        return context.write_json(&StatView { view, oldest, commits, commits_is_exact });
    }
    let now = SystemAmbient.now();
    let none = || "none yet".to_owned();
    let facts = [
        ("name", view.name),
        ("store", view.store),
        ("id", view.id.to_string()),
        ("created", output::time(now, stat.info.created)),
        ("head", view.version.unwrap_or_else(none)),
        ("changed", output::time(now, stat.head.time)),
        ("oldest", oldest.unwrap_or_else(none)),
        ("commits", stat.commits.to_string()),
        (
            "size",
            format!(
                "{} ({} pages of {} bytes)",
                output::size(view.bytes),
                view.page_count,
                view.page_size
            ),
        ),
        ("concurrency", view.concurrency.to_owned()),
    ];
    Ok(write!(context.out, "{}", output::facts(&facts))?)
}

pub(super) fn rename(args: &Rename, context: &mut Context) -> Done {
    let stack = context.stack()?;
    let store = |name: &NamespaceName| stack.plan().store_of(name.as_str()).name().to_owned();
    let (from, to) = (store(&args.from), store(&args.to));
    if from != to {
        let message = format!(
            "the config puts {} into store {from} and {} into store {to}; a rename stays in a store",
            args.from, args.to
        );
        return Err(Failure::new(exit::USAGE, message)
            .hint("`hozo export` and `hozo import` copy from store to store, without history"));
    }
    block_on(stack.store(&from)?.rename(&args.from, &args.to))
        .map_err(|e| absent(e, &args.from))?;
    if context.json {
        return context.write_json(&json!({ "from": args.from.as_str(), "to": args.to.as_str() }));
    }
    context.remark(format!("renamed {} to {}", args.from, args.to));
    Ok(())
}

pub(super) fn delete(args: &Delete, context: &mut Context) -> Done {
    let stack = context.stack()?;
    let namespaces = stack.store_of(&args.name)?;
    let stat = block_on(namespaces.stat(&args.name)).map_err(|e| absent(e, &args.name))?;
    if !args.yes {
        if !context.can_ask() {
            return Err(Failure::new(
                exit::USAGE,
                "deleting needs --yes where nobody can be asked",
            ));
        }
        let newest = format_time(stat.head.time);
        let size = output::size(stat.head.bytes());
        eprint!(
            "Delete {} with all its history ({} commits, {size}, last changed {newest})? [y/N] ",
            args.name, stat.commits
        );
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err(Failure::new(exit::FAILED, "not deleted"));
        }
    }
    block_on(namespaces.delete(&args.name))?;
    if context.json {
        return context.write_json(&json!({ "deleted": args.name.as_str() }));
    }
    context.remark(format!("deleted {}", args.name));
    Ok(())
}
