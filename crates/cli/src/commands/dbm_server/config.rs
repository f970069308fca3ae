//! What the flags are as a config, and as options of the process.

use std::path::Path;

use hozo::rpc::Listen;

use super::super::toml::{Toml, absolute, quoted};
use super::dbms::{self, Dbm};
use super::replication;
use crate::args::dbm_server::DbmServer;
use crate::args::serve::LogLevel;
use crate::args::server::Auth;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::logging;

/// As many as Tkrzw's server has.
const DBMS_MAX: usize = 200;
const THREADS_MAX: i64 = 1024;
/// How long Tkrzw's server takes to stop, in seconds.
const SHUTDOWN_WAIT: f64 = 60.0;
const SHUTDOWN_WAIT_MAX: f64 = 1_073_741_824.0;

/// What the flags mean.
pub(super) struct Config {
    /// The config, as TOML.
    pub(super) text: String,
    /// What had no effect or another meaning.
    pub(super) notes: Vec<String>,
    pub(super) log: logging::To,
    pub(super) log_level: LogLevel,
}

impl Config {
    /// The config of these flags; relative paths are relative to `base`.
    pub(super) fn of(args: &DbmServer, base: &Path, backends: &[&str]) -> Done<Self> {
        if args.read_only {
            return Err(usage("--read_only: a server does not refuse updates of everybody")
                .hint(
                    "give clients a token that may only read: hozo token new NAME --right '*=read'",
                )
                .hint("and write `tokens = \"FILE\"` below [[frontend]] of --print-config"));
        }
        let mut to = Toml::default();
        let (log, log_level) = process(args, &mut to)?;
        let dbms = all(args, base, backends)?;
        for (place, dbm) in dbms.iter().enumerate() {
            write_dbm(place, dbm, &mut to);
        }
        replication::write(args, &dbms, base, &mut to)?;
        frontend(args, base, &mut to)?;
        Ok(Config { text: to.text, notes: to.notes, log, log_level })
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(exit::USAGE, message)
}

fn all(args: &DbmServer, base: &Path, backends: &[&str]) -> Done<Vec<Dbm>> {
    if args.dbms.len() > DBMS_MAX {
        return Err(usage(format!("there are at most {DBMS_MAX} DBMs")));
    }
    let nothing = [String::new()];
    let given = if args.dbms.is_empty() { &nothing[..] } else { &args.dbms };
    let mut dbms: Vec<Dbm> = Vec::new();
    for expression in given {
        let mut dbm = dbms::read(expression, base, backends)?;
        let taken = |dbms: &[Dbm], name: &str| dbms.iter().any(|other| other.name == name);
        if taken(&dbms, &dbm.name) {
            if dbm.path.is_some() {
                // A number would depend on the order, and a DBM is found by its name.
                let message = format!("there are two DBMs of the name {}", dbm.name);
                let hint = "give one of them another: PATH#name=NAME";
                return Err(usage(message).hint(hint));
            }
            let free = (2..).map(|n| format!("{}-{n}", dbm.name)).find(|n| !taken(&dbms, n));
            dbm.name = free.unwrap_or_default();
        }
        dbms.push(dbm);
    }
    Ok(dbms)
}

fn write_dbm(place: usize, dbm: &Dbm, to: &mut Toml) {
    to.gap();
    to.comment(&format!("The DBM with the index {place}: {:?}", dbm.expression));
    for note in &dbm.notes {
        to.note(format!("{}: {note}", dbm.name));
    }
    to.section(&format!("[store.dbm-{place}]"));
    to.text_key("backend", dbm.backend);
    if let Some(path) = &dbm.path {
        to.text_key("path", path);
    }
    to.section("[[dbm]]");
    to.text_key("name", &dbm.name);
    to.text_key("store", &format!("dbm-{place}"));
}

/// Flags about the process, for which `hozo serve` has options.
fn process(args: &DbmServer, to: &mut Toml) -> Done<(logging::To, LogLevel)> {
    let (level, name) = match &*args.log_level {
        _ if args.log_file.as_deref() == Some("") => (LogLevel::Off, "off"),
        "debug" => (LogLevel::Debug, "debug"),
        "info" => (LogLevel::Info, "info"),
        "warn" => (LogLevel::Warn, "warn"),
        "error" | "fatal" => (LogLevel::Error, "error"),
        "none" => (LogLevel::Off, "off"),
        other => {
            let levels = "debug, info, warn, error, fatal, none";
            return Err(usage(format!("--log_level {other:?} is none of {levels}")));
        }
    };
    let file = args.log_file.as_deref().filter(|file| !file.is_empty());
    let mut command = "hozo serve --config FILE".to_owned();
    for (option, value) in [("--pid-file", args.pid_file.as_deref()), ("--log-file", file)] {
        if let Some(value) = value {
            command.push_str(&format!(" {option} {}", quoted(value)));
        }
    }
    if level != LogLevel::Info {
        command.push_str(&format!(" --log-level {name}"));
    }
    to.comment("From the flags of tkrzw_server, by `hozo dbm-server`. To serve it:");
    to.comment(&format!("    {command}"));
    if args.daemon {
        to.comment("--daemon: `hozo serve` stays in the foreground, for systemd or a shell's &.");
    }
    log_notes(args, to)?;
    if args.asynchronous {
        to.comment("--async is without effect: serving is always asynchronous.");
    }
    Ok((logging::To::of(file.map(Path::new)), level))
}

fn log_notes(args: &DbmServer, to: &mut Toml) -> Done {
    const FORMS: [&str; 7] =
        ["simple", "simple_micro", "w3cdtf", "w3cdtf_micro", "rfc1123", "epoch", "epoch_micro"];
    match args.log_date.as_deref() {
        None | Some("w3cdtf_micro") => {}
        Some(form) if FORMS.contains(&form) => {
            to.note(format!("--log_date: log lines have the time as w3cdtf_micro, not {form}"));
        }
        Some(form) => {
            return Err(usage(format!("--log_date {form:?} is none of {}", FORMS.join(", "))));
        }
    }
    if args.log_td.is_some_and(|td| td != 0) {
        to.note("--log_td: log lines have the time in UTC");
    }
    Ok(())
}

fn frontend(args: &DbmServer, base: &Path, to: &mut Toml) -> Done {
    let listen = listen(args, base)?;
    to.gap();
    if args.address.is_none() && args.auth.is_none() {
        to.note(
            "--address: only this machine, where tkrzw_server without one listens on 0.0.0.0:1978; \
             say --address 0.0.0.0:1978 for others, and --auth so that not everybody can come",
        );
    }
    to.section("[[frontend]]");
    to.key("kind", "\"rpc\"");
    to.text_key("listen", &listen.to_string());
    match &args.auth {
        Some(auth) => tls(auth, &listen, base, to)?,
        None if !listen.is_local() => {
            to.note(format!(
                "--address: everybody who can reach {listen} can read and change everything \
                 there; --auth protects it"
            ));
            to.key("insecure", true);
        }
        None => {}
    }
    match args.threads {
        None => {}
        Some(threads) if (1..=THREADS_MAX).contains(&threads) => to.key("threads", threads),
        Some(threads) => {
            return Err(usage(format!("--threads is from 1 to {THREADS_MAX}, not {threads}")));
        }
    }
    let wait = args.shutdown_wait.unwrap_or(SHUTDOWN_WAIT);
    if !(0.0..=SHUTDOWN_WAIT_MAX).contains(&wait) {
        return Err(usage(format!("--shutdown_wait is a number of seconds, not {wait}")));
    }
    let seconds = wait.ceil().max(1.0);
    if seconds != wait {
        to.note(format!("--shutdown_wait: {wait} is {seconds} here, whole seconds from 1 on"));
    }
    to.key("stop_timeout_s", seconds);
    Ok(())
}

fn listen(args: &DbmServer, base: &Path) -> Done<Listen> {
    let default = if args.auth.is_some() { "0.0.0.0:1978" } else { "127.0.0.1:1978" };
    let address = args.address.as_deref().unwrap_or(default);
    match address.parse() {
        Ok(Listen::Unix(path)) => Ok(Listen::Unix(absolute(&path.to_string_lossy(), base)?.into())),
        Ok(listen) => Ok(listen),
        Err(e) => Err(usage(format!("--address {address:?}: {}", e.message()))),
    }
}

fn tls(auth: &Auth, listen: &Listen, base: &Path, to: &mut Toml) -> Done {
    if matches!(listen, Listen::Unix(_)) {
        return Err(usage("--auth: a Unix socket has no certificates")
            .hint("its mode says who may come: the one who starts this, alone"));
    }
    let mut keys = Vec::new();
    for (key, file) in [("cert", &auth.cert), ("key", &auth.key), ("client_ca", &auth.root)] {
        keys.push(format!("{key} = {}", quoted(&absolute(&file.to_string_lossy(), base)?)));
    }
    to.comment("--auth: clients show a certificate that the root vouches for.");
    to.key("tls", format!("{{ {} }}", keys.join(", ")));
    Ok(())
}
