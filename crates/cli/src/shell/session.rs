//! A connection and what was set for it; statements and scripts run on it.

use std::io::{BufRead, Write};
use std::sync::Arc;

use hozo::Stack;
use hozo::pages::Target;
use hozo_embedded::rusqlite::fallible_iterator::FallibleIterator as _;
use hozo_embedded::rusqlite::{Batch, Connection, Error as SqlError, ErrorCode};

use super::split::Splitter;
use super::{dot, render};
use crate::args::Mode;
use crate::exit;
use crate::failure::{Done, Failure};

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) headers: bool,
    /// Whether a table has to fit the terminal.
    pub(crate) fit: bool,
}

/// Whether to go on after a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    GoOn,
    Quit,
}

/// A shell on one namespace.
pub(crate) struct Session<'o> {
    pub(crate) stack: Arc<Stack>,
    pub(crate) target: Target,
    pub(crate) connection: Connection,
    pub(crate) settings: Settings,
    pub(crate) out: &'o mut dyn Write,
}

/// As SQLite has it; a longer statement is refused by it anyway.
const STATEMENT_BYTES_MAX: usize = 1_000_000_000;

impl Session<'_> {
    /// Runs the statements in `sql`, up to the first that fails. `line` is where
    /// it begins in its script, if it is from one.
    pub(crate) fn run(&mut self, sql: &str, line: Option<usize>) -> Done {
        let mut batch = Batch::new(&self.connection, sql);
        loop {
            match batch.next() {
                Ok(None) => return Ok(()),
                Ok(Some(mut statement)) => {
                    let ran = render::run(&mut statement, self.settings, self.out);
                    drop(statement);
                    ran.map_err(|e| self.explained(e, sql, line))?;
                }
                Err(e) => return Err(self.explained(Cause::Sql(e), sql, line)),
            }
        }
    }

    /// The failure of a statement; where SQLite has few words for what the
    /// store said, the store's.
    fn explained(&self, cause: Cause, sql: &str, line: Option<usize>) -> Failure {
        let from_store = match &cause {
            Cause::Sql(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseCorrupt
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::DiskFull
                        | ErrorCode::CannotOpen
                )
            ),
            Cause::Output(_) => false,
        };
        let failure = located(cause, sql, line);
        if !from_store {
            return failure;
        }
        let why = self.connection.query_row("PRAGMA hozo_last_error", [], |row| row.get(0));
        match why {
            Ok(why) => failure.because(why),
            // A plain file has nothing to add.
            Err(_) => failure,
        }
    }

    /// Runs a line that begins with a dot.
    pub(crate) fn dot(&mut self, line: &str) -> Done<Stop> {
        dot::run(self, line)
    }

    /// Runs a script to its end or its first error.
    pub(crate) fn script(&mut self, script: &mut dyn BufRead) -> Done {
        let mut splitter = Splitter::new();
        let mut line = String::new();
        let (mut number, mut first) = (0, 1);
        loop {
            line.clear();
            if script.read_line(&mut line)? == 0 {
                break;
            }
            number += 1;
            if splitter.is_idle() {
                // The rest of an earlier line: space and comments.
                splitter.take_rest();
                first = number;
                if line.trim_start().starts_with('.') {
                    match self.dot(&line).map_err(|e| e.when(&format!("line {number}")))? {
                        Stop::GoOn => continue,
                        Stop::Quit => return Ok(()),
                    }
                }
            }
            splitter.push(&line);
            if splitter.len() > STATEMENT_BYTES_MAX {
                let message =
                    format!("line {first}: a statement has more than {STATEMENT_BYTES_MAX} bytes");
                return Err(Failure::new(exit::FAILED, message));
            }
            if let Some(sql) = splitter.take() {
                self.run(&sql, Some(first))?;
                first = number;
            }
        }
        self.run(&splitter.take_rest(), Some(first))
    }
}

/// Why a statement did not run to its end.
pub(super) enum Cause {
    /// SQLite says no.
    Sql(SqlError),
    /// The rows could not be written.
    Output(std::io::Error),
}

impl From<SqlError> for Cause {
    fn from(error: SqlError) -> Self {
        Cause::Sql(error)
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Cause::Output(error)
    }
}

/// Adds where in the text the error is, if SQLite says.
fn located(cause: Cause, sql: &str, line: Option<usize>) -> Failure {
    let error = match cause {
        Cause::Sql(error) => error,
        Cause::Output(error) => return error.into(),
    };
    let place = match &error {
        // The offset is that in the rest of the text that SQLite still had.
        SqlError::SqlInputError { sql: rest, offset, .. } => usize::try_from(*offset)
            .ok()
            .map(|offset| sql.len().saturating_sub(rest.len()) + offset),
        _ => None,
    };
    let place = place.filter(|at| *at < sql.len() && sql.is_char_boundary(*at));
    let failure = Failure::from(error);
    let Some(at) = place else {
        return match line {
            Some(line) => failure.when(&format!("in the statement on line {line}")),
            None => failure,
        };
    };
    let start = sql[..at].rfind('\n').map_or(0, |i| i + 1);
    let text = crate::output::printable(sql[start..].lines().next().unwrap_or_default());
    let caret = " ".repeat(sql[start..at].chars().count()) + "^";
    let failure = match line {
        Some(line) => failure.when(&format!("line {}", line + sql[..at].matches('\n').count())),
        None => failure,
    };
    failure.showing(format!("  {text}\n  {caret}"))
}
