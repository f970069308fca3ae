//! Reading pages.

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, NamespaceId, PageImage, PageNo, Result, Version};

use crate::bulk::{self, Bulk};
use crate::codec::corrupt;
use crate::codec::record::{Delta, Record};
use crate::{KeyRange, OrderedEngine, OrderedPages, Pair, Space, keys};

/// How often a read that met a purge begins again. A purge removes a delta
/// together with its base, so once is enough unless purges follow each other.
const TRIES: usize = 4;

/// A page's record, and what is still missing of its image.
enum Found {
    None,
    Gone(Version),
    Lost(Version),
    /// The version, and its image.
    Image(Version, Bytes),
    /// The image is the one of the base, changed.
    Delta(Version, Delta, Base),
    /// The image is staged under this key.
    Staged(Version, Vec<u8>),
    /// The version of a bulk, and the image that it has.
    Bulk(Version, Bytes),
}

/// The image against which a delta is.
enum Base {
    Record(Vec<u8>),
    Staged(Vec<u8>),
    Image(Bytes),
}

/// What is stored of a page.
pub(crate) enum Stored {
    None,
    Gone,
    Lost,
    Image(Newest),
}

/// The newest record of a page, with the image that it stands for.
pub(crate) struct Newest {
    pub(crate) version: Version,
    pub(crate) image: Bytes,
    /// For a delta, the base's version, the base's image and what deltas
    /// against it have cost so far.
    pub(crate) delta: Option<(Version, Bytes, usize)>,
    /// Whether it is of a bulk, and has no record of its own.
    pub(crate) in_bulk: bool,
}

