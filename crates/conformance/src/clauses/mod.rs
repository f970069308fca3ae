//! The cases of every clause, one file per group of the contract.

use crate::runner::Case;

/// `case!(10, names_the_newest)` is the trial `PG-10/names_the_newest`, which
/// runs the function of that name; a third argument says what it needs.
macro_rules! case {
    ($clause:literal, $name:ident) => {
        case!($clause, $name, Nothing)
    };
    ($clause:literal, $name:ident, $needs:ident) => {
        $crate::runner::Case {
            name: concat!("PG-", stringify!($clause), "/", stringify!($name)),
            needs: $crate::runner::Needs::$needs,
            run: $name,
        }
    };
}

mod changes;
mod committing;
mod conditions;
mod logs;
mod meta;
mod once;
mod purging;
mod reading;
mod requests;
mod staging;
mod versions;

#[cfg(test)]
mod tests;

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        versions::CASES,
        reading::CASES,
        committing::CASES,
        conditions::CASES,
        once::CASES,
        requests::CASES,
        staging::CASES,
        logs::CASES,
        meta::CASES,
        purging::CASES,
        changes::CASES,
    ]
    .into_iter()
    .flatten()
}
