//! Commands about a DBM as a whole, and about its server.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// The form of a file of records.
#[derive(Args, Debug)]
pub(crate) struct FileForm {
    /// A line is a record, KEY<tab>VALUE; otherwise it is Tkrzw's flat record file.
    #[arg(long)]
    pub(crate) tsv: bool,
    /// In the lines, control characters are written as C does.
    #[arg(long, requires = "tsv")]
    pub(crate) escape: bool,
}

/// Store the records of a file.
///
/// The file is one that `export` made, or `tkrzw_dbm_util export`. Records are stored in
/// its order, many at once, and stay if it ends in an error, which says with what record
/// of the file. A file that is damaged is an error before its damaged record is stored.
///
/// JSON: {"records", "kept", "bytes", "seconds", "records_per_second"}; kept are those
/// that were there already and were not replaced.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) form: FileForm,
    /// Keep records that are there already.
    #[arg(long, alias = "no_overwrite")]
    pub(crate) no_overwrite: bool,
}

/// Write all records to a file.
///
/// Records that change meanwhile are written as they were before or as they are
/// afterwards. The file appears when it is complete. `import` and `tkrzw_dbm_util import`
/// read it.
///
/// JSON: {"records", "bytes", "seconds", "records_per_second"}; not with the file `-`.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The file; `-` is standard output.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) form: FileForm,
    /// Only keys, one a line.
    #[arg(long, requires = "tsv")]
    pub(crate) keys: bool,
    /// Replace a file that exists.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Print how many records there are.
///
/// JSON: {"count"}.
#[derive(Args, Debug)]
pub(crate) struct Count {}

/// Print what a DBM is and holds, or a server, as NAME=VALUE.
///
/// JSON: an object of the names and values; with NAME the value.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Only the value of this one.
    pub(crate) name: Option<String>,
    /// The server instead of a DBM; the same as --index -1.
    #[arg(long, conflicts_with = "index")]
    pub(crate) server: bool,
}

/// Remove all records.
///
/// On a terminal it asks first.
#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Make the files as small as the records allow.
///
/// JSON: {"done"}; with --if-needed it says whether it was.
#[derive(Args, Debug)]
pub(crate) struct Rebuild {
    /// Parameters that a server of Tkrzw's takes, as NAME=VALUE,NAME=VALUE.
    #[arg(default_value = "")]
    pub(crate) params: String,
    /// Only if it would free much.
    #[arg(long)]
    pub(crate) if_needed: bool,
}

/// Put everything on stable storage.
#[derive(Args, Debug)]
pub(crate) struct Sync {
    /// Parameters that a server of Tkrzw's takes, as NAME=VALUE,NAME=VALUE.
    #[arg(default_value = "")]
    pub(crate) params: String,
    /// So that it survives a power cut; a server of Tkrzw's hands it to the operating
    /// system only, otherwise.
    #[arg(long)]
    pub(crate) hard: bool,
}

/// Print what the server answers to a message: the message.
///
/// JSON: {"echo"}.
#[derive(Args, Debug)]
pub(crate) struct Echo {
    /// The message; words are joined by spaces.
    pub(crate) message: Vec<String>,
}

/// Say whether a server serves, or one of its DBMs.
///
/// Of the server, or of what --dbm or --index says. Exits with 1 if it does not.
///
/// JSON: {"status"}: serving or not-serving.
#[derive(Args, Debug)]
pub(crate) struct Health {}
