//! Commands about single records.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

use crate::args::parse::{increment, waiting};

/// Print the value of a record.
///
/// With --multi the records of all keys that are there, as KEY<tab>VALUE, by key.
///
/// JSON: {"key", "value"}, and with --multi an array of them.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The key.
    pub(crate) key: OsString,
    /// More keys.
    #[arg(requires = "multi", value_name = "KEY")]
    pub(crate) more: Vec<OsString>,
    /// Any number of keys; those that are not there are passed over.
    #[arg(long)]
    pub(crate) multi: bool,
    /// Only the bytes of the value, without a line's end.
    #[arg(long, conflicts_with_all = ["multi", "escape", "json"])]
    pub(crate) raw: bool,
    /// Write tabs, line ends and other control characters as C does.
    #[arg(long, conflicts_with = "hex")]
    pub(crate) escape: bool,
}

/// Store a record.
///
/// JSON: {"done"}, and with --incr {"value"}.
#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The key.
    pub(crate) key: OsString,
    /// The value; `-` reads it from standard input, but not with --multi.
    #[arg(required_unless_present = "value_file", allow_negative_numbers = true)]
    pub(crate) value: Option<OsString>,
    /// More records.
    #[arg(requires = "multi", value_name = "KEY VALUE")]
    pub(crate) more: Vec<OsString>,
    /// Any number of records, a key and a value each. Of a key that is there twice, the
    /// first counts.
    #[arg(long, conflicts_with = "incr")]
    pub(crate) multi: bool,
    /// A file with the value.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["value", "incr"]
    )]
    pub(crate) value_file: Option<PathBuf>,
    /// Do not replace a record that is there: DUPLICATION_ERROR. With --multi the
    /// others are stored.
    #[arg(long, alias = "no_overwrite", conflicts_with_all = ["append", "incr"])]
    pub(crate) no_overwrite: bool,
    /// Append to the value that is there, after this delimiter.
    #[arg(long, value_name = "DELIMITER", allow_hyphen_values = true, conflicts_with = "incr")]
    pub(crate) append: Option<OsString>,
    /// Add VALUE, a number, to the record's; INITIAL is what it is if it is not there.
    #[arg(long, value_name = "INITIAL", allow_negative_numbers = true)]
    pub(crate) incr: Option<i64>,
}

/// Append to the value of a record, or make it.
#[derive(Args, Debug)]
pub(crate) struct Append {
    /// The key.
    pub(crate) key: OsString,
    /// What is appended; `-` reads it from standard input.
    #[arg(required_unless_present = "value_file")]
    pub(crate) value: Option<OsString>,
    /// A file with what is appended.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "value"
    )]
    pub(crate) value_file: Option<PathBuf>,
    /// Between the value that is there and the new one.
    #[arg(long, short, value_name = "BYTES", default_value = "", allow_hyphen_values = true)]
    pub(crate) delimiter: OsString,
}

/// Add to a number and print the sum.
///
/// A number is 8 bytes, big-endian and signed, and sums wrap around.
///
/// JSON: {"value"}.
#[derive(Args, Debug)]
pub(crate) struct Incr {
    /// The key.
    pub(crate) key: OsString,
    /// What is added; `read` prints the number as it is.
    #[arg(default_value = "1", value_parser = increment, allow_negative_numbers = true)]
    pub(crate) by: i64,
    /// What the number is before, if it is not there.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) initial: i64,
}

/// Remove a record.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The key.
    pub(crate) key: OsString,
    /// More keys.
    #[arg(requires = "multi", value_name = "KEY")]
    pub(crate) more: Vec<OsString>,
    /// Any number of keys; that some are not there is all right.
    #[arg(long)]
    pub(crate) multi: bool,
}

/// Change a record if it is as expected (compare and exchange)
///
/// Expected is what --expect, --expect-absent or --expect-any says; then --set, --remove
/// or --keep is done. Otherwise it is INFEASIBLE_ERROR (exit code 4).
///
/// With --file it is about many records at once: all are as expected and all change, or
/// none does. A line of the file, escaped as C does, is
///
///   KEY<tab>EXPECTED<tab>DESIRED
///
/// where EXPECTED is `absent`, `any`, `is:VALUE` or `-` (not compared), and DESIRED is
/// `set:VALUE`, `remove` or `-` (it stays).
///
/// JSON: {"done", "found"}; with --actual, if there was a record, "actual". It is written
/// also where it was not as expected. With --file {"done"}.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    group(ArgGroup::new("expected").args(["expect", "expect_absent", "expect_any"])),
    group(ArgGroup::new("desired").args(["set", "remove", "keep"])),
)]
pub(crate) struct Cas {
    /// The key.
    #[arg(required_unless_present = "file", requires = "expected", requires = "desired")]
    pub(crate) key: Option<OsString>,
    /// It has this value.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) expect: Option<OsString>,
    /// There is no record.
    #[arg(long)]
    pub(crate) expect_absent: bool,
    /// There is a record, whatever its value.
    #[arg(long)]
    pub(crate) expect_any: bool,
    /// It has this value afterwards.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) set: Option<OsString>,
    /// It is gone afterwards.
    #[arg(long)]
    pub(crate) remove: bool,
    /// It stays as it is: only compare.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the value that it had, also if it was not the expected one.
    #[arg(long)]
    pub(crate) actual: bool,
    /// Wait so long for the record to become as expected.
    #[arg(long, value_name = "SECONDS", value_parser = waiting)]
    pub(crate) retry: Option<f64>,
    /// Wake those who wait for this record.
    #[arg(long)]
    pub(crate) notify: bool,
    /// Many at once, from this file; `-` is standard input.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["key", "expected", "desired", "actual", "retry", "notify"]
    )]
    pub(crate) file: Option<PathBuf>,
}

/// Give a record another key.
#[derive(Args, Debug)]
pub(crate) struct Rekey {
    /// Its key now.
    pub(crate) old: OsString,
    /// Its new key.
    pub(crate) new: OsString,
    /// Do not replace a record that has the new key: DUPLICATION_ERROR.
    #[arg(long, alias = "no_overwrite")]
    pub(crate) no_overwrite: bool,
    /// Leave the record under its old key, too.
    #[arg(long)]
    pub(crate) copy: bool,
}
