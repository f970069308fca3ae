//! After a backend has salvaged what was readable of a damaged store: what is
//! not whole any more must say so, and never pass an older image for a newer.
//!
//! For backends whose stores can be damaged in a part, and repaired.

use bytes::Bytes;
use hozo_traits::{NamespaceId, PageNo, Result, Version};

use crate::codec::record::Record;
use crate::codec::{Reader, log};
use crate::{LocalEngine, NotApplied, Op, Pair, Scan, Space, keys};

/// Pairs and bytes that are read at once.
const PIECE_PAIRS_MAX: usize = 4096;
const PIECE_BYTES_MAX: usize = 1 << 20;
/// Marks that are written at once.
const MARKS_AT_ONCE: usize = 1024;
/// Longer than every key.
const ABOVE_ALL: [u8; 1025] = [0xff; 1025];

/// A version of a page that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LostPage {
    /// The namespace.
    pub namespace: NamespaceId,
    /// The page.
    pub page: PageNo,
    /// The version that wrote it: what newer versions have not written anew is
    /// lost in them, too.
    pub version: Version,
}

impl LostPage {
    /// The page version that a key of [`Space::Pages`] names.
    pub fn of_key(key: &[u8]) -> Option<LostPage> {
        let mut reader = Reader(key);
        let namespace = NamespaceId(u64::from_be_bytes(reader.array().ok()?));
        let page = PageNo::new(u32::from_be_bytes(reader.array().ok()?))?;
        let version = reader.version().ok()?;
        reader.is_empty().then_some(LostPage { namespace, page, version })
    }
}

impl std::fmt::Display for LostPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "page {} of namespace id {} at version {}",
            self.page, self.namespace, self.version
        )
    }
}

/// The value for a key of [`Space::Pages`] whose value is lost: reading it is an
/// error of kind [`Corrupt`](hozo_traits::ErrorKind::Corrupt).
pub fn lost_page() -> Bytes {
    Record::lost()
}

/// Where the image is without which this record of [`Space::Pages`] says
/// nothing, if it is elsewhere.
pub fn needs(key: &[u8], value: &Bytes) -> Result<Option<(Space, Vec<u8>)>> {
    let Some(LostPage { namespace, page, .. }) = LostPage::of_key(key) else { return Ok(None) };
    Ok(match Record::decode(value.clone())? {
        Record::Full(_) | Record::Gone | Record::Lost => None,
        Record::Delta(delta) => Some((Space::Pages, keys::page(namespace, page, delta.base))),
        Record::Staged(id) => Some((Space::Staged, keys::staged::image(id, namespace, page))),
    })
}

impl LostPage {
    /// The key of [`Space::Pages`] that names it.
    pub fn key(&self) -> Vec<u8> {
        keys::page(self.namespace, self.page, self.version)
    }
}

/// The pages that a commit wrote, as its record of [`Space::Log`] says; `None` if
/// they are too many for it to list.
pub fn written(key: &[u8], value: &Bytes) -> Option<Vec<LostPage>> {
    let (namespace, version) = (namespace_of(key)?, keys::log_version(key).ok()?);
    let pages = log::decode(version, value).ok()?.pages?;
    Some(pages.pages().map(|page| LostPage { namespace, page, version }).collect())
}

/// What a key is about, in words.
pub fn name_of(space: Space, key: &[u8]) -> String {
    let known = match space {
        Space::Pages => LostPage::of_key(key).map(|page| page.to_string()),
        Space::Log => {
            namespace_of(key).zip(keys::log_version(key).ok()).map(|(namespace, version)| {
                format!(
                    "the entry of version {version} of namespace id {namespace} in the page log"
                )
            })
        }
        Space::Times => {
            namespace_of(key).zip(keys::times_version(key).ok()).map(|(namespace, version)| {
                format!("the time of version {version} of namespace id {namespace}")
            })
        }
        Space::Changes => keys::parse_change(key)
            .ok()
            .map(|(version, _)| format!("the entry of version {version} in the list of changes")),
        Space::Meta => Some(format!("metadata {}", key.escape_ascii())),
        _ => None,
    };
    known.unwrap_or_else(|| format!("{} {}", space.name(), key.escape_ascii()))
}

fn namespace_of(key: &[u8]) -> Option<NamespaceId> {
    key.first_chunk().map(|id| NamespaceId(u64::from_be_bytes(*id)))
}

