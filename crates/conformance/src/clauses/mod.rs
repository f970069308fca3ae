//! The cases of every clause, one file per group of the contract.

use crate::runner::Case;

mod versions;

/// Every case, in the order of the clauses.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [versions::CASES].into_iter().flatten()
}

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
use case;
