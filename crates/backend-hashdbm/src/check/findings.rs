//! What a check found, for programs and in words.

use serde::Serialize;

/// How many of what is lost are named; all are counted.
pub(super) const NAMES_MAX: usize = 20;

/// What a check of a store found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Findings {
    /// Volume by volume.
    pub volumes: Vec<VolumeFindings>,
}

impl Findings {
    /// Whether everything is as it should be.
    pub fn is_clean(&self) -> bool {
        self.volumes.iter().all(VolumeFindings::is_clean)
    }

    /// Whether a repair would lose anything, or may.
    pub fn loses(&self) -> bool {
        self.volumes.iter().any(|volume| volume.loss.is_any())
    }
}

/// What a check of one volume found: of the pages, or of one DBM.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VolumeFindings {
    /// Its directory within the store's.
    pub volume: String,
    /// Bytes of its log.
    pub bytes: u64,
    /// Whole records in it, old ones included.
    pub records: u64,
    /// How many keys have a value, if the index knows all of the log.
    pub keys: Option<u64>,
    /// What cannot be read of the log.
    pub damage: Vec<Damage>,
    /// Why the index has to be made anew from the log, if it has to.
    pub index: Option<String>,
    /// Why nothing of it can be saved, if nothing can.
    pub hopeless: Option<String>,
    /// Bytes at the end that a crash left unfinished. They were never durable,
    /// and are no damage.
    pub torn_bytes: u64,
    /// What a repair would lose.
    pub loss: Loss,
}

impl VolumeFindings {
    /// Whether everything is as it should be.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.index.is_none() && self.hopeless.is_none()
    }

    /// What is wrong, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.damage.iter().map(Damage::to_string).collect();
        problems
            .extend(self.index.iter().map(|why| format!("the index has to be made anew: {why}")));
        problems.extend(self.hopeless.iter().map(|why| format!("the log cannot be read: {why}")));
        problems
    }

    /// What a repair would lose, a sentence each.
    pub fn losses(&self) -> Vec<String> {
        self.loss.sentences(self.hopeless.is_some())
    }

    /// What is no damage, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.torn_bytes > 0 {
            notes.push(format!(
                "{} bytes at the end are what a crash left unfinished; they never were durable",
                self.torn_bytes
            ));
        }
        if self.loss.removed_again > 0 {
            notes.push(format!(
                "{} keys whose removal cannot be read stay removed",
                self.loss.removed_again
            ));
        }
        notes
    }
}

/// A part of a log that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The file, within the store's directory.
    pub file: String,
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// What is wrong there.
    pub what: String,
    /// The log's positions that are concerned.
    pub positions: (u64, u64),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Damage { file, offset, bytes, what, positions: (from, to) } = self;
        write!(f, "{file}, {bytes} bytes at {offset}: {what} (positions {from} to {to})")
    }
}

/// What a repair would lose.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Loss {
    /// How many keys, or versions of pages and what belongs to them, have their
    /// newest value in what cannot be read.
    pub keys: u64,
    /// Of these, how many have an older value again after a repair. Never
    /// versions of pages: those are an error to read.
    pub older: u64,
    /// Some of the keys, in words.
    pub names: Vec<String>,
    /// Bytes that cannot be read of which no index says what was in them.
    pub unknown_bytes: u64,
    /// Between which positions these are.
    pub unknown: Vec<(u64, u64)>,
    /// Records that can be read, but belong to a batch that is not whole, which
    /// a repair drops as a whole.
    pub dropped: u64,
    /// Commits of pages of which such records are, in words; not more than a few.
    pub commits: Vec<String>,
    /// Keys whose removal cannot be read. A repair removes them again.
    pub removed_again: u64,
    /// Whether it is about pages.
    pub pages: bool,
}

impl Loss {
    /// Whether anything is lost.
    pub fn is_any(&self) -> bool {
        self.keys > 0 || self.unknown_bytes > 0 || self.dropped > 0
    }

    fn sentences(&self, hopeless: bool) -> Vec<String> {
        let mut said = Vec::new();
        if hopeless {
            said.push("everything: only a copy of the store helps".to_owned());
            return said;
        }
        if self.keys > 0 {
            let (these, after) = if self.pages {
                (
                    "versions of pages and what belongs to them",
                    "reading such a page is an error then, never an older image",
                )
            } else {
                ("records", "the others are gone")
            };
            let mut text =
                format!("{} {these} have their newest value in the damaged part; ", self.keys);
            if self.older > 0 {
                text += &format!("{} go back to an older value, ", self.older);
            }
            said.push(text + after);
            said.extend(self.names.iter().map(|name| format!("  {name}")));
            let more = self.keys - self.names.len() as u64;
            if more > 0 {
                said.push(format!("  and {more} more"));
            }
        }
        if self.unknown_bytes > 0 {
            let between: Vec<String> =
                self.unknown.iter().map(|(from, to)| format!("{from} to {to}")).collect();
            said.push(format!(
                "whatever was in {} bytes that no index knows (positions {}): what was written \
                 there is undone, and so is what was removed there: older values come back, it \
                 cannot be said which",
                self.unknown_bytes,
                between.join(", ")
            ));
        }
        if self.dropped > 0 {
            said.push(format!(
                "{} records that can be read, but are of updates that are not whole",
                self.dropped
            ));
            if !self.commits.is_empty() {
                said.push(
                    "of these commits of pages, which will be an error to read, never an older \
                     image:"
                        .to_owned(),
                );
                said.extend(self.commits.iter().map(|commit| format!("  {commit}")));
            }
        }
        said
    }
}
