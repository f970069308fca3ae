//! Single records.

use std::ffi::OsStr;
use std::io::Write;
use std::iter::once;

use hozo_client::Outcome;
use hozo_proto::StatusCode;
use serde_json::{Map, json};

use super::connect::To;
use super::output::{Listing, Look, done, line};
use super::refusal::{self, exists, failure, missing, refusal};
use crate::args::dbm::{Append, Get, Incr, Rekey, Remove, Set};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

pub(super) async fn get(args: &Get, to: &To<'_>, context: &mut Context) -> Done {
    let look = Look::of(to.hex(), args.escape, Look::Raw);
    let key = to.input().bytes(&args.key)?;
    let more = args.more.iter().map(|key| to.input().bytes(key)).collect::<Done<Vec<_>>>()?;
    let dbm = to.dbm(context).await?;
    if args.multi {
        let mut listing = Listing::new(look, false, context);
        for (key, value) in dbm.get_many(once(key).chain(more)).await.map_err(failure)? {
            listing.record(&key, &value, context)?;
        }
        return listing.end(context);
    }
    let value = dbm.get(key.clone()).await.map_err(failure)?.ok_or_else(|| missing(&key))?;
    if context.json {
        let mut object = Map::new();
        look.put(&mut object, "key", &key);
        look.put(&mut object, "value", &value);
        return context.write_json(&object);
    }
    match args.raw {
        true => Ok(context.out.write_all(&look.value(&value))?),
        false => line(&look.value(&value), context),
    }
}

pub(super) async fn set(args: &Set, to: &To<'_>, context: &mut Context) -> Done {
    if let Some(initial) = args.incr {
        let by = args.value.as_deref().and_then(OsStr::to_str).and_then(|by| by.parse().ok());
        let by: i64 = by.ok_or_else(|| {
            Failure::new(exit::USAGE, "with --incr the value is a number that is added")
        })?;
        return add(&args.key, by, initial, to, context).await;
    }
    if args.multi {
        return set_many(args, to, context).await;
    }
    let key = to.input().bytes(&args.key)?;
    let value = to.input().value(args.value.as_deref(), args.value_file.as_deref())?;
    let dbm = to.dbm(context).await?;
    match &args.append {
        Some(delimiter) => {
            let delimiter = to.input().bytes(delimiter)?;
            dbm.append(key, value, delimiter).await.map_err(failure)?;
        }
        None => {
            let set = dbm.set(key.clone(), value, !args.no_overwrite).await.map_err(failure)?;
            refusal::done(set, &key)?;
        }
    }
    done(context)
}

async fn set_many(args: &Set, to: &To<'_>, context: &mut Context) -> Done {
    if args.value_file.is_some() {
        return Err(Failure::new(exit::USAGE, "--value-file is about one value, not --multi"));
    }
    let first = once(args.key.as_os_str()).chain(args.value.as_deref());
    let records = to.input().pairs(first.chain(args.more.iter().map(AsRef::as_ref)))?;
    let dbm = to.dbm(context).await?;
    match &args.append {
        Some(delimiter) => {
            let delimiter = to.input().bytes(delimiter)?;
            dbm.append_many(records, delimiter).await.map_err(failure)?;
        }
        None => {
            let set = dbm.set_many(records, !args.no_overwrite).await.map_err(failure)?;
            if set == Outcome::Exists {
                let what = "some of the records were there already, and the others are stored";
                return Err(refusal(StatusCode::DuplicationError, what));
            }
        }
    }
    done(context)
}

pub(super) async fn append(args: &Append, to: &To<'_>, context: &mut Context) -> Done {
    let key = to.input().bytes(&args.key)?;
    let value = to.input().value(args.value.as_deref(), args.value_file.as_deref())?;
    let delimiter = to.input().bytes(&args.delimiter)?;
    let dbm = to.dbm(context).await?;
    dbm.append(key, value, delimiter).await.map_err(failure)?;
    done(context)
}

pub(super) async fn increment(args: &Incr, to: &To<'_>, context: &mut Context) -> Done {
    add(&args.key, args.by, args.initial, to, context).await
}

async fn add(key: &OsStr, by: i64, initial: i64, to: &To<'_>, context: &mut Context) -> Done {
    let key = to.input().bytes(key)?;
    let dbm = to.dbm(context).await?;
    let value = dbm.increment(key, by, initial).await.map_err(failure)?;
    if context.json {
        return context.write_json(&json!({ "value": value }));
    }
    Ok(writeln!(context.out, "{value}")?)
}

pub(super) async fn remove(args: &Remove, to: &To<'_>, context: &mut Context) -> Done {
    let key = to.input().bytes(&args.key)?;
    let more = args.more.iter().map(|key| to.input().bytes(key)).collect::<Done<Vec<_>>>()?;
    let dbm = to.dbm(context).await?;
    if args.multi {
        // That some were not there is how they are wanted.
        dbm.remove_many(once(key).chain(more)).await.map_err(failure)?;
    } else {
        refusal::done(dbm.remove(key.clone()).await.map_err(failure)?, &key)?;
    }
    done(context)
}

pub(super) async fn rekey(args: &Rekey, to: &To<'_>, context: &mut Context) -> Done {
    let (old, new) = (to.input().bytes(&args.old)?, to.input().bytes(&args.new)?);
    let dbm = to.dbm(context).await?;
    let rekeyed = dbm.rekey(old.clone(), new.clone(), !args.no_overwrite, args.copy);
    match rekeyed.await.map_err(failure)? {
        Outcome::Done => done(context),
        Outcome::Missing => Err(missing(&old)),
        Outcome::Exists => Err(exists(&new)),
    }
}
