//! `hozo bench rpc`

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hozo::Registry;
use hozo::traits::SystemAmbient;
use hozo_bench::clock::SystemClock;
use hozo_bench::format::nanos;
use hozo_bench::machine::Machine;
use hozo_bench::rpc::case::Case;
use hozo_bench::rpc::replication::Replication;
use hozo_bench::rpc::report::{Report, Settings};
use hozo_bench::rpc::run::{At, Run};
use hozo_bench::rpc::server::{Access, Address, Server, Tls, TlsFiles};
use hozo_bench::rpc::started::{Started, Wanted};
use hozo_bench::rpc::table::table;

use super::{interruption, scratch, write};
use crate::args::bench::rpc::{LoadKind, ReplicationName, Rpc};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

/// A bearer token, where the command line has none.
const TOKEN_VARIABLE: &str = "HOZO_TOKEN";
/// With fewer cores the client has one thread: the server needs the others.
const CORES_FOR_TWO_THREADS: usize = 4;

pub(super) fn run(args: &Rpc, context: &mut Context) -> Done {
    if args.load == Some(LoadKind::Closed) && args.rate.is_some() {
        return Err(Failure::new(exit::USAGE, "a closed loop has no --rate"));
    }
    // What cannot be written is better said before all is measured.
    if let Some(file) = &args.save {
        let opened = fs::OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|e| Failure::from(e).when(&file.display().to_string()))?;
    }
    let access = access(args)?;
    let against = args
        .against
        .as_deref()
        .map(|address| server("against", address, &access, args.index, args.against_pid));
    let against = against.transpose()?;
    let stop = interruption(context);
    // Servers stop, and the directory goes, when all is done.
    let (dir, started) = match &args.address {
        Some(_) => (None, Vec::new()),
        None => {
            let dir = scratch(args.dir.as_deref())?;
            let started = start(args, dir.path(), &stop)?;
            (Some(dir), started)
        }
    };
    let mut servers = compared(args, &started);
    if let Some(address) = &args.address {
        servers.push(server("server", address, &access, args.index, args.server_pid)?);
    }
    servers.extend(against);
    let run = Run { servers, cases: cases(args), settings: settings(args) };
    let machine = Machine::here(dir.as_ref().map_or(Path::new("."), |dir| dir.path()));
    let report = measured(&run, machine, context, &stop);
    drop(started);
    drop(dir);
    let report = report?;
    if let Some(file) = &args.save {
        write(file, &report.to_json())?;
    }
    answer(&report, context)?;
    if report.trials.len() < run.trials() {
        return Err(Failure::new(exit::FAILED, "interrupted; this is what was measured before"));
    }
    if !report.is_flawless() {
        return Err(Failure::new(exit::FAILED, "not every request went well, as said above"));
    }
    Ok(())
}

fn answer(report: &Report, context: &mut Context) -> Done {
    let text =
        if context.json { report.to_json() } else { table(report, context.out_style.is_on()) };
    Ok(context.out.write_all(text.as_bytes())?)
}

fn measured(
    run: &Run,
    machine: Machine,
    context: &Context,
    stop: &dyn Fn() -> bool,
) -> Done<Report> {
    let least = run.trials() as f64 * (run.settings.seconds + run.settings.warm_up_seconds);
    context.remark(format!(
        "{} trials, at least {} and the time to put in the records; seed {}",
        run.trials(),
        nanos(least * 1e9),
        run.settings.seed
    ));
    let bar = progress::share(context, "");
    let mut watch = |at: At<'_>| {
        let over = (at.trial as f64 + at.filled.unwrap_or_default() / 2.0) / at.trials as f64;
        bar.set_position((over * progress::SHARES as f64) as u64);
        let case = at.case;
        bar.set_message(match at.filled {
            Some(_) => format!("putting records into {}", at.server),
            None => {
                format!("{} {} × {} on {}", case.workload, case.mode, case.connections, at.server)
            }
        });
    };
    let clock = Arc::new(SystemClock::new());
    let report = run.run(&clock, &SystemAmbient, machine, &mut watch, stop);
    bar.finish_and_clear();
    Ok(report?)
}

