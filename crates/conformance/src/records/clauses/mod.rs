//! The cases of every clause of the contract of records.

use super::runner::Case;

/// `case!(10, a_long_key)` is the trial `KV-10/a_long_key`, which runs the
/// function of that name; a third argument says what it needs. What is not
/// about a clause by number is named by a word: `case!("op", …)`.
macro_rules! case {
    ($clause:literal, $name:ident) => {
        case!($clause, $name, Nothing)
    };
    ($clause:literal, $name:ident, $needs:ident) => {
        $crate::records::runner::Case {
            name: concat!("KV-", $clause, "/", stringify!($name)),
            needs: $crate::records::runner::Needs::$needs,
            run: $name,
        }
    };
}

mod batches;
mod concurrent;
mod durable;
mod limits;
mod operations;
mod reading;
mod scanning;
mod stores;
mod updating;

#[cfg(test)]
mod tests;

pub(super) use concurrent::overlap;

/// Every case.
pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    [
        reading::CASES,
        updating::CASES,
        limits::CASES,
        scanning::CASES,
        durable::CASES,
        stores::CASES,
        operations::CASES,
        batches::CASES,
        concurrent::CASES,
    ]
    .into_iter()
    .flatten()
}
