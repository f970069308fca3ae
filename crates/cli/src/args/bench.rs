//! The command line of `hozo bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint, value_parser};

pub(crate) mod rpc;

/// Measure stores with the same workloads, side by side.
///
/// Over the stores of the config, or over --backends. Each is measured as it is
/// configured, but in a directory of its own that is removed afterwards, with SQLite on
/// a plain file (WAL, synchronous=FULL) beside it where that can do the same. Every
/// trial has a process of its own, and the order changes with each repetition.
///
/// Examples:
///   hozo bench --backends memory,rocksdb --workloads ycsb-a,sqlite-commit-8
///   hozo bench --workloads sqlite --save before.json --html before.html
///   hozo bench compare before.json after.json --fail-over 5
///
/// JSON: the report, with every trial; see --save.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) command: Option<BenchCommand>,
    #[command(flatten)]
    pub(crate) measure: Measure,
}

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCommand {
    Compare(Compare),
    Show(Show),
    Rpc(Box<rpc::Rpc>),
    /// Run the trial on standard input, for `hozo bench` itself.
    #[command(hide = true)]
    Trial,
}

#[derive(Args, Debug)]
pub(crate) struct Measure {
    /// List the workloads, and measure nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Which workloads: names of --list, or ycsb, sqlite, travel, all.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all")]
    pub(crate) workloads: Vec<String>,

    /// Fresh stores of these backends, instead of the config's stores. The others are
    /// compared with the first.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Targets")]
    pub(crate) backends: Vec<String>,
    /// Only these stores of the config.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "backends",
        help_heading = "Targets"
    )]
    pub(crate) stores: Vec<String>,
    /// Measure the config's stores themselves, with all that they hold: in namespaces
    /// `bench-...` that are deleted afterwards. Records are not measured then, as a DBM
    /// cannot be taken out of a store again.
    #[arg(long, conflicts_with = "backends", help_heading = "Targets")]
    pub(crate) in_place: bool,
    /// Without SQLite on a plain file.
    #[arg(long, help_heading = "Targets")]
    pub(crate) no_yardstick: bool,
    /// Where stores are made; a new directory in the current one if not given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Targets")]
    pub(crate) dir: Option<PathBuf>,

    /// How long each trial is measured.
    #[arg(long, default_value = "3", value_parser = seconds, help_heading = "Load")]
    pub(crate) seconds: f64,
    /// How long each trial runs before it is measured.
    #[arg(
        long, value_name = "SECONDS", default_value = "1", value_parser = warm_up,
        help_heading = "Load"
    )]
    pub(crate) warm_up: f64,
    /// Trials of each workload on each target. With fewer than 5, no difference is
    /// certain.
    #[arg(
        long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000),
        help_heading = "Load"
    )]
    pub(crate) repeat: u32,
    /// Records, or rows, that are there before.
    #[arg(
        long, value_name = "N", default_value_t = 100_000,
        value_parser = value_parser!(u64).range(1..=10_000_000_000), help_heading = "Load"
    )]
    pub(crate) records: u64,
    /// Bytes in the value of each.
    #[arg(
        long, value_name = "N", default_value_t = 1_000,
        value_parser = value_parser!(u32).range(1..=16_777_216), help_heading = "Load"
    )]
    pub(crate) value_bytes: u32,
    /// Threads, or connections; each workload has its own number if not given.
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024),
        help_heading = "Load"
    )]
    pub(crate) threads: Option<u16>,
    /// Operations that arrive in a second, whether or not those before have ended (an
    /// open loop); latency counts from then. If not given, each thread begins one when
    /// its last one ended (a closed loop).
    #[arg(
        long, value_name = "OPS", value_parser = rate, allow_negative_numbers = true,
        help_heading = "Load"
    )]
    pub(crate) rate: Option<f64>,
    /// Updates of records wait until they are on stable storage, as the transactions
    /// of SQLite always do.
    #[arg(long, help_heading = "Load")]
    pub(crate) durable: bool,
    /// How many commits back `travel-deep` reads.
    #[arg(
        long, value_name = "COMMITS", default_value_t = 10_000,
        value_parser = value_parser!(u64).range(1..=100_000_000), help_heading = "Load"
    )]
    pub(crate) depth: u64,
    /// For all that is random; the same seed does the same operations.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) seed: u64,

    /// Write the report to this file, as JSON for `compare` and `show`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(crate) save: Option<PathBuf>,
    /// Write the report to this file, as one page with plots.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,
}

/// Say what changed between two reports beyond noise.
///
/// By the repetitions of each (Mann and Whitney's test at 1 %, and the interval that
/// belongs to it); 5 of each are needed. Workloads must have been run alike.
///
/// JSON: {"rows": [{"workload", "target", "metric", "medians", "ratio", "interval",
/// "verdict"}], "remarks": [...]}; the verdict is better, worse, same or too-few.
#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// The report to compare with.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) before: PathBuf,
    /// The report that may differ.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) after: PathBuf,
    /// Exit with 1 if anything is surely worse by more than this.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) fail_over: Option<f64>,
}

/// Show a report that was saved.
///
/// JSON: the report.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The report.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) report: PathBuf,
    /// Write it to this file, as one page with plots.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

/// A number in a range; `what` is said of one that is not.
fn number(text: &str, fits: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| fits(*number)).ok_or_else(|| what.to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, |s| s > 0.0 && s <= 86_400.0, "a number of seconds above 0, at most 86400")
}

fn warm_up(text: &str) -> Result<f64, String> {
    number(text, |s| (0.0..=86_400.0).contains(&s), "a number of seconds from 0 to 86400")
}

fn rate(text: &str) -> Result<f64, String> {
    let what = "operations a second, above 0 and at most 10000000";
    number(text, |rate| rate > 0.0 && rate <= 10_000_000.0, what)
}

fn percent(text: &str) -> Result<f64, String> {
    number(text, |percent| percent >= 0.0 && percent.is_finite(), "a percentage, 0 or more")
}
