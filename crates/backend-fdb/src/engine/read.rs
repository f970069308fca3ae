//! Reading.
//!
//! Everything is a snapshot read: conflicts are looked for where a write says so, and
//! only there. No read lasts as long as a transaction may: each begins one, and goes
//! on in another where that has become too old.
//!
//! The version that a transaction reads at costs a round trip. What is stored of a
//! page at a version never changes, so pages are read at a version that this
//! process has seen already, as long as the cluster still has it.

use std::future::Future;

use bytes::Bytes;
use foundationdb::future::FdbValues;
use foundationdb::options::StreamingMode;
use foundationdb::{FdbResult, KeySelector, RangeOption, Transaction};
use futures_util::future::try_join_all;
use hozo_ordered::{KeyRange, Pair, Scan, Space};
use hozo_traits::{Error, ErrorKind, Result, Version};

use super::future::ready;
use super::{Engine, again, errors, read_version};

/// Keys or ranges that are asked for at once.
const AT_ONCE: usize = 512;
/// Where the newest version of the store is, as a value.
pub(super) const NEWEST: (Space, &[u8]) = (Space::System, b"version");

impl Engine {
    /// A transaction that reads at a version which has `needed`: one that is known
    /// already, for what never changes, or the newest.
    async fn begin_at(&self, needed: Option<i64>) -> Result<Transaction> {
        let transaction = self.begin()?;
        let known = self.seen().read;
        if known > 0 && needed.is_some_and(|needed| needed <= known) {
            transaction.set_read_version(known);
        }
        Ok(transaction)
    }

    /// Learns which version a transaction reads at, which it then asks for at once
    /// and not with its first read: that takes no longer.
    pub(super) async fn fix(&self, transaction: &Transaction) -> FdbResult<()> {
        self.saw_read(ready(transaction.get_read_version()).await?);
        Ok(())
    }

    /// The newest version of the store.
    pub(super) async fn newest(&self) -> Result<Version> {
        let mut transaction = self.begin()?;
        loop {
            match self.newest_in(&transaction).await {
                Ok(stored) => return self.parse_newest(stored),
                Err(error) => transaction = again(transaction, error).await?,
            }
        }
    }

    async fn newest_in(&self, transaction: &Transaction) -> FdbResult<Option<Bytes>> {
        self.fix(transaction).await?;
        let stored = ready(transaction.get(&self.keys.key(NEWEST.0, NEWEST.1), true)).await?;
        Ok(stored.map(|stored| Bytes::copy_from_slice(&stored)))
    }

    pub(super) fn parse_newest(&self, stored: Option<Bytes>) -> Result<Version> {
        let Some(stored) = stored else { return Ok(Version::ZERO) };
        let version = Version::from_bytes(stored.as_ref().try_into().map_err(|_| {
            Error::new(ErrorKind::Corrupt, "the store's newest version is not 10 bytes")
                .with("bytes", stored.len())
        })?);
        self.saw_store(version);
        Ok(version)
    }

    /// The values of many keys.
    pub(super) async fn values(
        &self,
        space: Space,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Bytes>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let full: Vec<Vec<u8>> = keys.iter().map(|key| self.keys.key(space, key)).collect();
        // Who asks for a record of a page knows of it from a version that was seen.
        let mut transaction = self.begin_at((space == Space::Pages).then_some(0)).await?;
        loop {
            let attempt = async {
                self.fix(&transaction).await?;
                self.values_in(&transaction, &full).await
            };
            match attempt.await {
                Ok(values) => return Ok(values),
                Err(error) => transaction = again(transaction, error).await?,
            }
        }
    }

    pub(super) async fn values_in(
        &self,
        transaction: &Transaction,
        keys: &[Vec<u8>],
    ) -> FdbResult<Vec<Option<Bytes>>> {
        let get = |key: &Vec<u8>| ready(transaction.get(key, true));
        let found = in_parts(keys, get).await?;
        Ok(found.into_iter().map(|v| v.map(|v| Bytes::copy_from_slice(&v))).collect())
    }

