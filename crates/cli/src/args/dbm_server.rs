//! The command line of `hozo dbm-server`, which is that of tkrzw_server.

use clap::Args;

use super::server::{Auth, auth};

mod number;

use number::{metric, seconds};

/// Serve DBMs from the flags of tkrzw_server, for scripts that start one.
///
/// The flags become a config, which is served as `hozo serve` would; --print-config prints it
/// instead, with a comment where a flag has no effect or another meaning. Numbers may end
/// in k, ki, m, mi, g, gi, t or ti. Paths are relative to the working directory.
///
/// A DBM is PATH#NAME=VALUE,...; its extension or #dbm= says its kind, as in Tkrzw. Hash
/// DBMs are in the backend hashdbm; tree and skip DBMs are in rocksdb or sled, as this
/// build has them; tiny, baby, cache and std ones without a path are in memory, and with
/// one they are kept on the disk as they change. #name=NAME says what a DBM is called, instead
/// of its file name. PATH is a directory here: where Tkrzw has a file it is not
/// touched, and how to bring its records over is said. Without a DBM there is one in memory.
///
/// It listens on 127.0.0.1:1978 unless told otherwise, and with --auth on 0.0.0.0:1978;
/// tkrzw_server listens on 0.0.0.0:1978 in any case. An --address that others can reach is
/// served without protection, as there, if there is no --auth, and a warning says so.
///
/// With --ulog_prefix PREFIX its update log is in the directory PREFIX. With --repl_master
/// it follows that server, a tkrzw_server or Hozo: it is one of two masters if there is an
/// --ulog_prefix, and otherwise a follower, which takes no updates of clients. How far it came is in
/// the update log, so --repl_ts_file is not written.
///
/// Signals, output and JSON are as those of `hozo serve`; with --print-config it is JSON:
/// {"config", "notes": [...]}.
#[derive(Args, Debug)]
#[command(disable_version_flag = true)]
pub(crate) struct DbmServer {
    /// The DBMs, in the order of their indexes.
    #[arg(value_name = "PATH#NAME=VALUE,...")]
    pub(crate) dbms: Vec<String>,
    /// Print the config that the flags are, and serve nothing.
    #[arg(long = "print-config", alias = "print_config")]
    pub(crate) print_config: bool,
    /// Print the version.
    #[arg(long = "version")]
    pub(crate) version: bool,
    /// Where to listen: HOST:PORT or unix:PATH.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// TLS, with certificates that clients have to show.
    #[arg(long, value_name = "ssl:key=FILE,cert=FILE,root=FILE", value_parser = auth)]
    pub(crate) auth: Option<Auth>,
    /// Has no effect: serving is always asynchronous.
    #[arg(long = "async")]
    pub(crate) asynchronous: bool,
    /// Threads that serve; one for each processor if not given.
    #[arg(long, value_name = "NUM", value_parser = metric, allow_hyphen_values = true)]
    pub(crate) threads: Option<i64>,
    /// Where log lines go; standard error if not given. SIGHUP opens it again.
    #[arg(long = "log_file", value_name = "FILE")]
    pub(crate) log_file: Option<String>,
    /// The least important lines that are logged: debug, info, warn, error, fatal, none.
    #[arg(long = "log_level", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// Has no effect but a note: log lines have the time as w3cdtf_micro.
    #[arg(long = "log_date", value_name = "FORM")]
    pub(crate) log_date: Option<String>,
    /// Has no effect but a note: log lines have the time in UTC.
    #[arg(long = "log_td", value_name = "SECONDS", value_parser = metric, allow_hyphen_values = true)]
    pub(crate) log_td: Option<i64>,
    /// This server's id in replication; 1 if not given.
    #[arg(long = "server_id", value_name = "NUM", value_parser = metric, allow_hyphen_values = true)]
    pub(crate) server_id: Option<i64>,
    /// The directory of the update log.
    #[arg(long = "ulog_prefix", value_name = "PREFIX")]
    pub(crate) ulog_prefix: Option<String>,
    /// The size of a file of the update log, to the next power of two.
    #[arg(long = "ulog_max_file_size", value_name = "NUM", value_parser = metric, allow_hyphen_values = true)]
    pub(crate) ulog_max_file_size: Option<i64>,
    /// The server to follow: HOST:PORT or unix:PATH.
    #[arg(long = "repl_master", value_name = "ADDRESS")]
    pub(crate) repl_master: Option<String>,
    /// Certificates for the server to follow, which tkrzw_server has not: the root's, and
    /// what is shown to it.
    #[arg(long = "repl_auth", value_name = "ssl:key=FILE,cert=FILE,root=FILE", value_parser = auth)]
    pub(crate) repl_auth: Option<Auth>,
    /// Has no effect but a note: how far it came is in the update log.
    #[arg(long = "repl_ts_file", value_name = "FILE")]
    pub(crate) repl_ts_file: Option<String>,
    /// Has no effect but a note: how far it came is in the update log.
    #[arg(long = "repl_ts_from_dbm")]
    pub(crate) repl_ts_from_dbm: bool,
    /// Moves the moment from which a tkrzw_server is followed, in milliseconds.
    #[arg(long = "repl_ts_skew", value_name = "NUM", value_parser = metric, allow_hyphen_values = true)]
    pub(crate) repl_ts_skew: Option<i64>,
    /// Has no effect: updates come as they are made.
    #[arg(long = "repl_wait", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub(crate) repl_wait: Option<f64>,
    /// A file for the process id; it is there while the server serves.
    #[arg(long = "pid_file", value_name = "FILE")]
    pub(crate) pid_file: Option<String>,
    /// Go on in the background when everything has started.
    #[arg(long)]
    pub(crate) daemon: bool,
    /// How long what was accepted may go on at the end; 60 if not given.
    #[arg(long = "shutdown_wait", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub(crate) shutdown_wait: Option<f64>,
    /// Is refused: there are tokens for that.
    #[arg(long = "read_only")]
    pub(crate) read_only: bool,
}
