//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use hozo::pages::{Concurrency, NamespaceName, Target, When};

use crate::exit;

pub(crate) mod bench;
pub(crate) mod dbm;
pub(crate) mod dbm_server;
mod moment;
mod parse;
pub(crate) mod repl;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod token;
pub(crate) mod ulog;

/// SQLite databases that keep every version, and networked DBMs.
///
/// Hozo keeps SQLite databases, called namespaces, in a store. Every commit
/// stays: a database can be opened as it was at any version or moment. A store
/// keeps DBMs, too: records by key, for programs on the network (`hozo serve`).
#[derive(Parser, Debug)]
#[command(name = "hozo", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The config file; if not given, what HOZO_CONFIG names, or ./hozo.toml.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Write JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress bars and no remarks.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[arg(
        long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto,
        hide_possible_values = true, help = "Colours: auto (on a terminal, unless NO_COLOR is set), always, never"
    )]
    pub(crate) color: ColorWhen,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Init(Init),
    Check(Check),
    /// Make, list, rename and delete namespaces, and show their history.
    #[command(subcommand)]
    Ns(Ns),
    Sql(Sql),
    Import(Import),
    Export(Export),
    Env(Env),
    Doctor(Doctor),
    Dbm(Box<dbm::Dbm>),
    Serve(serve::Serve),
    DbmServer(Box<dbm_server::DbmServer>),
    Repl(Box<repl::Repl>),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Ulog(ulog::Ulog),
    Bench(Box<bench::Bench>),
    /// Print a script that completes hozo's commands and options in a shell.
    ///
    /// For bash: hozo completions bash > ~/.local/share/bash-completion/completions/hozo
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Write a commented hozo.toml and the directory for its store.
///
/// JSON: {"config", "data"}, the paths that were made.
#[derive(ClapArgs, Debug)]
pub(crate) struct Init {
    /// Where; it is made if it is not there.
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// What keeps the store.
    #[arg(long, value_name = "NAME", default_value = hozo::DEFAULT_BACKEND)]
    pub(crate) backend: String,
}

