//! hashdbm beside others of its kind, in one run: Tkrzw's HashDBM, redb, fjall
//! and RocksDB set, get, iterate and remove the same records.
//!
//! Each measurement is a process of its own, so that memory and CPU time are
//! that engine's alone, and rounds go through all engines in turn, so that a
//! busy minute of the machine meets all of them.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use serde::de::DeserializeOwned;

use crate::peers::{Failure, KINDS};
use crate::phases::{Measured, Task};

mod peers;
mod phases;
mod steady;
mod table;

/// Sets hashdbm beside Tkrzw's HashDBM, redb, fjall and RocksDB.
#[derive(Parser)]
#[command(name = "hozo-field", version)]
struct Args {
    /// The engines, in the order of the table; the first is the yardstick.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "tkrzw,hashdbm,hashdbm-kv,redb,fjall,rocksdb"
    )]
    engines: Vec<String>,
    /// Records of each measurement with values of 8 bytes; fewer with longer
    /// values, in proportion, but at least a fifth.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Bytes of a value.
    #[arg(long, value_delimiter = ',', default_value = "8,1024")]
    value_bytes: Vec<usize>,
    /// Threads that work at once.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<u64>,
    /// How often everything is measured; the table has the medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Keys in a random order instead of ascending.
    #[arg(long)]
    random: bool,
    /// Where the files go, in a directory that is removed afterwards.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Instead: overwrites records in a random order, each so often on average,
    /// and tells how long the slowest took and how large the files became.
    #[arg(long, value_name = "TIMES")]
    steady: Option<u64>,
    /// Writes every measurement to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures one engine and writes one line of JSON; what the others are
    /// started with.
    #[arg(long, hide = true)]
    one: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.one {
        Some(engine) => one(&args, engine),
        None => all(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("hozo-field: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The process of one measurement.
fn one(args: &Args, engine: &str) -> Result<(), Failure> {
    if let Some(times) = args.steady {
        let task = steady::Task {
            engine: engine.to_owned(),
            records: args.records,
            value_bytes: args.value_bytes[0],
            times,
        };
        println!("{}", serde_json::to_string(&steady::measure(&task, &args.dir)?)?);
        return Ok(());
    }
    let task = Task {
        engine: engine.to_owned(),
        records: args.records,
        value_bytes: args.value_bytes[0],
        threads: args.threads[0],
        random: args.random,
    };
    let measured = phases::measure(&task, &args.dir)?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

fn all(args: &Args) -> Result<(), Failure> {
    for engine in &args.engines {
        if !KINDS.iter().any(|kind| kind.name == engine) {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            return Err(
                format!("there is no engine `{engine}`; there are {}", names.join(", ")).into()
            );
        }
    }
    if let Some(times) = args.steady {
        return all_steady(args, times);
    }
    let mut measured: Vec<Measured> = Vec::new();
    let mut skipped = Vec::new();
    for round in 0..args.rounds {
        for &value_bytes in &args.value_bytes {
            for &threads in &args.threads {
                for engine in &args.engines {
                    if skipped.contains(engine) {
                        continue;
                    }
                    eprintln!(
                        "round {} of {}: {engine}, {value_bytes} bytes, {threads} threads",
                        round + 1,
                        args.rounds
                    );
                    match child(args, engine, value_bytes, threads, None)? {
                        Ok(one) => measured.push(one),
                        Err(why) => {
                            eprintln!("skipped {engine}: {why}");
                            skipped.push(engine.clone());
                        }
                    }
                }
            }
        }
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&measured)?)?;
    }
    table::print(&args.engines, &measured);
    Ok(())
}

/// Every engine under a load of overwrites, with each size of values.
fn all_steady(args: &Args, times: u64) -> Result<(), Failure> {
    let mut measured: Vec<steady::Measured> = Vec::new();
    for &value_bytes in &args.value_bytes {
        for engine in &args.engines {
            eprintln!("{engine}, {value_bytes} bytes, overwritten {times} times");
            match child(args, engine, value_bytes, 1, Some(times))? {
                Ok(one) => measured.push(one),
                Err(why) => eprintln!("skipped {engine}: {why}"),
            }
        }
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&measured)?)?;
    }
    table::print_steady(&measured);
    Ok(())
}

/// Measures in a process of its own; the inner error says why it was not possible.
fn child<T: DeserializeOwned>(
    args: &Args,
    engine: &str,
    value_bytes: usize,
    threads: u64,
    steady: Option<u64>,
) -> Result<Result<T, String>, Failure> {
    let records = (args.records * 8 / value_bytes.max(8) as u64).max(args.records / 5);
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", engine]);
    command.args(["--records", &records.to_string()]);
    command.args(["--value-bytes", &value_bytes.to_string()]);
    command.args(["--threads", &threads.to_string()]);
    command.arg("--dir").arg(&args.dir);
    if args.random {
        command.arg("--random");
    }
    if let Some(times) = steady {
        command.args(["--steady", &times.to_string()]);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(Ok(serde_json::from_slice(&output.stdout)?))
}
