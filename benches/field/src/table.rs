//! What a person reads.

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::peers::KINDS;
use crate::phases::Measured;
use crate::steady;

/// Prints a table for each size of values and number of threads, with the
/// medians of all rounds, and how many times faster than the yardstick.
pub(crate) fn print(engines: &[String], measured: &[Measured]) {
    let mut shapes: Vec<(usize, u64)> =
        measured.iter().map(|one| (one.task.value_bytes, one.task.threads)).collect();
    shapes.sort_unstable();
    shapes.dedup();
    for (value_bytes, threads) in shapes {
        let of = |engine: &str| -> Vec<&Measured> {
            let same = measured
                .iter()
                .filter(|one| (one.task.value_bytes, one.task.threads) == (value_bytes, threads));
            same.filter(|one| one.task.engine == engine).collect()
        };
        let Some(first) = engines.iter().map(|engine| of(engine)).find(|found| !found.is_empty())
        else {
            continue;
        };
        let order = if first[0].task.random { "random" } else { "ascending" };
        println!(
            "\n{} records, keys of 8 bytes in {order} order, values of {value_bytes}, threads: {threads}, rounds: {}",
            first[0].task.records,
            first.len(),
        );
        println!("ns an operation, wall | CPU (times faster than {})", first[0].task.engine);
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let phases: Vec<&str> = first[0].phases.iter().map(|phase| &*phase.name).collect();
        table.set_header(["engine"].iter().chain(&phases).chain(&["memory", "heap", "disk"]));
        for engine in engines {
            let rows = of(engine);
            if rows.is_empty() {
                continue;
            }
            let what = KINDS.iter().find(|kind| kind.name == engine).map_or("", |kind| kind.what);
            let mut cells = vec![Cell::new(what)];
            for phase in 0..phases.len() {
                let wall = median(&rows, |one| one.phases[phase].wall_ns);
                let cpu = median(&rows, |one| one.phases[phase].cpu_ns);
                let wall_then = median(&first, |one| one.phases[phase].wall_ns);
                let cpu_then = median(&first, |one| one.phases[phase].cpu_ns);
                cells.push(Cell::new(format!(
                    "{wall:.0} | {cpu:.0} ({:.2} | {:.2})",
                    wall_then / wall,
                    cpu_then / cpu
                )));
            }
            for bytes in [
                median(&rows, |one| one.memory_bytes as f64),
                median(&rows, |one| one.anonymous_bytes as f64),
                median(&rows, |one| one.disk_bytes as f64),
            ] {
                cells.push(Cell::new(format!("{:.1} MB", bytes / 1e6)));
            }
            let right = |cell: Cell| cell.set_alignment(CellAlignment::Right);
            let mut cells = cells.into_iter();
            table.add_row(cells.next().into_iter().chain(cells.map(right)).collect::<Vec<_>>());
        }
        println!("{table}");
    }
}

/// Prints what overwriting took.
pub(crate) fn print_steady(measured: &[steady::Measured]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut header = vec!["engine".to_owned(), "value".into(), "mean ns".into()];
    header.extend(steady::PERCENTILES.iter().map(|p| match p {
        100.0 => "max us".to_owned(),
        p => format!("p{p} us"),
    }));
    header.extend(["files at most".to_owned(), "at the end".into()]);
    table.set_header(header);
    for one in measured {
        let kind = KINDS.iter().find(|kind| kind.name == one.task.engine);
        let mut cells = vec![Cell::new(kind.map_or("", |kind| kind.what))];
        cells.push(Cell::new(one.task.value_bytes));
        cells.push(Cell::new(format!("{:.0}", one.mean_ns)));
        cells.extend(
            one.percentiles_ns.iter().map(|(_, ns)| Cell::new(format!("{:.1}", *ns as f64 / 1e3))),
        );
        for times in [one.amplification_max, one.amplification_end] {
            cells.push(Cell::new(format!("{times:.2}x")));
        }
        table.add_row(cells);
    }
    println!("{table}");
}

fn median(rows: &[&Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut all: Vec<f64> = rows.iter().map(|one| of(one)).collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    if all.len() % 2 == 1 { all[middle] } else { (all[middle - 1] + all[middle]) / 2.0 }
}
