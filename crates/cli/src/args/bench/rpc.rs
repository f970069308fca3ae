//! The command line of `hozo bench rpc`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint, value_parser};
use hozo_bench::rpc::case::{Mode, Workload};
use hozo_bench::rpc::replication::Replication;

/// Measure servers of the DBM service by the load that they bear.
///
/// Without --address it starts `hozo serve` over a fresh store of each of --backends, so
/// that one command gives a table. With --address it measures a server that runs, Hozo's
/// or a tkrzw_server. --against names another one to compare with: both are measured in
/// turn, round by round, and the table has the ratios. Lists of values are all combined.
///
/// --replication measures each backend with an update log, with a follower, or with one
/// that acknowledges, beside itself without: so what each costs, and how far the follower
/// is behind.
///
/// Records are put in before, under keys that begin with --key-prefix, and taken out
/// afterwards. Every answer is checked: a wrong value is an error, and counts as such.
///
/// Examples:
///   hozo bench rpc --backends hashdbm,memory
///   hozo bench rpc --replication none,log,follower,ack --workloads set
///   hozo bench rpc --connections 1,8,32 --modes unary,stream --workloads get,set
///   hozo bench rpc --address db:1978 --workloads mixed:95 --rate 20000 --seconds 30
///   hozo bench rpc --against localhost:1979 --against-pid 4711 --value-bytes 8,1024
///
/// JSON: the report, with every trial: {"settings", "targets", "cases", "trials": [{"case",
/// "target", "round", "outcome": {"measured": {"answers", "throughput", "latency",
/// "server_cpu_ns", "client_cpu_ns", "unstarted", "lost_connections", "errors", "lag":
/// {"answered", "sent", "first_half", "second_half", "behind", "caught_up_ns"}}}}]}; "lag"
/// only of what has a follower.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Rpc {
    /// The server: HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:PATH.
    #[arg(long, value_name = "ADDRESS", help_heading = "Servers")]
    pub(crate) address: Option<String>,
    /// Fresh stores of these backends, each with a server of its own, if there is no
    /// --address.
    #[arg(
        long, value_name = "NAMES", value_delimiter = ',', alias = "backend",
        default_value = hozo::DEFAULT_BACKEND, conflicts_with = "address",
        help_heading = "Servers"
    )]
    pub(crate) backends: Vec<String>,
    /// What becomes of the updates of fresh stores. Each makes a server for each backend,
    /// which is compared with the one that has none, if that is among them.
    #[arg(
        long,
        value_enum,
        value_name = "KINDS",
        value_delimiter = ',',
        default_value = "none",
        conflicts_with = "address",
        help_heading = "Servers"
    )]
    pub(crate) replication: Vec<ReplicationName>,
    /// Another server, to compare with.
    #[arg(long, value_name = "ADDRESS", help_heading = "Servers")]
    pub(crate) against: Option<String>,
    /// The process of the server at --address, whose processor time is then told.
    #[arg(long, value_name = "PID", requires = "address", help_heading = "Servers")]
    pub(crate) server_pid: Option<u32>,
    /// The process of the server at --against.
    #[arg(long, value_name = "PID", requires = "against", help_heading = "Servers")]
    pub(crate) against_pid: Option<u32>,
    /// Which DBM of the servers at --address and --against.
    #[arg(
        long, value_name = "N", default_value_t = 0, value_parser = value_parser!(i32).range(0..),
        help_heading = "Servers"
    )]
    pub(crate) index: i32,
    /// Where stores are made; a new directory in the current one if not given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Servers")]
    pub(crate) dir: Option<PathBuf>,
    /// Updates of fresh stores wait until they are on stable storage.
    #[arg(long, conflicts_with = "address", help_heading = "Servers")]
    pub(crate) durable: bool,
    /// Threads of the servers over fresh stores; one for each core if not given.
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024),
        conflicts_with = "address", help_heading = "Servers"
    )]
    pub(crate) server_threads: Option<u32>,

    /// The token that proves who asks. Others can see it in the list of processes:
    /// HOZO_TOKEN and --token-file are safer.
    #[arg(
        long,
        value_name = "TOKEN",
        conflicts_with = "token_file",
        requires = "address",
        help_heading = "Servers"
    )]
    pub(crate) token: Option<String>,
    /// A file with the token.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "address",
        help_heading = "Servers"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificates (PEM) of which the servers must have one; with it all is TLS.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Servers")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The certificate (PEM) to show to the servers.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        requires_all = ["tls_ca", "tls_key"], help_heading = "Servers"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_cert",
        help_heading = "Servers"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// The name in the servers' certificate, where it is not the address's.
    #[arg(long, value_name = "NAME", requires = "tls_ca", help_heading = "Servers")]
    pub(crate) tls_name: Option<String>,

    /// What requests do: get, set, mixed:PERCENT (so many get, the others set),
    /// increment, echo.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "get,set",
        alias = "workload",
        help_heading = "Load"
    )]
    pub(crate) workloads: Vec<Workload>,
    /// How requests travel: each as a call of its own, or over one stream for each
    /// connection.
    #[arg(
        long,
        value_enum,
        value_name = "MODES",
        value_delimiter = ',',
        default_value = "unary",
        alias = "mode",
        help_heading = "Load"
    )]
    pub(crate) modes: Vec<ModeName>,
    /// How many connections there are.
    #[arg(
        long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1,8",
        value_parser = value_parser!(u32).range(1..=10_000), help_heading = "Load"
    )]
    pub(crate) connections: Vec<u32>,
    /// How many requests may be under way at once on each connection.
    #[arg(
        long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1",
        value_parser = value_parser!(u32).range(1..=1_000), help_heading = "Load"
    )]
    pub(crate) pipeline: Vec<u32>,
    /// Bytes in each value.
    #[arg(
        long, value_name = "NUMBERS", value_delimiter = ',', default_value = "8",
        value_parser = value_parser!(u32).range(0..=3_000_000), help_heading = "Load"
    )]
    pub(crate) value_bytes: Vec<u32>,
    /// Whether requests wait for each other: `closed` (each begins when the last one on
    /// its place ended) or `open` (--rate of them arrive in a second, whatever happens).
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Load")]
    pub(crate) load: Option<LoadKind>,
    /// Requests that arrive in a second over all connections, whether or not those
    /// before have ended; latency counts from then.
    #[arg(
        long, value_name = "OPS", value_parser = super::rate, allow_negative_numbers = true,
        required_if_eq("load", "open"), help_heading = "Load"
    )]
    pub(crate) rate: Option<f64>,
    /// Records that are there.
    #[arg(
        long, value_name = "N", default_value_t = 100_000,
        value_parser = value_parser!(u64).range(1..=1_000_000_000), help_heading = "Load"
    )]
    pub(crate) records: u64,
    /// What the keys of all of them begin with.
    #[arg(long, value_name = "TEXT", default_value = "hozo-bench:", help_heading = "Load")]
    pub(crate) key_prefix: String,
    /// Leave them there.
    #[arg(long, help_heading = "Load")]
    pub(crate) keep: bool,
    /// How long each trial is measured.
    #[arg(long, default_value = "3", value_parser = super::seconds, help_heading = "Load")]
    pub(crate) seconds: f64,
    /// How long each trial runs before it is measured.
    #[arg(
        long, value_name = "SECONDS", default_value = "0.5", value_parser = super::warm_up,
        help_heading = "Load"
    )]
    pub(crate) warm_up: f64,
    /// Trials of each case on each server.
    #[arg(
        long, value_name = "N", default_value_t = 3,
        value_parser = value_parser!(u32).range(1..=1000), help_heading = "Load"
    )]
    pub(crate) rounds: u32,
    /// Threads of the client; with more than one it can use more of the machine, and
    /// leaves less to a server on it.
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u16).range(1..=256),
        help_heading = "Load"
    )]
    pub(crate) threads: Option<u16>,
    /// For all that is random; the same seed does the same operations.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) seed: u64,

    /// Write the report to this file, too, as JSON.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(crate) save: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    Unary,
    Stream,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Unary => Mode::Unary,
            ModeName::Stream => Mode::Stream,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplicationName {
    /// They are in the store.
    None,
    /// They are in an update log, too.
    Log,
    /// A second server follows; how far it is behind is measured.
    Follower,
    /// Each waits until that one has it on its disk.
    Ack,
}

impl From<ReplicationName> for Replication {
    fn from(name: ReplicationName) -> Self {
        match name {
            ReplicationName::None => Replication::None,
            ReplicationName::Log => Replication::Log,
            ReplicationName::Follower => Replication::Follower,
            ReplicationName::Ack => Replication::Ack,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadKind {
    Closed,
    Open,
}