    /// The last pair of each of many ranges.
    pub(super) async fn last_in(
        &self,
        space: Space,
        ranges: &[KeyRange],
    ) -> Result<Vec<Option<Pair>>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let needed = match space {
            Space::Pages => ranges.iter().map(|range| version_of_page(&range.end)).max().flatten(),
            _ => None,
        };
        let full: Vec<_> = ranges.iter().map(|range| self.keys.range(space, range)).collect();
        let mut transaction = self.begin_at(needed).await?;
        loop {
            let attempt = async {
                self.fix(&transaction).await?;
                self.last_in_with(&transaction, &full).await
            };
            match attempt.await {
                Ok(found) => return Ok(found),
                Err(error) => transaction = again(transaction, error).await?,
            }
        }
    }

    /// The last pair of each of these ranges, which end before their second key.
    pub(super) async fn last_in_with(
        &self,
        transaction: &Transaction,
        ranges: &[(Vec<u8>, Vec<u8>)],
    ) -> FdbResult<Vec<Option<Pair>>> {
        let last = |(start, end): &(Vec<u8>, Vec<u8>)| {
            // One that ends before it begins is empty, and refused by the cluster.
            let option = RangeOption {
                limit: Some(1),
                reverse: true,
                mode: StreamingMode::Exact,
                ..between(start, start.max(end))
            };
            ready(transaction.get_range(&option, 1, true))
        };
        let found = in_parts(ranges, last).await?;
        Ok(found.iter().map(|values| self.read(values).next()).collect())
    }

    /// The pairs of a range, at one moment or, where it takes too long, several.
    pub(super) async fn pairs(&self, scan: &Scan<'_>) -> Result<Vec<Pair>> {
        if scan.start >= scan.end || scan.limit == 0 {
            return Ok(Vec::new());
        }
        let (start, end) =
            (self.keys.key(scan.space, scan.start), self.keys.key(scan.space, scan.end));
        let mut going = Going { start, end, pairs: Vec::new(), bytes: 0, done: false };
        let mut transaction = self.begin()?;
        while !going.done {
            match self.go_on(&transaction, scan, &mut going).await {
                Ok(()) => {}
                // What was found stays found.
                Err(error) => transaction = again(transaction, error).await?,
            }
        }
        Ok(going.pairs)
    }

    async fn go_on(
        &self,
        transaction: &Transaction,
        scan: &Scan<'_>,
        going: &mut Going,
    ) -> FdbResult<()> {
        let left = scan.bytes_max.saturating_sub(going.bytes).max(1);
        let option = RangeOption {
            limit: Some(scan.limit - going.pairs.len()),
            target_bytes: left.min(PART_BYTES_MAX),
            mode: StreamingMode::Exact,
            reverse: scan.reverse,
            ..between(&going.start, &going.end)
        };
        let found = ready(transaction.get_range(&option, 1, true)).await?;
        let more = found.more() && !found.is_empty();
        if let Some(last) = found.last() {
            if scan.reverse {
                going.end = last.key().to_vec();
            } else {
                going.start = super::keys::after(last.key().to_vec());
            }
        }
        going.done = !more;
        for (key, value) in self.read(&found) {
            going.bytes = going.bytes.saturating_add(key.len() + value.len());
            going.pairs.push((key, value));
            if going.bytes >= scan.bytes_max || going.pairs.len() >= scan.limit {
                going.done = true;
                break;
            }
        }
        Ok(())
    }

    /// Pairs as they are in the store.
    fn read<'a>(&self, values: &'a FdbValues) -> impl Iterator<Item = Pair> + use<'a> {
        let before = self.keys.before();
        values.iter().map(move |pair| {
            let key = pair.key().get(before..).unwrap_or_default();
            (Bytes::copy_from_slice(key), Bytes::copy_from_slice(pair.value()))
        })
    }

    /// Removes a range, which is a change that may be made twice.
    pub(super) async fn clear(&self, start: &[u8], end: &[u8]) -> Result<()> {
        let mut transaction = self.begin()?;
        loop {
            transaction.clear_range(start, end);
            match ready(transaction.commit()).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    transaction = ready(error.on_error()).await.map_err(errors::ended)?;
                    super::prepare(&transaction)?;
                }
            }
        }
    }
}

/// Bytes of a scan that are asked for at once.
const PART_BYTES_MAX: usize = 4 << 20;

/// A scan on its way.
struct Going {
    start: Vec<u8>,
    end: Vec<u8>,
    pairs: Vec<Pair>,
    bytes: usize,
    done: bool,
}

/// Asks for many at once, and for very many in several turns.
async fn in_parts<K, T, F>(keys: &[K], ask: impl Fn(&K) -> F) -> FdbResult<Vec<T>>
where
    F: Future<Output = FdbResult<T>>,
{
    let mut found = Vec::with_capacity(keys.len());
    for part in keys.chunks(AT_ONCE) {
        found.extend(try_join_all(part.iter().map(&ask)).await?);
    }
    Ok(found)
}

/// From the first key to below the second.
fn between<'a>(start: &'a [u8], end: &'a [u8]) -> RangeOption<'a> {
    RangeOption {
        begin: KeySelector::first_greater_or_equal(start),
        end: KeySelector::first_greater_or_equal(end),
        ..RangeOption::default()
    }
}

/// At which version of the cluster what a page had at this version can be read.
fn version_of_page(key: &[u8]) -> Option<i64> {
    let version = key.last_chunk()?;
    Some(read_version(Version::from_bytes(*version)))
}
