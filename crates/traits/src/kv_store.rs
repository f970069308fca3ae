//! The contract of record storage: the DBM.

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Durability, Result};

/// What a record store can and cannot do. Plain data: a config is refused at
/// start if a frontend needs what its store lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KvCapabilities {
    /// The backend's name, as in the config.
    pub backend: &'static str,
    /// Whether anything is there after the process ends. A store without it
    /// answers `durable` updates as soon as they are made.
    pub persistent: bool,
    /// Whether scans go by key. Without it they go in an order of the store's
    /// own, and only forward.
    pub ordered: bool,
    /// The longest key, in bytes.
    pub key_bytes_max: usize,
    /// The longest value, in bytes.
    pub value_bytes_max: usize,
    /// What the effects of one update may come to, by [`Effect::bytes`]. A
    /// record with the longest key and the longest value fits.
    pub update_bytes_max: usize,
}

/// One change of one DBM with its final value: doing it again changes nothing.
/// What an update log records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The key has this value now.
    Set {
        /// The key; may be empty.
        key: Bytes,
        /// Its value; may be empty.
        value: Bytes,
    },
    /// The key has no record now.
    Remove {
        /// The key.
        key: Bytes,
    },
    /// No key has a record now. Stands alone in its update.
    Clear,
}

impl Effect {
    /// What an effect counts besides its key and value: room for what a store
    /// writes along with them.
    pub const OVERHEAD_BYTES: usize = 64;

    /// What it counts towards [`KvCapabilities::update_bytes_max`].
    pub fn bytes(&self) -> usize {
        Self::OVERHEAD_BYTES
            + match self {
                Effect::Set { key, value } => key.len() + value.len(),
                Effect::Remove { key } => key.len(),
                Effect::Clear => 0,
            }
    }
}

/// Which records an update is about.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// The records of these keys, whether they exist or not.
    Keys {
        /// The keys, repeats allowed.
        keys: &'a [Bytes],
        /// Whether the change looks at the values; without it only at whether
        /// they are there, which saves reading them.
        values: bool,
    },
    /// The first record in the order of scans, if there is any, with its value.
    First,
}

/// What a record is when an update looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Present {
    /// The record's key.
    pub key: Bytes,
    /// What it has.
    pub value: PresentValue,
}

/// What a key has when an update looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PresentValue {
    /// There is no record.
    Absent,
    /// There is one, and its value was not asked for.
    Unread,
    /// There is one with this value.
    Is(Bytes),
}

/// Decides what an update does, from what is there. It must be quick and must
/// not call the store: others wait meanwhile. It may be called more than once;
/// what the last call said is done.
pub type Change<'a> = &'a mut (dyn FnMut(&[Present]) -> Result<Vec<Effect>> + Send);

/// A part of a DBM to read in the order of scans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KvScan<'a> {
    /// Where it begins. The key need not have a record.
    pub start: Bound<&'a [u8]>,
    /// Where it ends. Anything but `Unbounded` needs [`KvCapabilities::ordered`].
    pub end: Bound<&'a [u8]>,
    /// From the end to the start. Needs [`KvCapabilities::ordered`].
    pub reverse: bool,
    /// At most so many records. 0 answers nothing.
    pub limit: usize,
    /// Stop after the record with which keys and values together reach so many
    /// bytes. The first record is always answered.
    pub bytes_max: usize,
    /// Whether to read the values; without it they are answered empty.
    pub values: bool,
}

/// A part of the records, in the order of scans.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KvPart {
    /// Keys and values.
    pub records: Vec<(Bytes, Bytes)>,
    /// Whether the scan may have more after these. If so, they are after the
    /// last key here.
    pub more: bool,
}

/// How large a DBM is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KvSizes {
    /// Bytes that it takes on disk; 0 if it is not on a disk. Where stores
    /// share files, what can be said of this one.
    pub file_bytes: u64,
    /// Bytes of keys and values, where the store knows them.
    pub record_bytes: Option<u64>,
    /// Whether [`KvStore::rebuild`] would free much.
    pub should_be_rebuilt: bool,
}

