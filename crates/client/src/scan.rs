//! Reading many records, with steps sent ahead.

use std::fmt;
use std::ops::Bound;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use hozo_proto::tkrzw_rpc::IterateRequest;
use hozo_proto::tkrzw_rpc::iterate_request::OpType;
use hozo_traits::{Outcome, Result};

use crate::Dbm;
use crate::cursor::Steps;
use crate::dbm::found;
use crate::error::outcome;

/// Records that are asked for ahead, at first and at most: who reads on gets
/// more sent ahead than who looks at the first few.
const AHEAD_FIRST: u64 = 16;
const AHEAD_MAX: u64 = 256;

/// What [`Dbm::scan_with`] reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanOptions {
    /// Where it begins. The key need not have a record in an ordered DBM; in
    /// another, [`Bound::Included`] needs one, and [`Bound::Excluded`] is
    /// unsupported.
    pub from: Bound<Bytes>,
    /// Towards the first record; in ordered DBMs only.
    pub reverse: bool,
    /// Answers empty values, which are not sent.
    pub keys_only: bool,
    /// At most so many records.
    pub limit: Option<u64>,
}

impl Default for ScanOptions {
    /// Everything, from the first record on.
    fn default() -> ScanOptions {
        ScanOptions { from: Bound::Unbounded, reverse: false, keys_only: false, limit: None }
    }
}

/// Records, read as they are asked for. Ends with the first error. Dropping it
/// ends the reading.
pub struct Records(BoxStream<'static, Result<(Bytes, Bytes)>>);

impl Dbm {
    /// All records, in the DBM's order. What is set and removed meanwhile may or
    /// may not be among them; everything that was there all the time is.
    pub fn scan(&self) -> Records {
        self.scan_with(ScanOptions::default())
    }

    /// Some of the records, or only their keys. Nothing is sent before the first
    /// is asked for.
    pub fn scan_with(&self, options: ScanOptions) -> Records {
        let start = Reading::Before(self.clone(), options);
        Records(try_unfold(start, next).boxed())
    }
}

impl Stream for Records {
    type Item = Result<(Bytes, Bytes)>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

enum Reading {
    Before(Dbm, ScanOptions),
    Within(Box<Ahead>),
}

struct Ahead {
    steps: Box<Steps>,
    /// What asks for one record, and, going back, what moves on.
    read: IterateRequest,
    back: Option<IterateRequest>,
    /// Records asked for and received.
    asked: u64,
    received: u64,
    limit: u64,
}

async fn next(reading: Reading) -> Result<Option<((Bytes, Bytes), Reading)>> {
    let mut ahead = match reading {
        Reading::Within(ahead) => ahead,
        Reading::Before(dbm, options) => match Ahead::open(&dbm, &options).await? {
            Some(ahead) => ahead,
            None => return Ok(None),
        },
    };
    let record = ahead.next().await?;
    Ok(record.map(|record| (record, Reading::Within(ahead))))
}

impl Ahead {
    /// `None` if there is no record to begin with.
    async fn open(dbm: &Dbm, options: &ScanOptions) -> Result<Option<Box<Ahead>>> {
        let limit = options.limit.unwrap_or(u64::MAX);
        if limit == 0 {
            return Ok(None);
        }
        let (operation, key, jump_inclusive) = match (&options.from, options.reverse) {
            (Bound::Unbounded, false) => (OpType::OpFirst, Bytes::new(), false),
            (Bound::Unbounded, true) => (OpType::OpLast, Bytes::new(), false),
            // Unordered DBMs have this jump only.
            (Bound::Included(key), false) => (OpType::OpJump, key.clone(), true),
            (Bound::Excluded(key), false) => (OpType::OpJumpUpper, key.clone(), false),
            (Bound::Included(key), true) => (OpType::OpJumpLower, key.clone(), true),
            (Bound::Excluded(key), true) => (OpType::OpJumpLower, key.clone(), false),
        };
        let jump = IterateRequest { key, jump_inclusive, ..dbm.step(operation) };
        let read = if options.reverse { OpType::OpGet } else { OpType::OpStep };
        let read = IterateRequest { omit_value: options.keys_only, ..dbm.step(read) };
        let back = options.reverse.then(|| dbm.step(OpType::OpPrevious));
        let each = if back.is_some() { 2 } else { 1 };
        let asked = limit.min(AHEAD_FIRST);
        let mut first = vec![jump];
        for _ in 0..asked {
            first.push(read.clone());
            first.extend(back.clone());
        }
        let room = 1 + each * usize::try_from(AHEAD_MAX).unwrap_or(usize::MAX);
        let mut steps = Steps::open(&dbm.client, room, first).await?;
        if outcome(steps.answer().await?.status)? == Outcome::Missing {
            return Ok(None);
        }
        Ok(Some(Box::new(Ahead { steps, read, back, asked, received: 0, limit })))
    }

    async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        if self.received == self.limit {
            return Ok(None);
        }
        let ahead = self.received.saturating_add(AHEAD_FIRST).min(AHEAD_MAX);
        while self.asked < self.limit && self.asked - self.received < ahead {
            self.steps.send(self.read.clone())?;
            if let Some(back) = &self.back {
                self.steps.send(back.clone())?;
            }
            self.asked += 1;
        }
        let answer = self.steps.answer().await?;
        let record = found(answer.status, (answer.key, answer.value))?;
        if record.is_some() {
            self.received += 1;
            if self.back.is_some() {
                outcome(self.steps.answer().await?.status)?;
            }
        }
        Ok(record)
    }
}
