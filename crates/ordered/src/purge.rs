//! Removing page versions.
//!
//! A read must never take an older image for a purged one. So a purged version
//! leaves a record that says that it is gone, unless the record right below it
//! says so already: at most one of them stays between two versions that stay.
//! The newest record of a page keeps its key, since conditions look for it.

use std::collections::{BTreeMap, BTreeSet};

use hozo_traits::{Error, ErrorKind, NamespaceId, PageNo, Purged, Result, Version};

use crate::bulk::Bulk;
use crate::codec::record::Record;
use crate::pages::{delete, unnumbered};
use crate::scan::Pieces;
use crate::{Condition, OrderedEngine, OrderedPages, Scan, Space, Template, WriteOp, keys};
use crate::{WriteOutcome, codec};

/// Victims that one atomic write removes. Each takes two steps at most.
const VICTIMS_AT_ONCE: usize = 1024;

/// How often a purge begins again because another, or a commit, came between.
const TRIES: usize = 8;

/// A purge while it becomes a write.
struct Draft {
    /// Whether images go that a commit could just be storing a delta against.
    /// With commits always coming between, they are kept in the end.
    newest_too: bool,
    /// The namespace's, read before any record of its pages.
    bulks: Vec<Bulk>,
    conditions: Vec<Condition>,
    ops: Vec<WriteOp>,
    purged: Purged,
}

/// What a record is to a purge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An image, with the key under which it is staged if it is.
    Image {
        staged: Option<hozo_traits::CommitId>,
    },
    /// Against this version.
    Delta(Version),
    Gone,
}

impl<E: OrderedEngine> OrderedPages<E> {
    pub(crate) async fn remove_versions(
        &self,
        namespace: NamespaceId,
        victims: &[(PageNo, Version)],
    ) -> Result<Purged> {
        let mut sorted = victims.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut total = Purged::default();
        // Newest first within a page, so that a delta goes before its base
        // also where they fall into two writes.
        sorted.sort_by_key(|(page, version)| (*page, std::cmp::Reverse(*version)));
        for some in sorted.chunks(VICTIMS_AT_ONCE) {
            let mut by_page: BTreeMap<PageNo, BTreeSet<Version>> = BTreeMap::new();
            for (page, version) in some {
                by_page.entry(*page).or_default().insert(*version);
            }
            let purged = self.remove_some(namespace, &by_page).await?;
            total.removed += purged.removed;
            total.kept += purged.kept;
        }
        Ok(total)
    }

    async fn remove_some(
        &self,
        namespace: NamespaceId,
        victims: &BTreeMap<PageNo, BTreeSet<Version>>,
    ) -> Result<Purged> {
        for tried in 1..=TRIES {
            // Commits whose deltas may be against what goes now see that this
            // has changed, and begin again; so does a purge at the same time.
            let key = keys::purges(namespace);
            let value = self.engine.get(Space::System, &key).await?;
            let count = value.as_ref().map_or(Ok(0), |value| codec::count(value))?;
            let unchanged = Condition::KeyIs { space: Space::System, key: key.clone(), value };
            let mut draft = Draft {
                newest_too: tried < TRIES,
                bulks: self.bulks(namespace, Version::ZERO, Version::MAX).await?,
                conditions: vec![unchanged],
                ops: Vec::new(),
                purged: Purged::default(),
            };
            for (page, versions) in victims {
                self.remove_of_page(&mut draft, namespace, *page, versions).await?;
            }
            let Draft { conditions, mut ops, purged, .. } = draft;
            if ops.is_empty() {
                return Ok(purged);
            }
            ops.push(WriteOp::Put {
                space: Space::System,
                key: Template::plain(key),
                value: Template::plain((count + 1).to_be_bytes().to_vec()),
            });
            let outcome = self.engine.write(unnumbered(conditions, ops)).await?;
            if let WriteOutcome::Written { .. } = outcome {
                return Ok(purged);
            }
        }
        Err(Error::new(ErrorKind::Busy, "purges of one namespace keep coming between each other")
            .with("namespace", namespace))
    }

    async fn remove_of_page(
        &self,
        draft: &mut Draft,
        namespace: NamespaceId,
        page: PageNo,
        victims: &BTreeSet<Version>,
    ) -> Result<()> {
        let Some((mut records, complete)) = self.records_around(namespace, page, victims).await?
        else {
            return Ok(());
        };
        self.add_of_bulks(namespace, page, victims, &draft.bulks, &mut records).await?;
        // Commits store deltas against the last image that there is.
        let at_risk = if complete { last_image(&records) } else { None };
        let spared = at_risk.filter(|_| !draft.newest_too);
        let removed = judge(&records, victims, spared, &mut draft.purged);
        let newest = complete.then(|| records.last().map(|(version, _)| *version)).flatten();
        if at_risk.is_some_and(|version| removed.contains(&version))
            && let Some(above) = newest.and_then(Version::successor)
        {
            // One that came since this was read has its delta stored already.
            draft.conditions.push(Condition::RangeEmpty {
                space: Space::Pages,
                range: keys::page_range(namespace, page, above, Version::MAX),
            });
        }
        let ops = &mut draft.ops;
        let mut gone_below = false;
        for (version, kind) in records {
            let goes = removed.contains(&version);
            let key = keys::page(namespace, page, version);
            if goes && let Kind::Image { staged: Some(id) } = kind {
                ops.push(delete(Space::Staged, keys::staged::image(id, namespace, page)));
            }
            let gone = goes || kind == Kind::Gone;
            if gone && gone_below && Some(version) != newest {
                ops.push(delete(Space::Pages, key));
            } else if goes {
                ops.push(WriteOp::Put {
                    space: Space::Pages,
                    key: Template::plain(key),
                    value: Template::plain(Record::gone()),
                });
            }
            gone_below = gone;
        }
        Ok(())
    }

