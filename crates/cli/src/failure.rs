//! Why a command did not do what it was asked for.

use std::io::{self, Write};

use hozo::Problems;
use hozo::traits::{Error, ErrorKind};
use hozo_embedded::rusqlite;
use serde_json::json;

use crate::context::Context;
use crate::exit;
use crate::output::Style;

/// A failure: its exit code, its text, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    kind: &'static str,
    message: String,
    /// The place in a text that it is about, below the message.
    excerpt: Option<String>,
    hints: Vec<String>,
    /// It was said already, or there is nobody left to tell.
    quiet: bool,
}

impl Failure {
    pub(crate) fn new(exit: u8, message: impl Into<String>) -> Self {
        let kind = match exit {
            exit::USAGE => "usage",
            exit::NOT_FOUND => "not found",
            exit::CONFLICT => "conflict",
            exit::CONFIG => "config",
            _ => "failed",
        };
        let message = message.into();
        Failure { exit, kind, message, excerpt: None, hints: Vec::new(), quiet: false }
    }

    /// Ends with `exit`; what there was to say was said.
    pub(crate) fn quiet(exit: u8) -> Self {
        Failure { quiet: true, ..Failure::new(exit, "") }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Shows the place in a text that it is about.
    pub(crate) fn showing(mut self, excerpt: String) -> Self {
        self.excerpt = Some(excerpt);
        self
    }

    /// Begins the message with what was being done.
    pub(crate) fn when(mut self, doing: &str) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Says it in other words.
    pub(crate) fn saying(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// Ends the message with what was behind it, if anything is known.
    pub(crate) fn because(mut self, why: String) -> Self {
        if !why.is_empty() {
            self.message = format!("{}: {why}", self.message);
        }
        self
    }

    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// Says it, as JSON if that is what the caller reads.
    pub(crate) fn report(&self, context: &Context, to: &mut dyn Write) {
        if self.quiet {
            return;
        }
        if context.json {
            return self.report_json(to);
        }
        // Nothing can be done when nobody listens to errors.
        let _ = self.write(context.style, to);
    }

    /// Says it to a program.
    pub(crate) fn report_json(&self, to: &mut dyn Write) {
        let error = json!({
            "exit_code": self.exit, "kind": self.kind, "message": self.message, "hints": self.hints,
        });
        let _ = writeln!(to, "{}", json!({ "error": error }));
    }

    /// Says it to a person, in the midst of other things.
    pub(crate) fn show(&self, style: Style) {
        let _ = self.write(style, &mut io::stderr().lock());
    }

    fn write(&self, style: Style, to: &mut dyn Write) -> io::Result<()> {
        // Several problems of a config each begin with `error:` already.
        let message = self.message.strip_prefix("error: ").unwrap_or(&self.message);
        writeln!(to, "{} {message}", style.error("error:"))?;
        if let Some(excerpt) = &self.excerpt {
            writeln!(to, "{excerpt}")?;
        }
        self.hints.iter().try_for_each(|hint| writeln!(to, "{} {hint}", style.hint("hint:")))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::NotFound | ErrorKind::VersionGone => exit::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::Exists | ErrorKind::Busy => exit::CONFLICT,
            _ => exit::FAILED,
        };
        Failure { kind: error.kind().as_str(), ..Failure::new(exit, error.to_string()) }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        // Below the first paragraph is how the command is used.
        let text = error.to_string();
        let message = text.split("\n\n").next().unwrap_or_default().trim_end();
        Failure::new(exit::USAGE, message.strip_prefix("error: ").unwrap_or(message))
            .hint("`hozo --help` lists commands and options")
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::new(exit::CONFIG, problems.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            // Whoever reads our output has enough of it: `hozo ... | head`.
            io::ErrorKind::BrokenPipe => return Failure::quiet(exit::OK),
            io::ErrorKind::NotFound => exit::NOT_FOUND,
            io::ErrorKind::AlreadyExists => exit::CONFLICT,
            _ => exit::FAILED,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        // Our own values always have a JSON form, so this is the output's end.
        io::Error::from(error).into()
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (exit, kind) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (exit::CONFLICT, "busy"),
            Some(ErrorCode::ReadOnly) => (exit::FAILED, "read-only"),
            Some(ErrorCode::NotADatabase) => (exit::FAILED, "invalid"),
            Some(ErrorCode::OperationInterrupted) => (exit::FAILED, "interrupted"),
            Some(_) => (exit::FAILED, "sql"),
            None => (exit::FAILED, "failed"),
        };
        let message = match &error {
            // Only SQLite's own words: the statement is shown elsewhere.
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        Failure { kind, ..Failure::new(exit, message) }
    }
}

/// What a command answers.
pub(crate) type Done<T = ()> = Result<T, Failure>;
