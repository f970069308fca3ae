//! `hozo bench compare`

use hozo_bench::compare::Comparison;
use hozo_bench::report::Report;
use hozo_bench::report::table::comparison;

use crate::args::bench::Compare;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

pub(super) fn run(args: &Compare, context: &mut Context) -> Done {
    let (before, after) = (Report::from_file(&args.before)?, Report::from_file(&args.after)?);
    let compared = Comparison::of(&before, &after)?;
    if context.json {
        context.write_json(&compared)?;
    } else {
        let color = context.out_style.is_on();
        context.out.write_all(comparison(&compared, color).as_bytes())?;
    }
    let Some(percent) = args.fail_over else { return Ok(()) };
    let failures: Vec<String> = compared
        .failures(percent)
        .map(|row| format!("{} of {} on {}", row.metric, row.workload, row.target))
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    let message = format!("worse by more than {percent} %: {}", failures.join(", "));
    Err(Failure::new(exit::FAILED, message))
}
