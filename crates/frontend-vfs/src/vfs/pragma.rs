//! Pragmas that are answered here (`SQLITE_FCNTL_PRAGMA`).
//!
//! SQLite asks for every pragma while it prepares the statement, and handles
//! those itself that we do not know.

use std::str::FromStr;

use hozo_pages::Concurrency;

use crate::connection::{Connection, Synchronous};

/// What becomes of a pragma.
pub(super) enum Answer {
    /// SQLite handles it.
    NotOurs,
    /// SQLite handles it as if its value were this, which is not longer.
    Instead(&'static str),
    /// Done, with this row. There is no way to be done without one: SQLite
    /// would name the result's column with a null pointer, which CPython takes
    /// for lack of memory.
    Row(String),
    /// It fails, with this message.
    Error(String),
}

pub(super) fn answer(
    connection: &mut Connection,
    in_transaction: bool,
    name: &str,
    value: Option<&str>,
) -> Answer {
    match (name.to_ascii_lowercase().as_str(), value) {
        // A rollback after a conflict needs the journal, and an atomic commit of
        // several databases needs the one kind that has a super-journal
        // (`aMJNeeded` in `vdbeCommit`). It is in memory whatever its mode, so
        // the others would save nothing.
        ("journal_mode", Some(_)) => Answer::Row("delete".to_owned()),
        // In exclusive mode SQLite counts only its first commit.
        ("locking_mode", Some(_)) => Answer::Row("normal".to_owned()),
        ("synchronous", Some(value)) => synchronous(connection, in_transaction, value),
        ("synchronous", None) if connection.synchronous() == Synchronous::Off => {
            Answer::Row("0".to_owned())
        }
        ("hozo_concurrency", None) => Answer::Row(connection.concurrency().to_string()),
        ("hozo_concurrency", Some(value)) => match Concurrency::from_str(value) {
            Ok(concurrency) => match connection.set_concurrency(concurrency) {
                Ok(()) => Answer::Row(concurrency.to_string()),
                Err(e) => Answer::Error(e.to_string()),
            },
            Err(e) => Answer::Error(e.to_string()),
        },
        ("hozo_last_error", None) => {
            Answer::Row(connection.last_error().unwrap_or_default().to_owned())
        }
        _ => Answer::NotOurs,
    }
}

/// SQLite is told of all levels but OFF, and of NORMAL instead. With OFF it
/// would commit several databases without a super-journal, one after the other
/// (`vdbeCommit`), and skipping the syncs of a memory journal saves nothing.
fn synchronous(connection: &mut Connection, in_transaction: bool, value: &str) -> Answer {
    if in_transaction {
        // SQLite answers that this cannot be changed inside a transaction.
        return Answer::NotOurs;
    }
    let Ok(level) = Synchronous::from_str(value) else { return Answer::NotOurs };
    connection.set_synchronous(level);
    if level == Synchronous::Off { Answer::Instead("1") } else { Answer::NotOurs }
}
