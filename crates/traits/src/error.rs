//! The one error of all Hozo crates.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// What any Hozo call answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was: what a caller branches on. Every frontend maps
/// all of these to its own codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// Somebody else's commit came first.
    Conflict,
    /// What was named does not exist.
    NotFound,
    /// What was to be made exists already.
    Exists,
    /// A write to something that can only be read, such as a snapshot.
    ReadOnly,
    /// The version was collected, or never was.
    VersionGone,
    /// Held by somebody else just now.
    Busy,
    /// The engine, the disk or the server does not answer as it should.
    Unavailable,
    /// A deadline passed.
    TimedOut,
    /// What is stored cannot be what was written.
    Corrupt,
    /// The store lacks a capability; the message names it.
    Unsupported,
    /// The request itself is wrong.
    Invalid,
    /// Larger than a limit; the message names the limit.
    TooLarge,
    /// Who asks did not say, or prove, who they are.
    Unauthenticated,
    /// Who asks may not.
    Denied,
    /// A defect of Hozo.
    Internal,
}

impl ErrorKind {
    /// Every kind, for the tests of total maps.
    pub const ALL: [ErrorKind; 15] = [
        ErrorKind::Conflict,
        ErrorKind::NotFound,
        ErrorKind::Exists,
        ErrorKind::ReadOnly,
        ErrorKind::VersionGone,
        ErrorKind::Busy,
        ErrorKind::Unavailable,
        ErrorKind::TimedOut,
        ErrorKind::Corrupt,
        ErrorKind::Unsupported,
        ErrorKind::Invalid,
        ErrorKind::TooLarge,
        ErrorKind::Unauthenticated,
        ErrorKind::Denied,
        ErrorKind::Internal,
    ];

    /// The kind in words, as error texts begin.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Conflict => "conflict",
            ErrorKind::NotFound => "not found",
            ErrorKind::Exists => "exists",
            ErrorKind::ReadOnly => "read-only",
            ErrorKind::VersionGone => "version gone",
            ErrorKind::Busy => "busy",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::TimedOut => "timed out",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Invalid => "invalid",
            ErrorKind::TooLarge => "too large",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Denied => "denied",
            ErrorKind::Internal => "internal error",
        }
    }

    const fn retry(self) -> Retry {
        match self {
            ErrorKind::Conflict => Retry::Transaction,
            ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::TimedOut => Retry::Later,
            _ => Retry::Never,
        }
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// The same call may succeed later.
    Later,
    /// Read again from a new snapshot, then try.
    Transaction,
}

/// A failure: its kind, a sentence, what it was about, and its cause.
pub struct Error {
    kind: ErrorKind,
    retry: Retry,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of this kind; `message` says what was wrong and, where it can,
    /// what to do.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Error {
            kind,
            retry: kind.retry(),
            message: message.into(),
            context: Vec::new(),
            source: None,
        }
    }

    /// Adds what the failure was about, such as `("page", 7)`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((key, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Replaces the retry class that the kind implies.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The sentence alone, without kind, context and cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the failure was about.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }
}

impl fmt::Display for Error {
    /// One line: kind, sentence, context in parentheses, causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)?;
        for (i, (key, value)) in self.context.iter().enumerate() {
            let open = if i == 0 { " (" } else { ", " };
            write!(f, "{open}{key} {value}")?;
        }
        if !self.context.is_empty() {
            f.write_str(")")?;
        }
        let mut cause = self.source.as_deref().map(|e| e as &dyn StdError);
        while let Some(e) = cause {
            write!(f, ": {e}")?;
            cause = e.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}
