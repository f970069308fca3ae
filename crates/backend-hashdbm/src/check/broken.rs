//! A commit of pages of which one page cannot be read: its entry in the page
//! log says which, so that all else of it can stay.

use std::collections::BTreeSet;

use bytes::Bytes;
use hozo_ordered::Space;
use hozo_ordered::salvage::{self, LostPage};

use hozo_log::survey::{Gap, lone_record};
use hozo_log::{Entry, Record};

const PUT: u8 = 16;

/// Records of a batch that is not whole, and what is between them.
#[derive(Default)]
pub(super) struct Broken {
    records: Vec<Owned>,
    /// The damaged parts, and whether each is one page's record as its header
    /// says.
    gaps: Vec<(Gap, bool)>,
}

struct Owned {
    kind: u8,
    key: Vec<u8>,
    value: Bytes,
}

impl Broken {
    pub(super) fn push(&mut self, record: &Record<'_>) {
        let value = Bytes::copy_from_slice(record.value);
        self.records.push(Owned { kind: record.kind, key: record.key.to_vec(), value });
    }

    /// A damaged part, and its bytes.
    pub(super) fn gap(&mut self, gap: &Gap, bytes: &[u8]) {
        let page = lone_record(bytes).is_some_and(|(kind, key)| {
            kind == PUT + Space::Pages.number() && LostPage::of_key(key).is_some()
        });
        self.gaps.push((gap.clone(), page));
    }

    /// Its records.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        self.records.iter().map(|r| Entry { kind: r.kind, key: &r.key, value: &r.value }).collect()
    }

    /// Entries of the page log among its records.
    pub(super) fn commits(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries().into_iter().filter(|entry| entry.kind == PUT + Space::Log.number())
    }

    /// How many records it has.
    pub(super) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// If one page is all that is missing: which, and where it was.
    pub(super) fn lacks(&self) -> Option<(LostPage, &Gap)> {
        let [(gap, true)] = self.gaps.as_slice() else { return None };
        let mut missing = BTreeSet::new();
        let mut commits = 0;
        for entry in self.commits() {
            missing.extend(salvage::written(entry.key, &Bytes::copy_from_slice(entry.value))?);
            commits += 1;
        }
        let pages = self.records.iter().filter(|r| r.kind == PUT + Space::Pages.number());
        for page in pages {
            if !missing.remove(&LostPage::of_key(&page.key)?) {
                return None;
            }
        }
        let mut missing = missing.into_iter();
        match (missing.next(), missing.next()) {
            (Some(page), None) if commits > 0 => Some((page, gap)),
            _ => None,
        }
    }
}
