//! Searching a DBM.

use std::collections::BinaryHeap;
use std::ops::Bound;

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, KvScan, KvStore, Result};

use crate::Mode;
use crate::distance::edits;
use crate::matcher::Matcher;

/// Keys that are read at a time, and their bytes.
const PART_RECORDS: usize = 1000;
const PART_BYTES: usize = 1 << 20;

/// The longest pattern of [`Mode::Edit`] and [`Mode::EditBin`]: comparing takes
/// time in proportion to it and to each key.
pub const EDIT_PATTERN_BYTES_MAX: usize = 4096;

/// What a key counts in an answer besides its bytes.
pub const KEY_OVERHEAD_BYTES: usize = 8;

/// The keys that are to `pattern` what the mode says, at most `capacity` of
/// them; 0 or less is no limit, but for `upper`, `lower` and the like, for which
/// 0 answers nothing.
///
/// Keys come in the order of scans, but for modes that say another. Whatever is
/// updated meanwhile may be found or not. All but `begin` on an ordered store,
/// `upper`, `lower` and the like look at every key.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) for a regular expression that is none,
/// [`Unsupported`](ErrorKind::Unsupported) for a mode that needs an ordered
/// store, [`TooLarge`](ErrorKind::TooLarge) above [`EDIT_PATTERN_BYTES_MAX`],
/// [`CONTAIN_PATTERN_BYTES_MAX`](crate::CONTAIN_PATTERN_BYTES_MAX) or
/// [`CONTAIN_LINES_MAX`](crate::CONTAIN_LINES_MAX).
pub async fn search(
    dbm: &dyn KvStore,
    mode: Mode,
    pattern: &[u8],
    capacity: i32,
) -> Result<Vec<Bytes>> {
    search_within(dbm, mode, pattern, capacity, usize::MAX, &|| Ok(())).await
}

/// [`search`], for an answer of so many bytes at most: each key counts its own
/// and [`KEY_OVERHEAD_BYTES`]. No more is ever kept in memory. `go_on` is asked
/// before each part is read and each key is compared, since comparing one may take long.
///
/// # Errors
/// Those of [`search`] and of `go_on`, and [`TooLarge`](ErrorKind::TooLarge) if what is found
/// is more than `bytes_max`.
pub async fn search_within(
    dbm: &dyn KvStore,
    mode: Mode,
    pattern: &[u8],
    capacity: i32,
    bytes_max: usize,
    go_on: GoOn<'_>,
) -> Result<Vec<Bytes>> {
    let dbm = Searched { dbm, go_on };
    // A negative number is no limit in any mode.
    let ranged = usize::try_from(capacity).unwrap_or(usize::MAX);
    let unlimited = if ranged == 0 { usize::MAX } else { ranged };
    let room = |keys| Room { keys, bytes: bytes_max };
    let (open, bound) = (Bound::Unbounded, Bound::Excluded(pattern));
    match mode {
        Mode::Upper => range(dbm, bound, open, false, room(ranged)).await,
        Mode::UpperInc => range(dbm, Bound::Included(pattern), open, false, room(ranged)).await,
        Mode::Lower => range(dbm, open, bound, true, room(ranged)).await,
        Mode::LowerInc => range(dbm, open, Bound::Included(pattern), true, room(ranged)).await,
        Mode::Begin if dbm.dbm.capabilities().ordered => {
            let end = after_prefix(pattern);
            let end = end.as_deref().map_or(open, Bound::Excluded);
            range(dbm, Bound::Included(pattern), end, false, room(unlimited)).await
        }
        Mode::Edit => {
            let wanted = characters(pattern);
            nearest(dbm, pattern, room(unlimited), |key, most| {
                edits(&characters(key), &wanted, most)
            })
            .await
        }
        Mode::EditBin => {
            nearest(dbm, pattern, room(unlimited), |key, most| edits(key, pattern, most)).await
        }
        _ => match Matcher::new(mode, pattern)? {
            Some(matcher) => matching(dbm, &matcher, room(unlimited)).await,
            None => Err(Error::new(ErrorKind::Internal, "a mode that nothing is done for")),
        },
    }
}

/// Says with an error that the search is to end.
pub type GoOn<'a> = &'a (dyn Fn() -> Result<()> + Sync);

/// What is searched, for as long as it is worth it.
#[derive(Clone, Copy)]
struct Searched<'a> {
    dbm: &'a dyn KvStore,
    go_on: GoOn<'a>,
}

/// What is not UTF-8 counts as a character of its own that equals no other text.
fn characters(text: &[u8]) -> Vec<char> {
    String::from_utf8_lossy(text).chars().collect()
}

