//! DBMs.

use std::ops::Range;

use hozo_traits::{Durability, check_dbm_name};

use super::{Plan, StorePlan, store};
use crate::problem::{listed, nearest};
use crate::settings::DbmSettings;
use crate::text::Report;

/// A DBM that frontends serve: `[[dbm]]`.
#[derive(Clone, Debug)]
pub struct DbmPlan {
    name: String,
    store: usize,
    durability: Durability,
}

/// What a config calls each kind of durability.
const DURABILITIES: [(&str, Durability); 2] =
    [("sequenced", Durability::Sequenced), ("durable", Durability::Durable)];

impl DbmPlan {
    /// Its name, unique in the config.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store that it is in; `plan` is the one that has this DBM.
    pub fn store<'p>(&self, plan: &'p Plan) -> &'p StorePlan {
        &plan.stores[self.store]
    }

    /// How durable its updates are before they are answered, where the client
    /// does not say.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The durability as a config writes it.
    pub fn durability_name(&self) -> &'static str {
        match self.durability {
            Durability::Sequenced => "sequenced",
            Durability::Durable => "durable",
        }
    }
}

/// The plan of a `[[dbm]]`, with the line of its name; reports what is wrong
/// with it. `before` are the DBMs above it.
pub(super) fn check(
    span: Range<usize>,
    settings: DbmSettings,
    stores: &[String],
    before: &[(DbmPlan, usize)],
    report: &mut Report<'_>,
) -> Option<(DbmPlan, usize)> {
    let store = store::place(settings.store.as_ref(), stores, report);
    let durability = settings.durability.map_or(Some(Durability::Sequenced), |wanted| {
        let text = wanted.get_ref();
        let found = DURABILITIES.iter().find(|(name, _)| name == text);
        if found.is_none() {
            let known = DURABILITIES.map(|(name, _)| name);
            let problem = report.add(wanted.span(), format!("unknown durability `{text}`"));
            if let Some(meant) = nearest(text, known) {
                problem.label(format!("did you mean `{meant}`?"));
            }
            problem.note(format!("kinds: {}", listed(known)));
        }
        found.map(|(_, durability)| *durability)
    });
    let Some(name) = settings.name else {
        report.missing(span, "[[dbm]] has no `name`").note("such as: name = \"casket\"");
        return None;
    };
    let (at, name) = (name.span(), name.into_inner());
    let line = report.line_of(&at);
    if let Err(e) = check_dbm_name(&name) {
        report.add(at, format!("{name:?} cannot be the name of a DBM")).note(e.message());
        return None;
    }
    if let Some((_, first)) = before.iter().find(|(dbm, _)| dbm.name == name) {
        report
            .add(at, format!("there are two DBMs `{name}`"))
            .note(format!("the first is on line {first}; clients choose a DBM by its name"));
        return None;
    }
    Some((DbmPlan { name, store: store?, durability: durability? }, line))
}