    /// Adds what bulks have of the page between the first of these versions and the
    /// last, as if it had records of its own. What goes of it goes as a staged image
    /// does, and leaves a record. What stays is a version between two that may be gone,
    /// as a record that stays is.
    async fn add_of_bulks(
        &self,
        namespace: NamespaceId,
        page: PageNo,
        victims: &BTreeSet<Version>,
        bulks: &[Bulk],
        records: &mut Vec<(Version, Kind)>,
    ) -> Result<()> {
        let known = records.iter().map(|(version, _)| version).chain(victims).copied();
        let (Some(first), Some(last)) = (known.clone().min(), known.max()) else { return Ok(()) };
        let between = |bulk: &&Bulk| (first..=last).contains(&bulk.version);
        let between: Vec<&Bulk> = bulks.iter().filter(between).collect();
        let image = |bulk: &&Bulk| keys::staged::image(bulk.id, namespace, page);
        let wanted: Vec<_> = between.iter().map(image).collect();
        let images = self.engine.get_many(Space::Staged, &wanted).await?;
        for (bulk, image) in between.into_iter().zip(images) {
            let place = records.partition_point(|(version, _)| *version < bulk.version);
            let has_record = records.get(place).is_some_and(|(v, _)| *v == bulk.version);
            if image.is_some() && !has_record {
                records.insert(place, (bulk.version, Kind::Image { staged: Some(bulk.id) }));
            }
        }
        Ok(())
    }

    /// The records from the one below the first victim to the first image above
    /// the last, ascending, and whether that is all that the page has. Deltas
    /// above that image are against it or one above it.
    async fn records_around(
        &self,
        namespace: NamespaceId,
        page: PageNo,
        victims: &BTreeSet<Version>,
    ) -> Result<Option<(Vec<(Version, Kind)>, bool)>> {
        let (Some(first), Some(last)) = (victims.first(), victims.last()) else { return Ok(None) };
        let mut from = keys::page(namespace, page, *first);
        let mut below = keys::page_range(namespace, page, Version::ZERO, *first);
        if let Some(byte) = below.end.iter().rposition(|byte| *byte > 0) {
            // The key right below the first victim's, as far as versions go.
            below.end[byte] -= 1;
            below.end[byte + 1..].fill(0xff);
            let found = self.engine.last_in_many(Space::Pages, &[below]).await?;
            if let Some((key, _)) = found.into_iter().next().flatten() {
                from = key.to_vec();
            }
        }
        let end = keys::after(keys::page(namespace, page, Version::MAX));
        let (space, reverse, limit) = (Space::Pages, false, usize::MAX);
        let scan = Scan { space, start: &from, end: &end, reverse, limit, bytes_max: 0 };
        let mut pieces = Pieces::of(scan);
        let mut records = Vec::new();
        while let Some(piece) = pieces.next(&self.engine).await? {
            for (key, value) in piece {
                let version = keys::page_version(&key)?;
                let kind = match Record::decode(value)? {
                    // What was lost can be purged as what was not.
                    Record::Full(_) | Record::Lost => Kind::Image { staged: None },
                    Record::Staged(id) => Kind::Image { staged: Some(id) },
                    Record::Delta(delta) => Kind::Delta(delta.base),
                    Record::Gone => Kind::Gone,
                };
                records.push((version, kind));
                if version > *last && matches!(kind, Kind::Image { .. }) {
                    return Ok(Some((records, false)));
                }
            }
        }
        Ok(Some((records, true)))
    }
}

/// The last that a delta can be against.
fn last_image(records: &[(Version, Kind)]) -> Option<Version> {
    let mut images = records.iter().filter(|(_, kind)| matches!(kind, Kind::Image { .. }));
    images.next_back().map(|(version, _)| *version)
}

/// Which of the victims go; counts them.
fn judge(
    records: &[(Version, Kind)],
    victims: &BTreeSet<Version>,
    spared: Option<Version>,
    purged: &mut Purged,
) -> BTreeSet<Version> {
    let mut removed = BTreeSet::new();
    let mut needed: BTreeSet<Version> = spared.into_iter().collect();
    // Newest first: deltas come before what they are against.
    for (version, kind) in records.iter().rev() {
        match kind {
            Kind::Gone => {}
            _ if needed.contains(version) => purged.kept += u64::from(victims.contains(version)),
            _ if victims.contains(version) => {
                purged.removed += 1;
                removed.insert(*version);
            }
            Kind::Delta(base) => {
                needed.insert(*base);
            }
            Kind::Image { .. } => {}
        }
    }
    removed
}