/// Storage of records: keys and values, bytes of any length within the limits.
///
/// Used as `Arc<dyn KvStore>`; one is one DBM. Every operation of the DBM is an
/// [`update`](Self::update) with a change of its own; the conveniences have them
/// by name. Errors are never turned into "not there". A layer that keeps a log
/// of effects wraps the change: it then sees them in the order in which they
/// are made, before they are.
///
/// # Contract
///
/// Reading
/// - **KV-1** [`get_many`](Self::get_many) answers, for each key and in that
///   order (repeats included), its value, or `None` if it has no record. Empty
///   keys and empty values are keys and values.
/// - **KV-2** A read sees every update that was answered before it began.
/// - **KV-3** Each key is read whole, as of one moment; different keys may be
///   read at different moments.
///
/// Updating
/// - **KV-4** The change sees what is selected, in that order, repeats
///   included; [`Selection::First`] of an empty DBM is nothing.
/// - **KV-5** Between what the change sees and what it does, nothing else
///   changes what is selected, whatever else is updated at the same time.
/// - **KV-6** Effects are made in their order and as one: after a crash all
///   or none are there. They are also what `update` answers.
/// - **KV-7** An effect on a key that was not selected, or a [`Effect::Clear`]
///   that is not alone, is [`Invalid`](crate::ErrorKind::Invalid), and nothing
///   is written.
/// - **KV-8** An error of the change is answered as it is, and nothing is
///   written. Without effects nothing is written.
/// - **KV-9** [`Effect::Clear`] removes every record, whatever was selected.
/// - **KV-10** A key, value or update above the limits that the capabilities
///   tell is [`TooLarge`](crate::ErrorKind::TooLarge), and nothing is written.
/// - **KV-11** When a [`Durability::Durable`] update is answered, it is on
///   stable storage, with every update that was answered before it began. A
///   later update is never on stable storage before an earlier one.
///
/// Scanning
/// - **KV-12** A scan answers records in the order of the DBM, which stays the
///   same while it has the same keys, and across reopening: by key if
///   `ordered`. [`Selection::First`] is the first of it.
/// - **KV-13** Scanning on from the last key answered, whether or not it still
///   has a record, until there is no `more`, answers every record that was
///   there all the time exactly once, and none twice.
/// - **KV-14** A scan keeps its limits: `start`, `end`, `limit`, `bytes_max`.
///   Without `values`, values are empty.
/// - **KV-15** `reverse` or an `end` without `ordered` is
///   [`Unsupported`](crate::ErrorKind::Unsupported), naming the capability.
///
/// The whole
/// - **KV-16** [`count`](Self::count) is exact when no update is under way.
/// - **KV-17** [`synchronise`](Self::synchronise) returns when every update
///   answered before it began is on stable storage.
/// - **KV-18** [`rebuild`](Self::rebuild) changes nothing that can be read, and
///   updates go on meanwhile.
/// - **KV-19** What was on stable storage is there after reopening, and the
///   count with it.
#[async_trait]
pub trait KvStore: Send + Sync {
    /// What this store can do.
    fn capabilities(&self) -> KvCapabilities;

    /// The values of keys (KV-1 to KV-3).
    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>>;

    /// Reads, decides and writes, as one (KV-4 to KV-11). Answers the effects.
    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>>;

    /// Records in the DBM's order (KV-12 to KV-15).
    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart>;

    /// How many records there are (KV-16).
    async fn count(&self) -> Result<u64>;

    /// How large the DBM is.
    async fn sizes(&self) -> Result<KvSizes>;

    /// Puts everything on stable storage (KV-17).
    async fn synchronise(&self) -> Result<()>;

    /// Makes the files as small as the records allow (KV-18).
    async fn rebuild(&self) -> Result<()>;
}