/// A server over a fresh store of each backend, for each kind of replication.
fn start(args: &Rpc, dir: &Path, stop: &dyn Fn() -> bool) -> Done<Vec<Started>> {
    let program = std::env::current_exe()?;
    let serve = || {
        let mut command = Command::new(&program);
        command.arg("serve");
        command
    };
    let mut started: Vec<Started> = Vec::new();
    for (backend, replication) in kinds(args) {
        if stop() {
            return Err(Failure::new(exit::FAILED, "interrupted before anything was measured"));
        }
        let wanted = Wanted {
            backend: backend.to_owned(),
            durable: args.durable,
            threads: args.server_threads,
            replication,
        };
        let name = replication.name(backend);
        let dir = dir.join(&name);
        // The name of a backend is one of a directory, unless it is none.
        fs::create_dir(&dir).map_err(|e| Failure::from(e).when(&name))?;
        started.push(Started::new(&serve, &wanted, &Registry::builtin(), &dir)?);
    }
    Ok(started)
}

/// Which servers are started.
fn kinds(args: &Rpc) -> impl Iterator<Item = (&str, Replication)> {
    let kinds = args.replication.iter().map(|kind| Replication::from(*kind));
    args.backends.iter().flat_map(move |backend| kinds.clone().map(|kind| (&**backend, kind)))
}

/// Those that were started; each that replicates is compared with that of its
/// backend which does not.
fn compared(args: &Rpc, started: &[Started]) -> Vec<Server> {
    let with_none = args.replication.contains(&ReplicationName::None);
    let server = |((backend, kind), started): ((&str, Replication), &Started)| {
        let mut server = started.server().clone();
        server.against =
            (with_none && kind != Replication::None).then(|| Replication::None.name(backend));
        server
    };
    kinds(args).zip(started).map(server).collect()
}

fn server(
    name: &str,
    address: &str,
    access: &Access,
    dbm_index: i32,
    pid: Option<u32>,
) -> Done<Server> {
    let wrong = |e: hozo::traits::Error| Failure::new(exit::USAGE, e.to_string());
    let address: Address = address.parse().map_err(wrong)?;
    if matches!(address, Address::Tcp { tls: true, .. }) && access.tls.is_none() {
        return Err(Failure::new(exit::USAGE, format!("{address} is TLS"))
            .hint("--tls-ca names the certificates of which the server must have one"));
    }
    Ok(Server {
        name: name.to_owned(),
        address,
        access: access.clone(),
        dbm_index,
        pid,
        against: None,
        follower: None,
    })
}

fn access(args: &Rpc) -> Done<Access> {
    let from_file = |file: &Path| {
        let text = fs::read_to_string(file);
        text.map_err(|e| Failure::from(e).when(&file.display().to_string()))
    };
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => Some(token.clone()),
        (_, Some(file)) => Some(from_file(file)?.trim().to_owned()),
        // Servers that are started here want none.
        _ if args.address.is_none() => None,
        _ => std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()),
    };
    let files = args.tls_ca.as_ref().map(|ca| TlsFiles {
        ca: ca.clone(),
        client: args.tls_cert.clone().zip(args.tls_key.clone()),
        server_name: args.tls_name.clone(),
    });
    let tls = files.as_ref().map(Tls::of).transpose()?;
    Ok(Access { token, tls })
}

fn cases(args: &Rpc) -> Vec<Case> {
    let sizes = |list: &[u32]| list.iter().map(|n| *n as usize).collect::<Vec<_>>();
    let modes: Vec<_> = args.modes.iter().map(|mode| (*mode).into()).collect();
    Case::all(
        &args.workloads,
        &sizes(&args.value_bytes),
        &modes,
        &sizes(&args.pipeline),
        &sizes(&args.connections),
    )
}

fn settings(args: &Rpc) -> Settings {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = if cores < CORES_FOR_TWO_THREADS { 1 } else { 2 };
    Settings {
        records: args.records,
        key_prefix: args.key_prefix.clone(),
        keep: args.keep,
        seconds: args.seconds,
        warm_up_seconds: args.warm_up,
        rounds: args.rounds,
        rate: args.rate,
        threads: args.threads.map_or(threads, usize::from),
        seed: args.seed,
    }
}