/// Check a config, and if asked for, whether stores are whole.
///
/// Of the config every error is shown at once, each with its line; if anything is wrong
/// with it, this exits with 5. Without more options nothing is opened.
///
/// With --store or --stores every byte of a store's files is read and compared, and nothing
/// is changed. Nobody else may have the store open meanwhile. It exits with 0 if all is
/// whole, and with 1 if not: then it says what is damaged, and what a repair would lose.
/// --repair says the same, asks (or takes --yes), and makes the store anew of what can be
/// read. The damaged files are kept beside it. It exits with 0 if all is whole afterwards.
///
/// JSON: {"ok", "file", "problems": [{"file", "line", "column", "message", "hint",
/// "notes"}], "stores": [{"name", "backend", "path"}], "namespaces": [{"match",
/// "store", "concurrency", "page_size"}], "dbms": [{"name", "store", "durability"}],
/// "replication": {"name", "kind", "server_id", "dir", "role", "follow", "ack",
/// "ack_timeout_ms", "segment_bytes", "keep_s", "keep_bytes"} or null, "frontends": [{"kind",
/// "claims": [...]}]}, and with --store or --stores "checked": [{"store", "state", "error",
/// "parts": [{"name", "bytes", "keys", "problems", "losses", "notes", "can_be_repaired"}],
/// "repaired"}], where the state is whole, damaged, repaired, failed, untouched (nothing was
/// ever stored) or no-check (the backend has none).
#[derive(ClapArgs, Debug)]
pub(crate) struct Check {
    /// The config; the one that other commands would use if not given.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Check this store, too; can be given more than once.
    #[arg(long, value_name = "NAME")]
    pub(crate) store: Vec<String>,
    /// Check all stores of the config, too.
    #[arg(long)]
    pub(crate) stores: bool,
    /// Repair what is damaged; of all stores unless --store says which.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Do not ask before a repair.
    #[arg(long, short, requires = "repair")]
    pub(crate) yes: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Ns {
    Create(Create),
    List(List),
    Stat(Stat),
    Rename(Rename),
    Delete(Delete),
    Log(Log),
}

/// Make an empty namespace.
///
/// The config says in which store, and what is not given here. JSON: as for `stat`.
#[derive(ClapArgs, Debug)]
pub(crate) struct Create {
    /// Letters, digits and _ - . / : +
    pub(crate) name: NamespaceName,
    /// Bytes in a page, until SQLite chooses another: 512 to 65536, a power of two.
    #[arg(long, value_name = "BYTES")]
    pub(crate) page_size: Option<u32>,
    /// How writers share it: `serial`, as SQLite does, or `optimistic`.
    #[arg(long, value_name = "KIND")]
    pub(crate) concurrency: Option<Concurrency>,
    /// Do nothing if it exists.
    #[arg(long)]
    pub(crate) if_not_exists: bool,
}

/// List the namespaces of all stores.
///
/// JSON: an array of {"name", "store", "id", "created", "version", "time", "page_size",
/// "page_count", "bytes", "concurrency"}; version and time are those of the head,
/// version is null before the first commit.
#[derive(ClapArgs, Debug)]
pub(crate) struct List {
    /// Only names that begin with this.
    #[arg(default_value = "")]
    pub(crate) prefix: String,
    /// Only this store.
    #[arg(long, value_name = "NAME")]
    pub(crate) store: Option<String>,
}

/// Show what a namespace is and holds now.
///
/// JSON: as for `list`, and "oldest" (the oldest version that can be read),
/// "commits", "commits_is_exact".
#[derive(ClapArgs, Debug)]
pub(crate) struct Stat {
    /// The namespace.
    pub(crate) name: NamespaceName,
}

/// Give a namespace another name; its history stays.
///
/// JSON: {"from", "to"}.
#[derive(ClapArgs, Debug)]
pub(crate) struct Rename {
    /// Its name now.
    pub(crate) from: NamespaceName,
    /// Its new name.
    pub(crate) to: NamespaceName,
}

/// Delete a namespace and all its history.
///
/// Asks first; where nobody can be asked, --yes is needed. JSON: {"deleted"}.
#[derive(ClapArgs, Debug)]
pub(crate) struct Delete {
    /// The namespace.
    pub(crate) name: NamespaceName,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Show the commits of a namespace, newest first.
///
/// Any version shown can be opened: hozo sql NAME@VERSION.
///
/// JSON: an array of {"version", "time", "pages_written", "page_size", "page_count",
/// "bytes", "commit_id"}; pages and bytes are the database's size after the commit.
#[derive(ClapArgs, Debug)]
pub(crate) struct Log {
    /// The namespace.
    pub(crate) name: NamespaceName,
    /// At most so many; 0 for all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) limit: u64,
    /// Only commits at or after this version or time.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<When>,
    /// Only commits at or before this version or time.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) until: Option<When>,
    /// Oldest first.
    #[arg(long)]
    pub(crate) oldest_first: bool,
}

/// Run SQL on a namespace, now or as it was
///
/// Without SQL it reads statements from the terminal or from standard input; `.help`
/// lists what else it understands there. A namespace as it was can only be read.
///
/// Examples:
///   hozo sql app 'SELECT * FROM users'
///   hozo sql app@-5m 'SELECT count(*) FROM users'
///   hozo sql app < schema.sql
///
/// JSON: an array of rows, each an object by column name, per statement that has
/// columns; a BLOB is a string of hex digits.
#[derive(ClapArgs, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Sql {
    /// The namespace, as NAME or NAME@WHEN.
    pub(crate) target: Target,
    /// Statements, separated by semicolons.
    pub(crate) sql: Option<String>,
    /// Make the namespace if it is not there.
    #[arg(long)]
    pub(crate) create: bool,
    /// How rows are written.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// The same as --mode csv.
    #[arg(long, conflicts_with_all = ["mode", "json"])]
    pub(crate) csv: bool,
    /// No column names above the rows.
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Mode {
    /// A table with lines.
    Table,
    /// Columns separated by `|`.
    List,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// An array of objects.
    Json,
    /// One line for each value.
    Line,
}

/// Copy a SQLite file into a namespace, in one commit.
///
/// The file stays as it is; it may be in use meanwhile, in WAL mode too. The namespace
/// is made if it is not there.
///
/// JSON: {"name", "version", "time", "page_size", "page_count", "bytes"}.
#[derive(ClapArgs, Debug)]
pub(crate) struct Import {
    /// The file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The namespace.
    pub(crate) name: NamespaceName,
    /// Put the file's contents in place of what the namespace holds. What it held
    /// stays in its history.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Copy a namespace, now or as it was, into a plain SQLite file.
///
/// The file appears when it is complete and checked.
///
/// JSON: {"name", "version", "time", "page_size", "page_count", "bytes", "file"}.
#[derive(ClapArgs, Debug)]
pub(crate) struct Export {
    /// The namespace, as NAME or NAME@WHEN.
    pub(crate) target: Target,
    /// The file.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Replace a file that exists.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Do not run SQLite's quick_check on the result.
    #[arg(long)]
    pub(crate) no_check: bool,
}

/// Print what to set so that an unmodified program uses a namespace.
///
/// For sh: eval "$(hozo env NAME)", then for example: sqlite3 NAME
///
/// JSON: an object of the environment variables' names and values.
#[derive(ClapArgs, Debug)]
pub(crate) struct Env {
    /// The namespace.
    pub(crate) name: NamespaceName,
}

/// Run a program with the preload library and tell whether its SQLite was reached.
///
/// The program runs as it would otherwise, and its exit code is shown. Let it open a
/// database, any will do.
///
/// Exits with 0 if it was, with 1 if not.
///
/// JSON: {"reached", "verdict", "exit_code", "copies": [...], "opens": [...],
/// "advice": [...]}; the verdict is works, refused, plain, past, hidden, no-sqlite or
/// not-loaded.
#[derive(ClapArgs, Debug)]
pub(crate) struct Doctor {
    /// The program and its arguments, after `--`.
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<std::ffi::OsString>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