/// Marks every page version as lost that cannot be read, or that a commit is
/// known to have written and that is not there, so that nothing older passes
/// for it; shows each. Numbers of versions that are in use are not given out
/// again.
///
/// The engine was not opened as a store since it was damaged.
pub fn mend<E: LocalEngine>(engine: &E, show: &mut dyn FnMut(LostPage)) -> Result<()> {
    let mut newest = Version::ZERO;
    let mut lost = Vec::new();
    each(engine, Space::Pages, &mut |(key, value)| {
        let Some(page) = LostPage::of_key(&key) else { return Ok(()) };
        newest = newest.max(page.version);
        let whole = match Record::decode(value.clone()) {
            Ok(Record::Lost) => {
                show(page);
                return Ok(());
            }
            Ok(_) => is_whole(engine, &key, &value)?,
            Err(_) => false,
        };
        if !whole {
            show(page);
            lost.push(page);
        }
        flush(engine, &mut lost, MARKS_AT_ONCE)
    })?;
    // A mark may be what another record needs; no delta is against a delta, so
    // those were found above.
    flush(engine, &mut lost, 1)?;
    each(engine, Space::Log, &mut |(key, value)| {
        let (Some(namespace), Ok(version)) = (namespace_of(&key), keys::log_version(&key)) else {
            return Ok(());
        };
        newest = newest.max(version);
        let Ok(entry) = log::decode(version, &value) else { return Ok(()) };
        for page in entry.pages.iter().flat_map(|pages| pages.pages()) {
            if !is_accounted_for(engine, namespace, page, version)? {
                let page = LostPage { namespace, page, version };
                show(page);
                lost.push(page);
            }
        }
        flush(engine, &mut lost, MARKS_AT_ONCE)
    })?;
    flush(engine, &mut lost, 1)?;
    keep_number(engine, newest)
}

/// Whether what a record needs is there.
fn is_whole<E: LocalEngine>(engine: &E, key: &[u8], value: &Bytes) -> Result<bool> {
    let Some((space, needed)) = needs(key, value)? else { return Ok(true) };
    let Some(base) = engine.get(space, &needed)? else { return Ok(false) };
    if space != Space::Pages {
        return Ok(true);
    }
    match Record::decode(base.clone()) {
        Ok(Record::Full(_)) => Ok(true),
        Ok(Record::Staged(_)) => is_whole(engine, &needed, &base),
        _ => Ok(false),
    }
}

/// Whether a page has the version that a commit gave it, or was purged of it: a
/// purge leaves a record that says so, there or below.
fn is_accounted_for<E: LocalEngine>(
    engine: &E,
    namespace: NamespaceId,
    page: PageNo,
    version: Version,
) -> Result<bool> {
    let range = keys::page_range(namespace, page, Version::ZERO, version);
    let Some((key, value)) = engine.last_in(Space::Pages, &range.start, &range.end)? else {
        return Ok(false);
    };
    let is_it = keys::page_version(&key).is_ok_and(|found| found == version);
    Ok(is_it || matches!(Record::decode(value), Ok(Record::Gone)))
}

/// Sees to it that the newest version is as high as any that is there. The list
/// of changes begins anew after it, since some of it may be lost.
fn keep_number<E: LocalEngine>(engine: &E, newest: Version) -> Result<()> {
    let said = engine.get(Space::System, keys::SYSTEM_VERSION)?;
    let said = said.and_then(|value| Reader(&value).version().ok()).unwrap_or(Version::ZERO);
    let newest = Bytes::copy_from_slice(said.max(newest).as_bytes());
    let puts = [keys::SYSTEM_VERSION, keys::SYSTEM_CHANGES].map(|key| Op::Put {
        space: Space::System,
        key: Bytes::from_static(key),
        value: newest.clone(),
    });
    engine.apply(&puts).map_err(NotApplied::into_error)
}

/// Writes marks if there are so many.
fn flush<E: LocalEngine>(engine: &E, lost: &mut Vec<LostPage>, least: usize) -> Result<()> {
    if lost.len() < least {
        return Ok(());
    }
    let mark = |page: LostPage| Op::Put {
        space: Space::Pages,
        key: keys::page(page.namespace, page.page, page.version).into(),
        value: lost_page(),
    };
    let marks: Vec<Op> = lost.drain(..).map(mark).collect();
    engine.apply(&marks).map_err(NotApplied::into_error)
}

fn each<E: LocalEngine>(
    engine: &E,
    space: Space,
    visit: &mut dyn FnMut(Pair) -> Result<()>,
) -> Result<()> {
    let mut start = Vec::new();
    loop {
        let piece = engine.scan(&Scan {
            space,
            start: &start,
            end: &ABOVE_ALL,
            reverse: false,
            limit: PIECE_PAIRS_MAX,
            bytes_max: PIECE_BYTES_MAX,
        })?;
        let Some((last, _)) = piece.last() else { return Ok(()) };
        start = keys::after(last.to_vec());
        piece.into_iter().try_for_each(&mut *visit)?;
    }
}
