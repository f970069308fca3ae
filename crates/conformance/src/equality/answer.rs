//! Answers in a form in which those of two stores can be compared: versions
//! as the number of the commit that had them.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use hozo_traits::{
    CommitId, CommitOutcome, Conflict, Error, ErrorKind, LogEntry, NamespaceId, PageImage, PageNo,
    PageRuns, PageSize, Timestamp, Version,
};

/// The number of a commit, from 1 for the first that was made; 0 is before it.
pub(super) type Ordinal = usize;

/// A page's bytes, shown by their length and a digest.
#[derive(Clone, PartialEq)]
pub(super) struct Image(pub(super) Bytes);

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.0.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
        });
        write!(f, "{}:{digest:016x}", self.0.len())
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) commit: Ordinal,
    pub(super) time: Timestamp,
    pub(super) id: CommitId,
    pub(super) pages_written: u32,
    pub(super) pages: Option<PageRuns>,
    pub(super) page_size: PageSize,
    pub(super) page_count: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Answer {
    Made {
        commit: Ordinal,
        time: Option<Timestamp>,
    },
    /// Made without writing anything, so without a version of its own.
    MadeEmpty,
    PageConflict(NamespaceId, PageNo, Ordinal),
    NamespaceConflict(NamespaceId, Ordinal),
    MetaConflict(Bytes),
    /// One of several conditions failed; which one is named is the store's choice.
    SomeConflict,
    Pages(Vec<Option<(Ordinal, Image)>>),
    Staged(Vec<Option<Image>>),
    Log(Vec<Entry>),
    Meta(Vec<(Bytes, Bytes)>),
    Purged(u64),
    Done,
    Refused(ErrorKind),
    /// Something that no right store answers.
    Nonsense(String),
}

/// The versions that one store gave, by commit.
#[derive(Default)]
pub(super) struct Versions {
    by_ordinal: Vec<Version>,
    ordinals: BTreeMap<Version, Ordinal>,
}

impl Versions {
    pub(super) fn push(&mut self, version: Version) {
        self.by_ordinal.push(version);
        self.ordinals.insert(version, self.by_ordinal.len());
    }

    pub(super) fn newest(&self) -> Version {
        self.version(self.by_ordinal.len())
    }

    pub(super) fn version(&self, ordinal: Ordinal) -> Version {
        if ordinal == 0 { Version::ZERO } else { self.by_ordinal[ordinal - 1] }
    }

    fn ordinal(&self, version: Version) -> Result<Ordinal, String> {
        if version == Version::ZERO {
            return Ok(0);
        }
        let known = self.ordinals.get(&version).copied();
        known.ok_or_else(|| format!("{version} is no version that a commit was answered with"))
    }

    pub(super) fn pages(&self, found: Vec<Option<PageImage>>) -> Answer {
        let one = |image: PageImage| -> Result<_, String> {
            Ok((self.ordinal(image.version)?, Image(image.bytes)))
        };
        let all: Result<_, String> = found.into_iter().map(|p| p.map(one).transpose()).collect();
        all.map_or_else(Answer::Nonsense, Answer::Pages)
    }

    pub(super) fn log(&self, found: Vec<LogEntry>) -> Answer {
        let one = |entry: LogEntry| -> Result<_, String> {
            Ok(Entry {
                commit: self.ordinal(entry.version)?,
                time: entry.time,
                id: entry.commit_id,
                pages_written: entry.pages_written,
                pages: entry.pages,
                page_size: entry.page_size,
                page_count: entry.page_count,
            })
        };
        let all: Result<_, String> = found.into_iter().map(one).collect();
        all.map_or_else(Answer::Nonsense, Answer::Log)
    }

    /// Values of [`value`](super::driver): the first byte says where a version
    /// is, which becomes the commit's number.
    pub(super) fn meta(&self, found: Vec<(Bytes, Bytes)>) -> Answer {
        let one = |(key, value): (Bytes, Bytes)| -> Result<_, String> {
            let at = usize::from(value.first().copied().unwrap_or(0));
            if at == 0 {
                return Ok((key, value));
            }
            let mut bytes = value.to_vec();
            let field = bytes.get_mut(at..at + Version::LEN).ok_or("a value was cut")?;
            let version: [u8; 10] = (&*field).try_into().map_err(|_| "10 bytes")?;
            let ordinal = self.ordinal(Version::from_bytes(version))?;
            field.copy_from_slice(Version::from_seq(ordinal as u64).as_bytes());
            Ok((key, bytes.into()))
        };
        let all: Result<_, String> = found.into_iter().map(one).collect();
        all.map_or_else(Answer::Nonsense, Answer::Meta)
    }

    pub(super) fn outcome(&self, outcome: &CommitOutcome, shape: Shape) -> Answer {
        let answer = match outcome {
            CommitOutcome::Committed(_) if shape.empty => Ok(Answer::MadeEmpty),
            CommitOutcome::Committed(made) => self.ordinal(made.version).map(|commit| {
                // Without a log entry there is nothing that the time must agree with.
                Answer::Made { commit, time: shape.logged.then_some(made.time) }
            }),
            CommitOutcome::Conflict(_) if shape.guards > 1 => Ok(Answer::SomeConflict),
            CommitOutcome::Conflict(Conflict::Page { namespace, page, version }) => {
                self.ordinal(*version).map(|v| Answer::PageConflict(*namespace, *page, v))
            }
            CommitOutcome::Conflict(Conflict::Namespace { namespace, version }) => {
                self.ordinal(*version).map(|v| Answer::NamespaceConflict(*namespace, v))
            }
            CommitOutcome::Conflict(Conflict::Meta { key }) => {
                Ok(Answer::MetaConflict(key.clone()))
            }
        };
        answer.unwrap_or_else(Answer::Nonsense)
    }
}

/// What of a commit decides how its outcome is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) empty: bool,
    pub(super) logged: bool,
    pub(super) guards: usize,
}

pub(super) fn refused(error: &Error) -> Answer {
    Answer::Refused(error.kind())
}

/// Whether two answers are as equal as the contract demands.
pub(super) fn same(left: &Answer, right: &Answer) -> bool {
    /// A store need not list more runs than these.
    const RUNS_LISTED: usize = 4;
    if matches!(left, Answer::Nonsense(_)) || matches!(right, Answer::Nonsense(_)) {
        return false;
    }
    let (Answer::Log(left), Answer::Log(right)) = (left, right) else { return left == right };
    left.len() == right.len()
        && left.iter().zip(right).all(|(l, r)| {
            let scattered = |runs: &PageRuns| runs.runs().len() > RUNS_LISTED;
            let pages = match (&l.pages, &r.pages) {
                (None, None) => true,
                (Some(runs), None) | (None, Some(runs)) => scattered(runs),
                (Some(left), Some(right)) => left == right,
            };
            pages && Entry { pages: None, ..l.clone() } == Entry { pages: None, ..r.clone() }
        })
}
