//! The command line of `hozo token`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use hozo::rpc::Right;
use hozo::traits::check_dbm_name;

/// Make tokens, which say who asks of `hozo serve` and what they may do.
///
/// A frontend whose `tokens` names a file answers only who shows a token of that file. The
/// file has a hash of each token and its rights; the token itself is shown once, when it
/// is made. Clients send it as `authorization: Bearer TOKEN`.
#[derive(Subcommand, Debug)]
pub(crate) enum Token {
    New(New),
    List(List),
}

/// Make a token and print it; it is kept nowhere.
///
/// The entry for the file of tokens is added to --file, or printed below the token. A
/// running `hozo serve` reads the file again at SIGHUP.
///
/// Examples:
///   hozo token new web --right casket=write --file tokens.toml > web.token
///   hozo token new reports --right '*=read' --right audit=admin
///
/// JSON: {"name", "token", "sha256", "rights": {DBM: RIGHT}, "file"}; without --file, "file"
/// is null.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct New {
    /// What to call it, such as who gets it.
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// What its bearer may do with a DBM: `read`, `write` or `admin`, each with those before
    /// it. `*` stands for every DBM that is not named.
    #[arg(long = "right", value_name = "DBM=RIGHT", required = true, value_parser = right)]
    pub(crate) rights: Vec<(String, Right)>,
    /// The file of tokens; it is made if it is not there.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

/// List the tokens of a file, and what their bearers may do.
///
/// JSON: an array of {"name", "sha256", "rights": {DBM: RIGHT}}.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The file of tokens.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// The longest name of a token.
const NAME_MAX: usize = 100;

fn name(text: &str) -> Result<String, String> {
    // As it is between quotes in TOML, and in a log line.
    let fits = |c: char| !c.is_control() && c != '"' && c != '\\';
    if (1..=NAME_MAX).contains(&text.chars().count()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("a token's name is 1 to 100 characters, without quotes and backslashes".to_owned())
}

fn right(text: &str) -> Result<(String, Right), String> {
    let wrong = || "write DBM=read, DBM=write or DBM=admin; `*` is every other DBM".to_owned();
    let (dbm, right) = text.split_once('=').ok_or_else(wrong)?;
    let right = Right::ALL.into_iter().find(|known| known.as_str() == right).ok_or_else(wrong)?;
    if dbm != "*" {
        check_dbm_name(dbm).map_err(|e| e.message().to_owned())?;
    }
    Ok((dbm.to_owned(), right))
}
