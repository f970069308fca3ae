//! Reading criterion's estimates back and setting them side by side.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Two measurements of one group, and what their ratio should be.
pub struct Comparison {
    /// What is compared, for the table.
    pub what: String,
    /// The criterion group.
    pub group: String,
    /// The measurement that is judged.
    pub ours: &'static str,
    /// The measurement that it is judged against.
    pub yardstick: &'static str,
    /// The aim, in words.
    pub aim: &'static str,
    /// Whether the table shows speed (yardstick's time over ours: more is
    /// better) or time (ours over the yardstick's: less is better).
    pub as_speed: bool,
}

/// Prints a table of the comparisons that were measured in this run.
///
/// Criterion keeps a median with a 95 % confidence interval for each
/// measurement; the range shown is the ratio at the unfavourable and at the
/// favourable ends of the two intervals.
pub fn print_ratios(criterion_dir: &Path, comparisons: &[Comparison]) {
    println!("\n{:<54} {:>12} {:>12} {:>8}  {:<15} aim", "what", "Hozo", "yardstick", "ratio", "");
    for c in comparisons {
        let ours = Median::read(criterion_dir, &c.group, c.ours);
        let yardstick = Median::read(criterion_dir, &c.group, c.yardstick);
        let (Some(ours), Some(yardstick)) = (ours, yardstick) else {
            println!("{:<54} not measured in this run", c.what);
            continue;
        };
        let ratio = |ours: f64, yardstick: f64| {
            if c.as_speed { yardstick / ours } else { ours / yardstick }
        };
        let ends = [ratio(ours.upper, yardstick.lower), ratio(ours.lower, yardstick.upper)];
        println!(
            "{:<54} {:>12} {:>12} {:>7.2}x  {:<15} {}",
            c.what,
            duration(ours.point),
            duration(yardstick.point),
            ratio(ours.point, yardstick.point),
            format!("({:.2}..{:.2})", ends[0].min(ends[1]), ends[0].max(ends[1])),
            c.aim,
        );
    }
}

struct Median {
    point: f64,
    lower: f64,
    upper: f64,
}

impl Median {
    fn read(dir: &Path, group: &str, name: &str) -> Option<Self> {
        let path: PathBuf = [group, name, "new", "estimates.json"].iter().collect();
        let text = fs::read_to_string(dir.join(path)).ok()?;
        let estimates: Value = serde_json::from_str(&text).ok()?;
        let median = &estimates["median"];
        Some(Median {
            point: median["point_estimate"].as_f64()?,
            lower: median["confidence_interval"]["lower_bound"].as_f64()?,
            upper: median["confidence_interval"]["upper_bound"].as_f64()?,
        })
    }
}

fn duration(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
