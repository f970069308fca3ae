//! The rules about namespaces.

use std::ops::Range;

use hozo_pages::Concurrency;
use hozo_traits::PageSize;

use super::{Plan, StorePlan, store};
use crate::pattern::Pattern;
use crate::problem::{listed, nearest};
use crate::settings::NamespaceSettings;
use crate::text::Report;

/// What the config says about some names: `[[namespace]]`.
#[derive(Clone, Debug)]
pub struct NamespaceRule {
    pattern: Pattern,
    store: usize,
    concurrency: Option<Concurrency>,
    page_size: Option<PageSize>,
}

impl NamespaceRule {
    /// The store that its namespaces are in; `plan` is the one that has this rule.
    pub fn store<'p>(&self, plan: &'p Plan) -> &'p StorePlan {
        &plan.stores[self.store]
    }

    /// The name of that store, one of these.
    pub(super) fn store_name(&self, names: &[String]) -> Option<String> {
        names.get(self.store).cloned()
    }

    /// The names that it is about.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// How writers share the namespaces, if the rule says; otherwise each has
    /// what it was created with.
    pub fn concurrency(&self) -> Option<Concurrency> {
        self.concurrency
    }

    /// The page size that new namespaces start with, if the rule says.
    pub fn page_size(&self) -> Option<PageSize> {
        self.page_size
    }
}

/// The rule that a `[[namespace]]` section is, with its line; reports what is
/// wrong with it. `before` are the rules above it.
pub(super) fn check(
    span: Range<usize>,
    settings: NamespaceSettings,
    stores: &[String],
    before: &[(NamespaceRule, usize)],
    report: &mut Report<'_>,
) -> Option<(NamespaceRule, usize)> {
    let line = report.line_of(&span);
    let store = store::place(settings.store.as_ref(), stores, report);
    let concurrency = settings.concurrency.map(|text| {
        text.get_ref().parse::<Concurrency>().map_err(|_| {
            let known = [Concurrency::Serial, Concurrency::Optimistic].map(Concurrency::as_str);
            let message = format!("unknown concurrency `{}`", text.get_ref());
            let problem = report.add(text.span(), message);
            if let Some(meant) = nearest(text.get_ref(), known) {
                problem.label(format!("did you mean `{meant}`?"));
            }
            problem.note(format!("kinds: {}", listed(known)));
        })
    });
    let page_size = settings.page_size.map(|size| {
        PageSize::new(*size.get_ref()).map_err(|e| {
            report.add(size.span(), format!("{}, not {}", e.message(), size.get_ref()));
        })
    });
    let Some(pattern) = settings.pattern else {
        report.missing(span, "[[namespace]] has no `match`").note("such as: match = \"app/*\"");
        return None;
    };
    let at = pattern.span();
    let pattern = match Pattern::new(pattern.get_ref()) {
        Ok(pattern) => pattern,
        Err(e) => {
            report.add(at, format!("no name can be of this pattern: {}", e.message()));
            return None;
        }
    };
    if let Some((earlier, line)) = before.iter().find(|(r, _)| r.pattern.covers(&pattern)) {
        let earlier = &earlier.pattern;
        if *earlier == pattern {
            report
                .add(at, format!("`{pattern}` is matched twice"))
                .note(format!("the first is on line {line}"));
        } else {
            report
                .add(at, format!("never used: every name of it is of `{earlier}` too"))
                .note(format!("the first match counts: put this before line {line}"));
        }
    }
    let concurrency = concurrency.transpose().ok()?;
    let page_size = page_size.transpose().ok()?;
    Some((NamespaceRule { pattern, store: store?, concurrency, page_size }, line))
}