impl<E: OrderedEngine> OrderedPages<E> {
    /// The images of these pages as of a version.
    pub(crate) async fn read(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Option<PageImage>>> {
        if pages.is_empty() {
            return Ok(Vec::new());
        }
        self.check_reached(at).await?;
        let found = self.newest(namespace, pages, at).await?;
        let image = |(stored, page): (Stored, &PageNo)| {
            match stored {
            Stored::None => Ok(None),
            Stored::Image(n) => Ok(Some(PageImage { version: n.version, bytes: n.image })),
            Stored::Gone => Err(Error::new(ErrorKind::VersionGone, "this version was collected")
                .with("namespace", namespace)
                .with("page", page)
                .with("version", at)),
            Stored::Lost => Err(corrupt(
                "this version of the page was lost to damage; older ones and newer ones may be whole",
            )
            .with("namespace", namespace)
            .with("page", page)
            .with("version", at)),
        }
        };
        found.into_iter().zip(pages).map(image).collect()
    }

    /// The newest records of these pages at or below a version.
    pub(crate) async fn newest(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Vec<Stored>> {
        for _ in 0..TRIES {
            if let Some(found) = self.try_newest(namespace, pages, at).await? {
                return Ok(found);
            }
        }
        Err(corrupt("a page is stored against an image that is not there")
            .with("namespace", namespace)
            .with("version", at))
    }

    /// `None` if something that a record points to is not there (any more).
    async fn try_newest(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        at: Version,
    ) -> Result<Option<Vec<Stored>>> {
        let mut ranges: Vec<KeyRange> = pages
            .iter()
            .map(|page| keys::page_range(namespace, *page, Version::ZERO, at))
            .collect();
        if self.may_have_bulks() {
            ranges.push(bulk::up_to(namespace, at));
        }
        let mut records = self.engine.last_in_many(Space::Pages, &ranges).await?;
        let newest_bulk = if self.may_have_bulks() { records.pop().flatten() } else { None };
        let mut found = Vec::with_capacity(pages.len());
        for (page, record) in pages.iter().zip(records) {
            found.push(Found::of(namespace, *page, record).map_err(|e| {
                e.with("namespace", namespace).with("page", page).with("version", at)
            })?);
        }
        if let Some((key, value)) = newest_bulk {
            let newest = bulk::decode(&key, &value)?;
            if !self.overlay(namespace, pages, &mut found, newest).await? {
                return Ok(None);
            }
        }
        if !self.fetch_bases(namespace, pages, &mut found).await?
            || !self.fetch_staged(&mut found).await?
        {
            return Ok(None);
        }
        found.into_iter().map(Found::finish).collect::<Result<_>>().map(Some)
    }

    /// Takes from bulks, this one and older ones, what is newer than what was found;
    /// whether no purge came between.
    async fn overlay(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        found: &mut [Found],
        newest: Bulk,
    ) -> Result<bool> {
        // An image that is missing may never have been there, or be purged since the
        // page's own records were read.
        let counted = keys::purges(namespace);
        let before = self.engine.get(Space::System, &counted).await?;
        let mut bulk = Some(newest);
        while let Some(Bulk { version, .. }) = bulk {
            let older: Vec<usize> =
                (0..found.len()).filter(|n| found[*n].version() < Some(version)).collect();
            if older.is_empty() {
                break;
            }
            let wanted: Vec<PageNo> = older.iter().map(|n| pages[*n]).collect();
            let images = match &bulk {
                Some(bulk) => self.in_bulk(namespace, bulk, &wanted).await?,
                None => break,
            };
            for (n, image) in older.into_iter().zip(images) {
                if let Some(image) = image {
                    found[n] = Found::Bulk(version, image);
                }
            }
            bulk = match bulk::below(version) {
                Some(below) => {
                    let range = [bulk::up_to(namespace, below)];
                    let older = self.engine.last_in_many(Space::Pages, &range).await?;
                    let older = older.into_iter().next().flatten();
                    older.map(|(key, value)| bulk::decode(&key, &value)).transpose()?
                }
                None => None,
            };
        }
        // What was found in no bulk is of the page's own, or nothing.
        Ok(before == self.engine.get(Space::System, &counted).await?)
    }

    /// Gets the records that deltas are against; whether all are there.
    async fn fetch_bases(
        &self,
        namespace: NamespaceId,
        pages: &[PageNo],
        found: &mut [Found],
    ) -> Result<bool> {
        let mut wanted = Vec::new();
        let mut waiting = Vec::new();
        for (page, found) in pages.iter().zip(found) {
            if let Found::Delta(_, _, base) = found
                && let Base::Record(key) = base
            {
                wanted.push(std::mem::take(key));
                waiting.push((*page, base));
            }
        }
        if wanted.is_empty() {
            return Ok(true);
        }
        let records = self.engine.get_many(Space::Pages, &wanted).await?;
        for ((page, base), record) in waiting.into_iter().zip(records) {
            let Some(record) = record else { return Ok(false) };
            *base = match Record::decode(record)? {
                Record::Full(image) => Base::Image(image),
                Record::Staged(id) => Base::Staged(keys::staged::image(id, namespace, page)),
                Record::Gone => return Ok(false),
                Record::Delta(_) | Record::Lost => {
                    return Err(corrupt("a page is stored against a page that is no image")
                        .with("namespace", namespace)
                        .with("page", page));
                }
            };
        }
        Ok(true)
    }

    /// Gets the images that are staged; whether all are there.
    async fn fetch_staged(&self, found: &mut [Found]) -> Result<bool> {
        let mut wanted = Vec::new();
        let mut waiting = Vec::new();
        for found in found {
            match found {
                Found::Delta(_, _, Base::Staged(key)) | Found::Staged(_, key) => {
                    wanted.push(std::mem::take(key));
                    waiting.push(found);
                }
                _ => {}
            }
        }
        if wanted.is_empty() {
            return Ok(true);
        }
        let images = self.engine.get_many(Space::Staged, &wanted).await?;
        for (found, image) in waiting.into_iter().zip(images) {
            let Some(image) = image else { return Ok(false) };
            match found {
                Found::Delta(_, _, base) => *base = Base::Image(image),
                Found::Staged(version, _) => *found = Found::Image(*version, image),
                _ => {}
            }
        }
        Ok(true)
    }
}

impl Found {
    fn of(namespace: NamespaceId, page: PageNo, record: Option<Pair>) -> Result<Found> {
        let Some((key, value)) = record else { return Ok(Found::None) };
        let version = keys::page_version(&key)?;
        Ok(match Record::decode(value)? {
            Record::Full(image) => Found::Image(version, image),
            Record::Delta(delta) => {
                let base = Base::Record(keys::page(namespace, page, delta.base));
                Found::Delta(version, delta, base)
            }
            Record::Staged(id) => Found::Staged(version, keys::staged::image(id, namespace, page)),
            Record::Gone => Found::Gone(version),
            Record::Lost => Found::Lost(version),
        })
    }

    /// The version of the record, if there is one.
    fn version(&self) -> Option<Version> {
        match self {
            Found::None => None,
            Found::Gone(version)
            | Found::Lost(version)
            | Found::Image(version, _)
            | Found::Delta(version, ..)
            | Found::Staged(version, _)
            | Found::Bulk(version, _) => Some(*version),
        }
    }

    fn finish(self) -> Result<Stored> {
        Ok(match self {
            Found::None => Stored::None,
            Found::Gone(_) => Stored::Gone,
            Found::Lost(_) => Stored::Lost,
            Found::Image(version, image) => {
                Stored::Image(Newest { version, image, delta: None, in_bulk: false })
            }
            Found::Bulk(version, image) => {
                Stored::Image(Newest { version, image, delta: None, in_bulk: true })
            }
            Found::Delta(version, delta, Base::Image(base)) => {
                let image = delta.apply(&base)?;
                let delta = Some((delta.base, base, delta.spent()));
                Stored::Image(Newest { version, image, delta, in_bulk: false })
            }
            Found::Delta(..) | Found::Staged(..) => {
                return Err(Error::new(ErrorKind::Internal, "a page's image was not fetched"));
            }
        })
    }
}
