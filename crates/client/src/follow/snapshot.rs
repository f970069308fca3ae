//! Reading a snapshot of a Hozo server.

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_proto::hozo_v1::FollowResponse;
use hozo_proto::hozo_v1::follow_response::Response;
use hozo_traits::{Result, SnapshotPart, SnapshotPlace, SnapshotReader};

use super::heard::{Heard, SILENCE_MAX};
use super::{weigh, wire};

/// An open snapshot.
pub(super) struct Records {
    stream: Heard,
    /// The DBM that it has come to.
    dbm: u32,
    rest: Option<Rest>,
    over: bool,
}

/// What came and was not answered yet: at least one record.
struct Rest {
    records: VecDeque<(Bytes, Bytes)>,
    place: SnapshotPlace,
    of: u64,
}

impl Records {
    pub(super) fn new(stream: Heard, dbm: u32) -> Records {
        Records { stream, dbm, rest: None, over: false }
    }

    fn take(&mut self, response: FollowResponse) -> Result<Option<SnapshotPart>> {
        let Some(Response::Snapshot(part)) = response.response else {
            return Err(wire::wrong("the server sent something else than a snapshot"));
        };
        let part = wire::snapshot(part)?;
        if let Some(part) = &part {
            if part.place.dbm < self.dbm {
                let what = "the server sent records of a DBM that it was through with";
                return Err(wire::wrong(what).with("dbm", part.place.dbm));
            }
            self.dbm = part.place.dbm;
        }
        Ok(part)
    }

    /// As many records as may be answered at once; what is left goes on after
    /// the last of them.
    fn cut(&mut self, part: Rest, bytes_max: usize) -> SnapshotPart {
        let Rest { records: mut rest, mut place, of } = part;
        let (mut records, mut bytes) = (Vec::new(), 0usize);
        while let Some((key, value)) = rest.front() {
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.extend(rest.pop_front());
        }
        if !rest.is_empty() {
            self.rest = Some(Rest { records: rest, place: place.clone(), of });
            place.key = records.last().map(|(key, _)| key.clone());
        }
        SnapshotPart { place, records, of }
    }
}

#[async_trait]
impl SnapshotReader for Records {
    async fn next(&mut self, bytes_max: usize) -> Result<Option<SnapshotPart>> {
        if self.over {
            return Ok(None);
        }
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => {
                let response = self.stream.next(weigh::check, SILENCE_MAX).await?;
                match self.take(response).map_err(|error| self.stream.ends(error))? {
                    Some(SnapshotPart { place, records, of }) => {
                        Rest { records: records.into(), place, of }
                    }
                    None => {
                        self.over = true;
                        return Ok(None);
                    }
                }
            }
        };
        Ok(Some(self.cut(rest, bytes_max)))
    }
}
