//! The command line of `hozo serve`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// Serve the DBMs of the config to clients on the network.
///
/// Starts every network frontend of the config, all of them or none, and says in one line
/// each what listens where, with which DBMs, and whether it is protected. What happens
/// afterwards is logged on standard error.
///
/// SIGTERM, SIGINT and SIGQUIT end it: nothing new is taken, and what was accepted is
/// finished, within the time that the frontend's stop_timeout_s gives. What takes longer is
/// broken off, and it exits with 1; a second signal ends it at once. SIGHUP makes it read
/// certificates and tokens again, and open the log file again. Under systemd (Type=notify)
/// it says when it is ready, reads again and stops.
///
/// JSON: {"frontends": [{"kind", "listen", "protection"}], "dbms": [{"name", "store",
/// "backend", "durability"}]}, written when everything has started.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// How log lines are written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub(crate) log: LogFormat,
    /// The least important lines that are logged.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub(crate) log_level: LogLevel,
    /// Where log lines are added; standard error if not given.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log_file: Option<PathBuf>,
    /// A file for the process id; it is there while the server serves.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pid_file: Option<PathBuf>,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each.
    Text,
    /// A JSON object on a line for each.
    Json,
}

/// How important log lines are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    /// None.
    Off,
    /// What went wrong here.
    Error,
    /// Also what clients did wrong.
    Warn,
    /// Also starts, stops and what is read again.
    Info,
    /// Also every request.
    Debug,
    /// Everything.
    Trace,
}
