//! Step one: the text of a config, as TOML with the place of every key and value.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Place, Problem, Problems};

/// The text of a config and what to call it in problems.
pub(crate) struct Text {
    name: String,
    body: String,
}

impl Text {
    /// The largest config that is read. A larger file is not a config.
    pub(crate) const BYTES_MAX: usize = 1 << 20;

    /// Takes the bytes of a file, which must be UTF-8 and not too many.
    pub(crate) fn new(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Problems> {
        let name = name.into();
        if bytes.len() > Self::BYTES_MAX {
            let message =
                format!("a config has at most {} bytes, this has {}", Self::BYTES_MAX, bytes.len());
            return Err(Problems::one(Problem::new(name, None, message)));
        }
        match String::from_utf8(bytes) {
            Ok(body) => Ok(Text { name, body }),
            Err(e) => {
                let at = e.utf8_error().valid_up_to();
                let body = String::from_utf8_lossy(e.as_bytes()).into_owned();
                let text = Text { name, body };
                // Everything before the first bad byte is unchanged, so the
                // offset is right in the repaired text too.
                let place = text.place(&(at..at));
                let message = "not UTF-8 text; a config is UTF-8".to_owned();
                Err(Problems::one(Problem::new(text.name, Some(place), message)))
            }
        }
    }

    /// Parses; what cannot be read is reported, the rest is given.
    pub(crate) fn parse<'t>(&'t self, report: &mut Report<'t>) -> DeTable<'t> {
        let (table, errors) = DeTable::parse_recoverable(&self.body);
        for error in errors {
            let span = error.span().unwrap_or(self.body.len()..self.body.len());
            report.syntax(span, error.message());
        }
        table.into_inner()
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let floor = |mut at: usize| {
            at = at.min(self.body.len());
            while !self.body.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(span.start), floor(span.end.max(span.start)));
        let line_start = self.body[..start].rfind('\n').map_or(0, |i| i + 1);
        let line = self.body[line_start..].lines().next().unwrap_or_default();
        let width = self.body[start..end].lines().next().unwrap_or_default().chars().count();
        Place {
            line: self.body[..start].matches('\n').count() + 1,
            column: self.body[line_start..start].chars().count() + 1,
            text: line.to_owned(),
            width: width.max(1),
        }
    }
}

/// What is wrong with a text, collected while it is read.
pub(crate) struct Report<'t> {
    text: &'t Text,
    found: Vec<Found>,
}

struct Found {
    span: Range<usize>,
    problem: Problem,
    /// Where the text is no TOML, what was understood there is not what was
    /// meant; see [`Report::finish`].
    syntax: bool,
    absence: bool,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t Text) -> Self {
        Report { text, found: Vec::new() }
    }

    /// Something at `span` is wrong.
    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.push(span, message.into(), false, false)
    }

    /// Something that should be in the section that begins at `span` is not.
    pub(crate) fn missing(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.push(span, message.into(), false, true)
    }

    fn syntax(&mut self, span: Range<usize>, message: &str) {
        let message = match message {
            "duplicate key" => "this is here twice".to_owned(),
            other => format!("not TOML: {other}"),
        };
        self.push(span, message, true, false);
    }

    fn push(
        &mut self,
        span: Range<usize>,
        message: String,
        syntax: bool,
        absence: bool,
    ) -> &mut Problem {
        let place = self.text.place(&span);
        let problem = Problem::new(self.text.name.clone(), Some(place), message);
        self.found.push(Found { span, problem, syntax, absence });
        &mut self.found.last_mut().expect("just pushed").problem
    }

    /// Where a value was, for saying "first here" in another problem.
    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        self.text.place(span).line
    }

    /// Everything found, in the order of the text.
    ///
    /// Where there are syntax errors, what else is wrong on the same lines is
    /// only their echo, and so is every absence: the rest of the text would
    /// have had it.
    pub(crate) fn finish(mut self) -> Result<(), Problems> {
        let broken: Vec<usize> =
            self.found.iter().filter(|f| f.syntax).filter_map(|f| f.problem.line()).collect();
        if !broken.is_empty() {
            self.found.retain(|f| {
                f.syntax || !(f.absence || f.problem.line().is_some_and(|l| broken.contains(&l)))
            });
        }
        self.found.sort_by_key(|f| f.span.start);
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(Problems::of(self.found.into_iter().map(|f| f.problem).collect()))
        }
    }
}

/// The entries of a table in the order of the text.
pub(crate) fn in_file_order<'t>(
    table: DeTable<'t>,
) -> Vec<(Spanned<std::borrow::Cow<'t, str>>, Spanned<DeValue<'t>>)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
