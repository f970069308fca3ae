//! One of the two stores, and how a step is carried out on it.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    Commit, CommitOutcome, Condition, Durability, LogQuery, MetaValue, MetaWrite, NamespaceChange,
    NamespaceId, PageNo, PageSize, PageWrite, Patch, Span, Version,
};

use super::answer::{Answer, Image, Ordinal, Versions, refused};
use super::script::{Attempt, Content, Expected, Guard, KEYS, Point, Set, Write};
use crate::kit::{Draft, Kit, page, sized_image};
use crate::{Rng, kit};

pub(super) struct Side {
    pub(super) kit: Kit,
    pub(super) versions: Versions,
    /// Every commit that was answered, to be sent again.
    pub(super) sent: Vec<Commit>,
    durable: Version,
}

/// The namespace that a script calls `index`. Their numbers lie next to each
/// other and at the end of the order.
pub(super) fn namespace(index: usize) -> NamespaceId {
    NamespaceId([255, 256, u64::MAX][index])
}

/// The page size of the namespace: each has one, all have others.
pub(super) fn page_size(index: usize) -> PageSize {
    PageSize::new([512, 1024, 4096][index]).expect("SQLite knows it")
}

/// A metadata value. Its first byte says where a version is in it, if one is.
fn value(set: &Set) -> Option<MetaValue> {
    match set {
        Set::Remove => None,
        Set::Plain(length) => Some(MetaValue::plain(vec![0; *length as usize])),
        Set::Version(at) => {
            let at = usize::from(*at);
            let mut bytes = vec![0x77; at + Version::LEN + 2];
            bytes[0] = at as u8;
            Some(MetaValue { bytes: bytes.into(), version_at: Some(at) })
        }
    }
}

impl Side {
    pub(super) fn new(kit: Kit) -> Self {
        Side { kit, versions: Versions::default(), sent: Vec::new(), durable: Version::ZERO }
    }

    pub(super) fn version(&self, newest: Ordinal, point: Point) -> Version {
        match ordinal(newest, point) {
            Some(ordinal) => self.versions.version(ordinal),
            None => Version::MAX,
        }
    }

    /// What the watermarks have wrong, if anything.
    pub(super) fn check_marks(&mut self) -> Result<(), String> {
        let marks = block_on(self.kit.store().watermarks()).map_err(|e| e.to_string())?;
        let newest = self.versions.newest();
        if marks.durable > marks.sequenced || marks.durable < self.durable {
            return Err(format!("{marks:?}, and durable was {} before", self.durable));
        }
        if marks.sequenced < newest {
            return Err(format!("{marks:?}, below {newest}, which was answered"));
        }
        self.durable = marks.durable;
        Ok(())
    }

    /// The writes with their contents. `floors` is from where on history is
    /// whole: only there a patch has a base that every store still has.
    pub(super) fn writes(&self, index: usize, writes: &[Write], at: &Bases) -> Vec<PageWrite> {
        let size = page_size(index);
        let one = |write: &Write| match write.content {
            Content::Full(tag) => kit::write(write.page, sized_image(size, tag)),
            Content::Patch { base, seed } => self
                .patched(index, write.page, at.base(base), seed)
                .unwrap_or_else(|| kit::write(write.page, sized_image(size, seed))),
        };
        writes.iter().map(one).collect()
    }

    fn patched(&self, index: usize, n: u32, at: Option<Ordinal>, seed: u64) -> Option<PageWrite> {
        let at = self.versions.version(at?);
        let found = block_on(self.kit.store().read_pages(namespace(index), &[page(n)], at));
        let base = found.ok()?.pop()??;
        let mut rng = Rng::new(seed);
        let mut bytes = base.bytes.to_vec();
        for _ in 0..rng.below(4) {
            let length = [1, 4, 30, 300][rng.below(4)];
            let start = rng.below(bytes.len() - length + 1);
            rng.fill(&mut bytes[start..start + length]);
        }
        let image = Bytes::from(bytes);
        let patch = Some(Patch::between(base.version, &base.bytes, &image));
        Some(PageWrite { page: page(n), image, patch })
    }

