//! The command line of `hozo ulog`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use hozo::traits::ServerId;

use super::moment::Moment;

/// Look at the update log of a server, and remove what is old of it.
///
/// The log is the directory that `dir` of the config's [replication.NAME] names, unless
/// another is given. A server may be writing to it: nothing is locked and nothing is
/// changed, but by prune.
///
/// WHEN is milliseconds since 1970; how long ago, such as -3D (or later than now, +1H), with
/// D, H, M or S for days, hours, minutes or seconds, milliseconds without; or a time such as
/// 2026-11-21T09:30:00Z.
///
/// The names of tkrzw_ulog_util's commands and options work here, too.
#[derive(Subcommand, Debug)]
pub(crate) enum Ulog {
    List(List),
    Dump(Dump),
    Verify(Verify),
    Prune(Prune),
}

#[derive(Args, Debug)]
pub(crate) struct Directory {
    /// The log's directory; the config's if not given.
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

/// List the files of the log, the oldest first.
///
/// A line is, with tabs between: the file, its number, the time of its newest update in
/// milliseconds, how long ago that was, and its size in bytes. Without updates the time is 0
/// and its age `-`. A file that is damaged is marked as such. All of the log is read.
///
/// JSON: an array of {"path", "id", "first", "end", "bytes", "updates", "oldest", "newest",
/// "damaged"}; first and end are positions in the log, and times are null without updates.
#[derive(Args, Debug)]
#[command(visible_alias = "listfiles")]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) of: Directory,
    /// Only files with something of this time or later.
    #[arg(long, alias = "timestamp", value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<Moment>,
}

/// Print updates, in the order of the log.
///
/// A line is a record that was changed, with tabs between: the time in milliseconds, the
/// server that changed it, the index of the DBM, SET with key and value, REMOVE with the key,
/// or CLEAR. It is what `tkrzw_ulog_util read` prints. Updates that change no records are
/// shown with --json only.
///
/// A log that is damaged is printed up to there, and the command fails with 1.
///
/// JSON: an array of {"time", "timestamp", "origin", "seq", "digest", "server_id", "what"};
/// what is records, nothing, epoch or reset; of records there is "dbm_index", "reduced"
/// (effects were left out) and "effects", an array of {"op", "key", "value"}; of an epoch
/// there is "epoch". The timestamp is in milliseconds. Keys and values that are not UTF-8 are
/// hex digits under "key_hex" and "value_hex".
#[derive(Args, Debug)]
#[command(visible_alias = "read")]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) of: Directory,
    /// Only updates of this time or later.
    #[arg(long, alias = "timestamp", value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<Moment>,
    /// Only updates that this server made.
    #[arg(long, alias = "server_id", value_name = "ID", value_parser = server)]
    pub(crate) server_id: Option<ServerId>,
    /// Only updates of the DBM with this index.
    #[arg(long, aliases = ["index", "dbm_index"], value_name = "N")]
    pub(crate) dbm_index: Option<u32>,
    /// At most so many lines, or with --json updates; 0 for all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) items: u64,
    /// Write control characters as C does; otherwise they are shown as spaces.
    #[arg(long)]
    pub(crate) escape: bool,
}

/// Read all of the log and say whether it is whole.
///
/// Compared are the checksum of each record, the numbers and digests of each server's
/// updates, and what the log itself notes of them. An end that a crash has torn is no damage.
///
/// Exits with 0 if it is whole, and with 1 if not: then it says what is damaged, and where.
///
/// JSON: {"whole", "dir", "files", "bytes", "updates", "begin", "end", "position": {SERVER:
/// {"seq", "digest"}}, "newest", "epoch", "dbms", "checkpoint", "loading", "problem_count",
/// "problems": [{"file", "offset", "position", "what"}]}; at most a thousand problems are
/// listed.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) of: Directory,
}

/// Remove old updates while no server runs.
///
/// A running server does that by itself, as `keep` of its config says. Removed are whole
/// files in which all is older than --before, from the oldest on, but nothing that the
/// records may still lack. A follower that needs what is gone loads all records anew.
///
/// Asks first; where nobody can be asked, --yes is needed.
///
/// JSON: {"removed": [PATH], "bytes", "left", "dry_run"}.
#[derive(Args, Debug)]
#[command(visible_alias = "removeoldfiles")]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) of: Directory,
    /// Remove what is older.
    #[arg(
        long,
        alias = "timestamp",
        value_name = "WHEN",
        default_value = "-7D",
        allow_hyphen_values = true
    )]
    pub(crate) before: Moment,
    /// Keep the latest so many files, however old they are; one always stays.
    #[arg(
        long, alias = "exclude_latest", value_name = "N", default_value_t = 1,
        num_args = 0..=1, require_equals = true, default_missing_value = "1"
    )]
    pub(crate) keep_latest: usize,
    /// Only say what would be removed; that works while a server runs.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn server(text: &str) -> Result<ServerId, String> {
    let id = text.parse().ok().and_then(|id| ServerId::new(id).ok());
    id.ok_or_else(|| "a server id is a number from 1 to 2147483647".to_owned())
}
