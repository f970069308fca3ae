//! What is wrong with a config: where, what was meant, what to do.

use std::fmt;

use hozo_traits::{Error, ErrorKind};
use unicode_width::UnicodeWidthStr;

/// A place in a config's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The whole line.
    pub(crate) text: String,
    /// How many characters of it are meant, at least 1.
    pub(crate) width: usize,
}

/// One thing that is wrong with a config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    file: String,
    place: Option<Place>,
    message: String,
    label: Option<String>,
    notes: Vec<String>,
}

impl Problem {
    pub(crate) fn new(file: String, place: Option<Place>, message: String) -> Self {
        Problem { file, place, message, label: None, notes: Vec::new() }
    }

    /// Says under the caret what was meant.
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a line that says what to do, or which names exist.
    pub(crate) fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    /// The config file, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1; `None` when the file itself is the problem.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|p| p.line)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|p| p.column)
    }

    /// What is wrong, in a sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was probably meant.
    pub fn hint(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// What to do, and which names exist.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl fmt::Display for Problem {
    /// Several lines: the sentence, `file:line:column`, the line with a caret
    /// under what is meant, and notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        let Some(place) = &self.place else {
            write!(f, " --> {}", self.file)?;
            if let Some(label) = &self.label {
                write!(f, "\n  = {label}")?;
            }
            return self.notes.iter().try_for_each(|note| write!(f, "\n  = {note}"));
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{gutter}--> {}:{}:{}", self.file, place.line, place.column)?;
        writeln!(f, "{gutter} |")?;
        // A control character would disturb the terminal and the caret's column.
        let shown: String =
            place.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(f, "{number} | {}", shown.trim_end())?;
        // In columns of the terminal, of which some characters take two.
        let before: String = shown.chars().take(place.column - 1).collect();
        let meant: String = shown.chars().skip(place.column - 1).take(place.width).collect();
        let (indent, caret) = (" ".repeat(before.width()), "^".repeat(meant.width().max(1)));
        write!(f, "{gutter} | {indent}{caret}")?;
        if let Some(label) = &self.label {
            write!(f, " {label}")?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n{gutter} = {note}"))
    }
}

/// Everything that is wrong with a config, in the order of its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn one(problem: Problem) -> Self {
        Problems(vec![problem])
    }

    /// At least one of them.
    pub(crate) fn of(problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "no problems is not an error");
        Problems(problems)
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// The first of them, and how many others there are, without the text of
    /// the config: for where there is room for one line only.
    pub fn in_one_line(&self) -> String {
        let Some((first, others)) = self.0.split_first() else { return String::new() };
        let mut line = first.file.clone();
        if let Some(place) = &first.place {
            line.push_str(&format!(":{}:{}", place.line, place.column));
        }
        line.push_str(&format!(": {}", first.message));
        for more in first.label.iter().chain(&first.notes) {
            line.push_str(&format!("; {more}"));
        }
        match others.len() {
            0 => {}
            1 => line.push_str("; and one more problem, see `hozo check`"),
            n => line.push_str(&format!("; and {n} more problems, see `hozo check`")),
        }
        line
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    /// Every problem, each begun with `error: `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n\n" };
            write!(f, "{gap}error: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Error::new(ErrorKind::Invalid, "the config is wrong").caused_by(problems)
    }
}

/// The candidate that `given` was probably meant to be.
pub(crate) fn nearest<'a>(
    given: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Below this the two have little in common (0.0 to 1.0); clap draws the
    // line at the same place.
    const SIMILAR: f64 = 0.8;
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&given, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Names as a list in a sentence: `a`, `b`, `c`; "none" if there are none.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
