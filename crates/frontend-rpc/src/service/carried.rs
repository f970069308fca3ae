//! Records that messages can carry.

use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Present, Result, Selection,
};

/// What an answer has besides a record's key and value, at most.
const OVERHEAD_BYTES: usize = 64;

/// A DBM that refuses records which no answer could give back. Requests are
/// never longer than a message, but appending makes records grow beyond it.
pub(super) struct Carried<'a> {
    pub(super) records: &'a dyn KvStore,
    pub(super) message_bytes_max: usize,
}

impl Carried<'_> {
    fn check(&self, effect: &Effect) -> Result<()> {
        let Effect::Set { key, value } = effect else { return Ok(()) };
        let bytes = key.len() + value.len();
        if bytes + OVERHEAD_BYTES <= self.message_bytes_max {
            return Ok(());
        }
        let what = "the record would become larger than a message, and nobody could read it: \
                    begin another, or set a larger max_message_bytes";
        Err(Error::new(ErrorKind::TooLarge, what)
            .with("bytes", bytes)
            .with("max_message_bytes", self.message_bytes_max))
    }
}

#[tonic::async_trait]
impl KvStore for Carried<'_> {
    fn capabilities(&self) -> KvCapabilities {
        self.records.capabilities()
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.records.get_many(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let mut checked = |found: &[Present]| {
            let effects = change(found)?;
            effects.iter().try_for_each(|effect| self.check(effect))?;
            Ok(effects)
        };
        self.records.update(selection, durability, &mut checked).await
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.records.scan(scan).await
    }

    async fn count(&self) -> Result<u64> {
        self.records.count().await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.records.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.records.synchronise().await
    }

    async fn rebuild(&self) -> Result<()> {
        self.records.rebuild().await
    }
}
