//! The command line of `hozo repl`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint, value_parser};

use super::moment::Moment;
use super::parse::waiting;
use super::server::Server;

/// Look after replication, on a server that runs
///
/// Servers whose configs have a section [replication.NAME] keep a log of what is changed
/// in their DBMs, and follow each other: see docs/replication.md. Which server is asked
/// --address says; without one it is that of the config, where its first rpc frontend
/// listens. Where tokens are asked for, `status` needs the right to read all DBMs, and
/// everything else that to administer them.
///
/// Examples:
///   hozo repl status --address db2:1978
///   hozo repl promote --address db2:1978
///   hozo repl follow --address db1:1978 http://db2:1978
///   hozo repl prune --address db1:1978 -3D
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Repl {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) command: ReplCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ReplCommand {
    Status(Status),
    Follow(Follow),
    Promote(Promote),
    Unfollow(Unfollow),
    Conflicts(Conflicts),
    Prune(Prune),
    Pull(Pull),
}

/// Show a server's role, its log, whom it follows and who follows it.
///
/// Exits with 0 if all is well; with 4 if somebody has to do something: another server was
/// promoted and this one takes no writes, or following has stopped; and with 1 if the
/// source cannot be reached just now, which is tried again by itself, or if the server
/// itself cannot be asked. With --wait, that is how it is when the time is over.
///
/// JSON: {"ok", "server", "kind", "role", "takes_writes", "epoch", "fenced", "head":
/// [{"server", "updates"}], "newest", "log_bytes", "source": {"address", "server", "state",
/// "error", "behind", "lag_s", "loaded", "of"} or null, "followers": [{"server", "name",
/// "connected", "has": [{"server", "updates"}] or null, "behind"}], "ack", "conflicts"},
/// where the role is master, dual master or follower, and the state connecting, loading,
/// following or stopped. "fenced" and "error" say why, or are null.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// Wait, at most so long, until this server has all that its source has, and all who
    /// follow it have all that it has.
    #[arg(long, value_name = "SECONDS", value_parser = waiting)]
    pub(crate) wait: Option<f64>,
    /// With --wait, also wait until so many followers are connected that say what they have.
    #[arg(long, value_name = "N", requires = "wait", default_value_t = 0)]
    pub(crate) followers: usize,
}

/// Let a server follow another one from now on.
///
/// It goes on with what it has: where it is in the history is in its log, so nothing needs
/// to be said about that, whomever it followed before. A master becomes a follower by
/// this, which takes no writes; one of two masters stays one. It is remembered when the
/// server starts again, whatever its config says.
///
/// This answers at once; `status` says how following goes.
///
/// JSON: {"source"}.
#[derive(Args, Debug)]
pub(crate) struct Follow {
    /// Whom: HOST:PORT, http://HOST:PORT, https://HOST:PORT or unix:PATH, as the server
    /// that follows reaches it.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// Where the source is a tkrzw_server, which has times in place of positions: ask for
    /// updates from so many milliseconds later on, or earlier if it is negative.
    #[arg(
        long = "ts-skew",
        alias = "ts_skew",
        value_name = "MS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) skew_ms: i64,
}

/// Make a server a master that follows nobody, in a new epoch.
///
/// What has arrived of its source is applied first. A former master takes no writes any
/// more as soon as it hears of the new epoch. It is remembered when the server starts
/// again.
///
/// JSON: {"epoch"}.
#[derive(Args, Debug)]
pub(crate) struct Promote {}

/// Let a server follow nobody any more, in the role that it has.
///
/// JSON: {"done": true}.
#[derive(Args, Debug)]
pub(crate) struct Unfollow {}

/// Show records that two masters changed without knowing of each other.
///
/// Those that were found last come first. The later of both changes stands, by time and
/// server id.
///
/// JSON: an array of {"found", "dbm_index", "key" or "key_hex", "kept": {"server",
/// "time"}, "lost": {"server", "time"}}; without a key a whole DBM was cleared.
#[derive(Args, Debug)]
pub(crate) struct Conflicts {
    /// At most so many.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
}

/// Remove what is old from a server's log.
///
/// What followers still need stays, and so does what records may lack after a crash. The
/// server does the same by itself with what its config's `keep` says.
///
/// JSON: {"freed_bytes"}.
#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// Updates older than this go: -3D, -12H, -30M or -10S for days, hours, minutes or
    /// seconds, a time such as 2026-11-21T09:30:00Z, or milliseconds since 1970.
    #[arg(allow_hyphen_values = true)]
    pub(crate) before: Moment,
}

/// Copy the DBMs of a server that runs to a directory, or bring such a copy up to date.
///
/// With --namespaces the namespaces of stores as well, with their history, at the same
/// versions. The first time all records are copied, the next time what has changed since; either
/// goes on where it was interrupted. The server is not stopped meanwhile, and the copy does
/// not count as one of its followers: it is loaded anew if the server's log does not reach
/// back to it.
///
/// The copy is a directory with a config: `hozo --config DIR/hozo.toml dbm get KEY` reads
/// it, and with a frontend in its config it can be served. What was used to reach the
/// server is in the config, too, and need not be given again.
///
/// Examples:
///   hozo repl pull --address db1:1978 --to backup
///   hozo repl pull --to backup
///   hozo repl pull --to backup --wait 60
///   hozo repl pull --address db1:1978 --to backup --namespaces main
///
/// JSON: {"dir", "source", "head": [{"server", "updates"}], "newest", "items", "up_to_date"}.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Pull {
    /// The copy: a directory, made when it is first used.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) to: PathBuf,
    /// Of a new copy: what keeps its records.
    #[arg(long, value_name = "NAME", default_value = hozo::DEFAULT_BACKEND)]
    pub(crate) backend: String,
    /// Of a new copy: the stores of the server whose namespaces are copied.
    #[arg(long, value_name = "STORES", value_delimiter = ',')]
    pub(crate) namespaces: Vec<String>,
    /// Of a new copy: its server id, by chance unless given. No server that it hears of
    /// may have the same.
    #[arg(long, value_name = "ID", value_parser = value_parser!(u32).range(1..=2_147_483_647))]
    pub(crate) server_id: Option<u32>,
    /// Go on with what is changed meanwhile, until nothing has been for so long.
    #[arg(long, value_name = "SECONDS", value_parser = waiting, default_value = "0")]
    pub(crate) wait: f64,
    /// End after so many updates, or a few more, since updates arrive together.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) items: Option<u64>,
}