/// The first key above all that begin with `prefix`; `None` if nothing is.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < 0xff)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}

/// Goes through keys, part by part, until `each` says that it is enough.
async fn keys(
    Searched { dbm, go_on }: Searched<'_>,
    mut start: Bound<Bytes>,
    mut end: Bound<Bytes>,
    reverse: bool,
    mut each: impl FnMut(Bytes) -> Result<bool> + Send,
) -> Result<()> {
    loop {
        go_on()?;
        let part = dbm
            .scan(KvScan {
                start: start.as_ref().map(|key| &key[..]),
                end: end.as_ref().map(|key| &key[..]),
                reverse,
                limit: PART_RECORDS,
                bytes_max: PART_BYTES,
                values: false,
            })
            .await?;
        let last = part.records.last().map(|(key, _)| key.clone());
        for (key, _) in part.records {
            go_on()?;
            if !each(key)? {
                return Ok(());
            }
        }
        let (Some(last), true) = (last, part.more) else { return Ok(()) };
        if reverse { end = Bound::Excluded(last) } else { start = Bound::Excluded(last) }
    }
}

/// How much an answer may have.
#[derive(Clone, Copy)]
struct Room {
    keys: usize,
    bytes: usize,
}

impl Room {
    /// Takes a key; false when there is no room for more.
    fn take(&mut self, key: &[u8]) -> Result<bool> {
        let left = self.bytes.checked_sub(key.len() + KEY_OVERHEAD_BYTES);
        self.bytes = left.ok_or_else(|| {
            Error::new(ErrorKind::TooLarge, "what is found is more than an answer may have")
        })?;
        self.keys -= 1;
        Ok(self.keys > 0)
    }

    fn give_back(&mut self, key: &[u8]) {
        self.bytes += key.len() + KEY_OVERHEAD_BYTES;
        self.keys += 1;
    }
}

async fn range(
    dbm: Searched<'_>,
    start: Bound<&[u8]>,
    end: Bound<&[u8]>,
    reverse: bool,
    mut room: Room,
) -> Result<Vec<Bytes>> {
    if !dbm.dbm.capabilities().ordered {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the store lacks the capability ordered: its keys have no order to search by",
        )
        .with("backend", dbm.dbm.capabilities().backend));
    }
    let mut found = Vec::new();
    if room.keys > 0 {
        let own = |bound: Bound<&[u8]>| bound.map(Bytes::copy_from_slice);
        keys(dbm, own(start), own(end), reverse, |key| {
            let more = room.take(&key)?;
            found.push(key);
            Ok(more)
        })
        .await?;
    }
    Ok(found)
}

async fn matching(dbm: Searched<'_>, matcher: &Matcher, mut room: Room) -> Result<Vec<Bytes>> {
    let mut found = Vec::new();
    keys(dbm, Bound::Unbounded, Bound::Unbounded, false, |key| {
        if !matcher.matches(&key) {
            return Ok(true);
        }
        let more = room.take(&key)?;
        found.push(key);
        Ok(more)
    })
    .await?;
    Ok(found)
}

/// The keys of the least distance, by that and by themselves.
async fn nearest(
    dbm: Searched<'_>,
    pattern: &[u8],
    mut room: Room,
    distance: impl Fn(&[u8], usize) -> Option<usize> + Send + Sync,
) -> Result<Vec<Bytes>> {
    if pattern.len() > EDIT_PATTERN_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "the pattern is too long to count edits to")
            .with("bytes", pattern.len())
            .with("EDIT_PATTERN_BYTES_MAX", EDIT_PATTERN_BYTES_MAX));
    }
    // The farthest of those that are kept is on top.
    let mut kept: BinaryHeap<(usize, Bytes)> = BinaryHeap::new();
    keys(dbm, Bound::Unbounded, Bound::Unbounded, false, |key| {
        let full = room.keys == 0;
        let most = kept.peek().filter(|_| full).map_or(usize::MAX, |(farthest, _)| *farthest);
        let Some(edits) = distance(&key, most) else { return Ok(true) };
        if full {
            let nearer = kept.peek().is_some_and(|(most, last)| (edits, &key) < (*most, last));
            if !nearer {
                return Ok(true);
            }
            if let Some((_, farthest)) = kept.pop() {
                room.give_back(&farthest);
            }
        }
        // Full is not the end: there may be nearer ones.
        room.take(&key)?;
        kept.push((edits, key));
        Ok(true)
    })
    .await?;
    Ok(kept.into_sorted_vec().into_iter().map(|(_, key)| key).collect())
}