    fn condition(&self, newest: Ordinal, guard: &Guard) -> Condition {
        match guard {
            Guard::Page(index, n, since) => Condition::PageUnchanged {
                namespace: namespace(*index),
                page: page(*n),
                since: self.version(newest, *since),
            },
            Guard::Namespace(index, since) => Condition::NamespaceUnchanged {
                namespace: namespace(*index),
                since: self.version(newest, *since),
            },
            Guard::Meta(key, expected) => {
                let value = match expected {
                    Expected::Current => {
                        block_on(self.kit.store().meta_get(KEYS[*key])).ok().flatten()
                    }
                    Expected::Absent => None,
                    Expected::Other(length) => Some(vec![0; *length as usize].into()),
                };
                Condition::MetaEquals { key: Bytes::from_static(KEYS[*key]), value }
            }
        }
    }

    /// The commit that `attempt` means here.
    pub(super) fn commit(&self, draft: &Draft, attempt: &Attempt, bases: &Bases) -> Commit {
        let mut commit = draft.0.clone();
        commit.conditions =
            attempt.guards.iter().map(|g| self.condition(bases.newest, g)).collect();
        commit.meta = attempt
            .meta
            .iter()
            .map(|(key, set)| MetaWrite { key: Bytes::from_static(KEYS[*key]), value: value(set) })
            .collect();
        for (index, writes) in &attempt.changes {
            commit.namespaces.push(NamespaceChange {
                namespace: namespace(*index),
                writes: self.writes(*index, writes, bases),
                page_size: page_size(*index),
                page_count: 100_000 + writes.len() as u32,
            });
        }
        if attempt.durable {
            commit.durability = Durability::Durable;
        }
        commit
    }

    pub(super) fn send(&self, commit: &Commit) -> Result<CommitOutcome, Answer> {
        block_on(self.kit.store().commit(commit.clone())).map_err(|error| refused(&error))
    }

    pub(super) fn read(&self, index: usize, pages: &[u32], at: Version) -> Answer {
        let pages: Vec<PageNo> = pages.iter().map(|&n| page(n)).collect();
        match block_on(self.kit.store().read_pages(namespace(index), &pages, at)) {
            Ok(found) => self.versions.pages(found),
            Err(error) => refused(&error),
        }
    }

    pub(super) fn read_staged(
        &self,
        id: hozo_traits::CommitId,
        index: usize,
        pages: &[u32],
    ) -> Answer {
        let pages: Vec<PageNo> = pages.iter().map(|&n| page(n)).collect();
        match block_on(self.kit.store().read_staged(id, namespace(index), &pages)) {
            Ok(found) => Answer::Staged(found.into_iter().map(|b| b.map(Image)).collect()),
            Err(error) => refused(&error),
        }
    }

    pub(super) fn log(&self, index: usize, span: Span, newest_first: bool, limit: usize) -> Answer {
        let query = LogQuery { namespace: namespace(index), span, newest_first, limit };
        match block_on(self.kit.store().log(query)) {
            Ok(found) => self.versions.log(found),
            Err(error) => refused(&error),
        }
    }

    pub(super) fn scan(&self, prefix: usize, after: Option<usize>, limit: usize) -> Answer {
        let after = after.map(|key| KEYS[key]);
        match block_on(self.kit.store().meta_scan(KEYS[prefix], after, limit)) {
            Ok(found) => self.versions.meta(found),
            Err(error) => refused(&error),
        }
    }

    pub(super) fn get(&self, key: usize) -> Answer {
        match block_on(self.kit.store().meta_get(KEYS[key])) {
            Ok(found) => {
                let pair = |value| (Bytes::from_static(KEYS[key]), value);
                self.versions.meta(found.map(pair).into_iter().collect())
            }
            Err(error) => refused(&error),
        }
    }

    pub(super) fn purge(&self, index: usize, victims: &[(u32, Ordinal)]) -> Answer {
        let named: Vec<_> =
            victims.iter().map(|&(n, ordinal)| (page(n), self.versions.version(ordinal))).collect();
        match block_on(self.kit.store().purge(namespace(index), &named)) {
            Ok(purged) => Answer::Purged(purged.removed + purged.kept),
            Err(error) => refused(&error),
        }
    }
}

/// The commit at a point; `None` for one above all.
pub(super) fn ordinal(newest: Ordinal, point: Point) -> Option<Ordinal> {
    match point {
        Point::Zero => Some(0),
        Point::Back(n) => Some(newest.saturating_sub(n)),
        Point::Max => None,
    }
}

/// Which images patches can be against.
pub(super) struct Bases {
    pub(super) newest: Ordinal,
    /// From here on nothing was purged.
    pub(super) intact: Ordinal,
}

impl Bases {
    fn base(&self, point: Point) -> Option<Ordinal> {
        ordinal(self.newest, point).filter(|ordinal| *ordinal >= self.intact)
    }
}
