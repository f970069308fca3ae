//! Lists of records.

use std::collections::HashMap;
use std::ops::Bound;

use bytes::Bytes;
use futures_util::StreamExt;
use hozo_client::{Dbm, Outcome, ScanOptions};
use hozo_proto::StatusCode;

use super::connect::To;
use super::output::{Listing, Look};
use super::refusal::{failure, refusal, shown};
use crate::args::dbm::{List, Move, Search, Shown};
use crate::context::Context;
use crate::failure::Done;

/// Records whose values are asked for in one message.
const BATCH_RECORDS_MAX: usize = 100;

impl Shown {
    fn listing(&self, to: &To<'_>, context: &Context) -> Listing {
        Listing::new(Look::of(to.hex(), self.escape, Look::Plain), self.keys, context)
    }

    /// At most so many records.
    fn limit(&self) -> Option<u64> {
        (self.items > 0).then_some(self.items)
    }
}

pub(super) async fn list(args: &List, to: &To<'_>, context: &mut Context) -> Done {
    let key = to.input().bytes(&args.jump_key)?;
    let dbm = to.dbm(context).await?;
    let from = match args.start {
        Move::First | Move::Last => Bound::Unbounded,
        _ => Bound::Included(position(args.start, key, &dbm).await?),
    };
    let backward = matches!(args.start, Move::Last | Move::Jumpupper | Move::Jumpupperinc);
    let mut records = dbm.scan_with(ScanOptions {
        from,
        reverse: backward != args.reverse,
        keys_only: args.shown.keys,
        limit: args.shown.limit(),
    });
    let mut listing = args.shown.listing(to, context);
    while let Some(record) = records.next().await {
        let (key, value) = record.map_err(failure)?;
        listing.record(&key, &value, context)?;
    }
    listing.end(context)
}

/// The key of the record to begin at.
async fn position(start: Move, key: Bytes, dbm: &Dbm) -> Done<Bytes> {
    let mut cursor = dbm.iterate();
    let wanted = key.clone();
    let outcome = match start {
        Move::First => cursor.first().await,
        Move::Last => cursor.last().await,
        Move::Jump => cursor.jump(key).await,
        Move::Jumplower => cursor.jump_lower(key, false).await,
        Move::Jumplowerinc => cursor.jump_lower(key, true).await,
        Move::Jumpupper => cursor.jump_upper(key, false).await,
        Move::Jumpupperinc => cursor.jump_upper(key, true).await,
    };
    let here = match outcome.map_err(failure)? {
        Outcome::Done => cursor.key().await.map_err(failure)?,
        Outcome::Missing | Outcome::Exists => None,
    };
    here.ok_or_else(|| {
        let what = format!("there is no record to begin with at {}", shown(&wanted));
        refusal(StatusCode::NotFoundError, what)
    })
}

pub(super) async fn search(args: &Search, to: &To<'_>, context: &mut Context) -> Done {
    let pattern = to.input().bytes(&args.pattern)?;
    let dbm = to.dbm(context).await?;
    let limit = args.shown.limit().map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    let search = to.patient(&dbm);
    let keys = search.search(args.mode.as_str(), pattern, limit).await.map_err(failure)?;
    let mut listing = args.shown.listing(to, context);
    for keys in keys.chunks(BATCH_RECORDS_MAX) {
        if args.shown.keys {
            keys.iter().try_for_each(|key| listing.record(key, b"", context))?;
            continue;
        }
        let found = dbm.get_many(keys.iter().cloned()).await.map_err(failure)?;
        let found: HashMap<Bytes, Bytes> = found.into_iter().collect();
        for key in keys {
            // Those that went meanwhile match no more.
            if let Some(value) = found.get(key) {
                listing.record(key, value, context)?;
            }
        }
    }
    listing.end(context)
}
