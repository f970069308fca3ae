//! The columns about followers.

use super::Row;
use crate::format::{count, nanos};
use crate::report::table::{Column, Paint};
use crate::rpc::lag::Lag;
use crate::rpc::report::{Outcome, Report};
use crate::stats::median;

impl Row<'_> {
    /// The median of a figure, over the rounds that have one.
    fn of_lag(&self, of: impl Fn(&Lag) -> f64) -> Option<f64> {
        let lags = self.trials.iter().filter_map(|(_, trial)| trial.lag.as_ref());
        let values: Vec<f64> = lags.map(of).collect();
        (!values.is_empty()).then(|| median(&values))
    }
}

/// None if nothing has a follower.
pub(super) fn columns(rows: &[Row<'_>]) -> Vec<Column> {
    if rows.iter().all(|row| row.of_lag(|_| 0.0).is_none()) {
        return Vec::new();
    }
    let column = |head, cell: &dyn Fn(&Row<'_>) -> Option<String>| Column {
        head,
        left: false,
        cells: rows.iter().map(|row| (cell(row).unwrap_or_default(), Paint::Plain)).collect(),
    };
    let p99 = |row: &Row<'_>| {
        let first = row.of_lag(|lag| lag.first_half.p99_ns as f64)?;
        let second = row.of_lag(|lag| lag.second_half.p99_ns as f64)?;
        Some(format!("{}, {}", nanos(first), nanos(second)))
    };
    vec![
        column("lag p50", &|row| row.of_lag(|lag| lag.answered.p50_ns as f64).map(nanos)),
        column("lag p99", &|row| row.of_lag(|lag| lag.answered.p99_ns as f64).map(nanos)),
        column("lag max", &|row| row.of_lag(|lag| lag.answered.max_ns as f64).map(nanos)),
        column("p99 of halves", &p99),
        column("behind", &|row| row.of_lag(|lag| lag.behind as f64).map(|n| count(n as u64))),
        column("caught up in", &|row| row.of_lag(|lag| lag.caught_up_ns as f64).map(nanos)),
    ]
}

/// What the columns mean, if there are any.
pub(super) fn note(report: &Report) -> Option<String> {
    let has_lag = report.trials.iter().any(|tried| match &tried.outcome {
        Outcome::Measured(measured) => measured.lag.is_some(),
        Outcome::Failed(_) => false,
    });
    has_lag.then(|| {
        "Lag: from the answer to a write until a read of the follower had it, for a hundred writes \
         a second beside the load; p99 of halves: of the first and of the second half of the time; \
         behind: updates that the follower lacked when the time was over; caught up in: from the \
         end of the load until it had everything."
            .to_owned()
    })
}
