//! `hozo bench`

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use hozo::Registry;
use hozo::traits::SystemAmbient;
use hozo_bench::clock::SystemClock;
use hozo_bench::launch;
use hozo_bench::report::html::page;
use hozo_bench::report::table::table;
use hozo_bench::report::{Outcome, Report, Settings};
use hozo_bench::run::{At, Run};
use hozo_bench::trial::Phase;
use hozo_bench::workload::{Asked, WORKLOADS, Workload};
use serde_json::json;

use crate::args::bench::{Bench, BenchCommand, Measure, Show};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::output::list;
use crate::progress;

mod compare;
mod rpc;
mod targets;

pub(super) fn run(args: &Bench, context: &mut Context) -> Done {
    match &args.command {
        None if args.measure.list => list_workloads(context),
        None => measure(&args.measure, context),
        Some(BenchCommand::Compare(args)) => compare::run(args, context),
        Some(BenchCommand::Show(args)) => show(args, context),
        Some(BenchCommand::Rpc(args)) => rpc::run(args, context),
        Some(BenchCommand::Trial) => {
            Ok(launch::serve(&Registry::builtin(), io::stdin().lock(), &mut context.out)?)
        }
    }
}

fn list_workloads(context: &mut Context) -> Done {
    if context.json {
        let listed = WORKLOADS.map(
            |w| json!({ "name": w.name, "about": w.about, "over": w.over, "threads": w.threads }),
        );
        return context.write_json(&listed);
    }
    let rows = WORKLOADS.iter().map(|w| [w.name, w.about].map(str::to_owned));
    Ok(writeln!(context.out, "{}", list(["NAME", "WHAT"], &[], rows))?)
}

fn show(args: &Show, context: &mut Context) -> Done {
    let report = Report::from_file(&args.report)?;
    if let Some(file) = &args.html {
        write(file, &page(&report))?;
    }
    answer(&report, context)
}

fn measure(args: &Measure, context: &mut Context) -> Done {
    let workloads = Workload::named(&args.workloads)
        .map_err(|e| Failure::new(exit::USAGE, e.message()).hint("`hozo bench --list` has them"))?;
    let targets = targets::chosen(args, context)?;
    // What cannot be written is better said before all is measured.
    for file in [&args.save, &args.html].into_iter().flatten() {
        let opened = fs::OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|e| Failure::from(e).when(&file.display().to_string()))?;
    }
    let dir = scratch(args.dir.as_deref())?;
    let run = Run { targets, workloads, settings: settings(args), dir: dir.path().to_owned() };
    let report = measured(&run, context)?;
    drop(dir);
    if let Some(file) = &args.save {
        write(file, &report.to_json())?;
    }
    if let Some(file) = &args.html {
        write(file, &page(&report))?;
    }
    answer(&report, context)?;
    if report.trials.iter().any(|tried| matches!(tried.outcome, Outcome::Failed(_))) {
        return Err(Failure::new(exit::FAILED, "not every trial went well, as said above"));
    }
    if report.trials.len() < run.turns().len() {
        return Err(Failure::new(exit::FAILED, "interrupted; this is what was measured before"));
    }
    Ok(())
}

fn settings(args: &Measure) -> Settings {
    Settings {
        asked: Asked {
            records: args.records,
            value_bytes: args.value_bytes as usize,
            threads: args.threads.map(usize::from),
            rate: args.rate,
            durable: args.durable,
            depth: args.depth,
        },
        seconds: args.seconds,
        warm_up_seconds: args.warm_up,
        repeat: args.repeat,
        seed: args.seed,
    }
}

/// A directory for the stores, removed when all is done.
fn scratch(dir: Option<&Path>) -> Done<tempfile::TempDir> {
    let parent = dir.unwrap_or(Path::new("."));
    let shown = parent.display().to_string();
    let made = fs::create_dir_all(parent)
        .and_then(|()| fs::canonicalize(parent))
        .and_then(|parent| tempfile::Builder::new().prefix("hozo-bench-").tempdir_in(parent));
    made.map_err(|e| {
        Failure::from(e).when(&shown).hint("--dir names another directory for the stores")
    })
}

/// Whether somebody wants it to end. Processes that were started hear that, too,
/// and end by themselves.
fn interruption(context: &Context) -> impl Fn() -> bool + use<> {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    if let Err(e) = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)) {
        context.remark(format!("an interrupt will leave files behind: {e}"));
    }
    || INTERRUPTED.load(Ordering::Relaxed)
}

fn measured(run: &Run, context: &Context) -> Done<Report> {
    let stop = interruption(context);
    let turns = run.turns();
    for workload in &run.workloads {
        if turns.iter().all(|turn| turn.workload.name != workload.name) {
            context.remark(format!("{} is left out: no target can do it", workload.name));
        }
    }
    let least = turns.len() as f64 * (run.settings.seconds + run.settings.warm_up_seconds);
    context.remark(format!(
        "{} trials, at least {} and the time to fill the stores; seed {}",
        turns.len(),
        hozo_bench::format::nanos(least * 1e9),
        run.settings.seed
    ));
    if hozo_bench::machine::Machine::here(&run.dir).stores_in_memory() {
        context.remark("the stores are in memory here, where a durable write costs nothing");
    }
    let program = std::env::current_exe()?;
    let bar = progress::share(context, "");
    let mut watch = |at: At<'_>| {
        let doing = if at.phase.0 == Phase::Load { "filling" } else { "measuring" };
        bar.set_position((at.fraction() * progress::SHARES as f64) as u64);
        bar.set_message(format!("{} on {}, {doing}", at.workload, at.target));
    };
    let mut start = |trial: &_, progress: &mut dyn FnMut(Phase, f64)| {
        let mut command = Command::new(&program);
        command.args(["bench", "trial"]);
        launch::launch(command, trial, progress, &stop)
    };
    let report = run.run(&SystemClock::new(), &SystemAmbient, &mut start, &mut watch, &stop);
    bar.finish_and_clear();
    Ok(report?)
}

fn answer(report: &Report, context: &mut Context) -> Done {
    if context.json {
        return Ok(context.out.write_all(report.to_json().as_bytes())?);
    }
    let color = context.out_style.is_on();
    Ok(context.out.write_all(table(report, color).as_bytes())?)
}

fn write(file: &Path, text: &str) -> Done {
    fs::write(file, text).map_err(|e| Failure::from(e).when(&file.display().to_string()))
}
