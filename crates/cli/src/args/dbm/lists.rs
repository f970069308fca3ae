//! Commands about records in their order.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::args::parse::waiting;

/// How many records are shown, and how.
#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// At most so many; 0 for all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) items: u64,
    /// Write control characters as C does; otherwise they are shown as spaces.
    #[arg(long, conflicts_with = "hex")]
    pub(crate) escape: bool,
    /// Only keys.
    #[arg(long)]
    pub(crate) keys: bool,
}

/// List records, as KEY<tab>VALUE.
///
/// They come in the order of the store: by key if its backend is ordered. Only there
/// is a way backward, and can it begin at a key that has no record.
///
/// JSON: an array of {"key", "value"}.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Where to begin.
    #[arg(long = "move", value_enum, value_name = "WHERE", default_value_t = Move::First)]
    pub(crate) start: Move,
    /// The key that WHERE is about.
    #[arg(
        long,
        alias = "jump_key",
        value_name = "KEY",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub(crate) jump_key: OsString,
    /// Go the other way; the list of all begins at its other end then.
    #[arg(long)]
    pub(crate) reverse: bool,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Where a list begins, and which way it goes: as tkrzw_dbm_remote_util does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Move {
    /// The first record; forward.
    First,
    /// The last record; backward.
    Last,
    /// The record with the key, or the next one after it; forward.
    Jump,
    /// The last record before the key; forward.
    Jumplower,
    /// The record with the key, or the last one before it; forward.
    Jumplowerinc,
    /// The first record after the key; backward.
    Jumpupper,
    /// The record with the key, or the first one after it; backward.
    Jumpupperinc,
}

/// List the records whose keys match, as KEY<tab>VALUE
///
/// Ways to match (--mode):
///   contain, begin, end     the key has the pattern in it, at its beginning, at its end
///   containcase             contain, without a difference between upper and lower case
///   containword             contain, as a word of its own; containcaseword is both
///   contain* containcase* containword* containcaseword*
///                           the same for patterns of which one must match, one a line
///   regex                   a regular expression
///   edit, editbin           the most similar keys, by letters to change; by bytes
///   upper, upperinc         keys after the pattern, and itself, upward (ordered stores)
///   lower, lowerinc         keys before the pattern, and itself, downward
///
/// JSON: an array of {"key", "value"}.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Search {
    /// The pattern.
    pub(crate) pattern: OsString,
    /// How to match.
    #[arg(long, value_name = "MODE", default_value = "contain")]
    pub(crate) mode: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Store values at the end of a queue: under the time as their keys.
#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The values; `-` reads one from standard input.
    #[arg(required_unless_present = "value_file")]
    pub(crate) value: Vec<OsString>,
    /// A file with the value.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "value"
    )]
    pub(crate) value_file: Option<PathBuf>,
    /// The time, in seconds since 1970; if not given, the server's clock.
    #[arg(long, value_name = "SECONDS", value_parser = waiting)]
    pub(crate) time: Option<f64>,
    /// Wake those who wait in a `pop`.
    #[arg(long)]
    pub(crate) notify: bool,
}

/// Remove the first record of a queue and print its value.
///
/// JSON: {"key", "value"}, and where the key is a time, "time" in seconds.
#[derive(Args, Debug)]
pub(crate) struct Pop {
    /// Wait so long for a record if there is none.
    #[arg(long, value_name = "SECONDS", value_parser = waiting)]
    pub(crate) retry: Option<f64>,
    /// Print the key, too: the time in seconds, as TIME<tab>VALUE.
    #[arg(long)]
    pub(crate) key: bool,
    /// Write control characters as C does.
    #[arg(long, conflicts_with = "hex")]
    pub(crate) escape: bool,
}

/// `push` with values and `pop` without, as tkrzw_dbm_remote_util has it.
#[derive(Args, Debug)]
pub(crate) struct Queue {
    /// The values.
    pub(crate) value: Vec<OsString>,
    /// A single record instead of the whole DBM: with values it is set once there is
    /// none, without it is removed once there is one, and --retry waits for either.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) compex: Option<OsString>,
    /// Wake those who wait.
    #[arg(long)]
    pub(crate) notify: bool,
    #[command(flatten)]
    pub(crate) pop: Pop,
}
