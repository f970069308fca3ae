//! Many records in one call.

use bytes::Bytes;
use hozo_proto::StatusCode;
use hozo_proto::tkrzw_rpc::{
    AppendMultiRequest, BytesPair, CompareExchangeMultiRequest, GetMultiRequest, RecordState,
    RemoveMultiRequest, SetMultiRequest,
};
use hozo_traits::{Expected, Outcome, Result};

use super::Dbm;
use crate::error::{check, outcome};

impl Dbm {
    /// The records of these keys, in the order of keys. Keys that have none are
    /// left out. Different records may be read at different moments.
    pub async fn get_many<K: Into<Bytes>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        let keys = keys.into_iter().map(Into::into).collect();
        let answer = self.client.call(GetMultiRequest { dbm_index: self.index, keys }).await?;
        // Those that are there come along with this status, too.
        outcome(answer.status)?;
        Ok(answer.records.into_iter().map(|pair| (pair.first, pair.second)).collect())
    }

    /// Sets records; of two with the same key the first counts. Without
    /// `overwrite`, those that are there stay as they are while the others are
    /// set, and the answer is [`Outcome::Exists`].
    pub async fn set_many<K: Into<Bytes>, V: Into<Bytes>>(
        &self,
        records: impl IntoIterator<Item = (K, V)>,
        overwrite: bool,
    ) -> Result<Outcome> {
        let (dbm_index, records) = (self.index, pairs(records));
        outcome(self.client.call(SetMultiRequest { dbm_index, records, overwrite }).await?.status)
    }

    /// Removes records. If some are not there the others are removed all the
    /// same, and the answer is [`Outcome::Missing`].
    pub async fn remove_many<K: Into<Bytes>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Outcome> {
        let keys = keys.into_iter().map(Into::into).collect();
        let request = RemoveMultiRequest { dbm_index: self.index, keys };
        outcome(self.client.call(request).await?.status)
    }

    /// [`append`](Self::append) to records; of two with the same key the first
    /// counts.
    pub async fn append_many<K: Into<Bytes>, V: Into<Bytes>>(
        &self,
        records: impl IntoIterator<Item = (K, V)>,
        delimiter: impl Into<Bytes>,
    ) -> Result<()> {
        let (records, delim) = (pairs(records), delimiter.into());
        let request = AppendMultiRequest { dbm_index: self.index, records, delim };
        check(self.client.call(request).await?.status)
    }

    /// If every record of `expected` is as expected, sets and removes (`None`)
    /// those of `desired`, all as one; answers whether it did.
    pub async fn compare_exchange_many(
        &self,
        expected: impl IntoIterator<Item = (Bytes, Expected)>,
        desired: impl IntoIterator<Item = (Bytes, Option<Bytes>)>,
    ) -> Result<bool> {
        let expected = expected.into_iter().map(|(key, expected)| RecordState {
            existence: expected != Expected::Absent,
            any_value: expected == Expected::Any,
            key,
            value: match expected {
                Expected::Is(value) => value,
                Expected::Absent | Expected::Any => Bytes::new(),
            },
        });
        let desired = desired.into_iter().map(|(key, value)| RecordState {
            existence: value.is_some(),
            key,
            value: value.unwrap_or_default(),
            any_value: false,
        });
        let request = CompareExchangeMultiRequest {
            dbm_index: self.index,
            expected: expected.collect(),
            desired: desired.collect(),
        };
        let status = self.client.call(request).await?.status;
        match &status {
            Some(status) if status.code == StatusCode::InfeasibleError.as_i32() => Ok(false),
            _ => check(status).map(|()| true),
        }
    }
}

fn pairs<K: Into<Bytes>, V: Into<Bytes>>(
    records: impl IntoIterator<Item = (K, V)>,
) -> Vec<BytesPair> {
    let pair = |(key, value): (K, V)| BytesPair { first: key.into(), second: value.into() };
    records.into_iter().map(pair).collect()
}
