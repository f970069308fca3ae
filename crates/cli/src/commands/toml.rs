//! A config, as it is written.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::exit;
use crate::failure::{Done, Failure};

/// The text of a config, and what is to be known about it.
#[derive(Default)]
pub(super) struct Toml {
    pub(super) text: String,
    pub(super) notes: Vec<String>,
}

impl Toml {
    pub(super) fn comment(&mut self, comment: &str) {
        // A comment cannot have what a name on the command line can.
        let plain = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
        for line in comment.chars().map(plain).collect::<String>().lines() {
            self.text.push_str(format!("# {line}").trim_end());
            self.text.push('\n');
        }
    }

    /// A comment that is also said where nobody reads the text.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        self.comment(&note);
        self.notes.push(note);
    }

    pub(super) fn section(&mut self, header: &str) {
        self.text.push_str(header);
        self.text.push('\n');
    }

    pub(super) fn key(&mut self, key: &str, value: impl Display) {
        self.text.push_str(&format!("{key} = {value}\n"));
    }

    pub(super) fn text_key(&mut self, key: &str, value: &str) {
        self.key(key, quoted(value));
    }

    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }
}

/// A string of TOML: one of JSON, but for one character.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// The path from the root, as text that a config can have.
pub(super) fn absolute(path: &str, base: &Path) -> Done<String> {
    let whole: PathBuf = base.join(path);
    whole.into_os_string().into_string().map_err(|path| {
        let shown = path.to_string_lossy().into_owned();
        Failure::new(exit::FAILED, format!("{shown} is not UTF-8, as paths of a config are"))
    })
}
