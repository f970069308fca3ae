//! A DBM as a queue.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hozo_client::{Desired, ExchangeOptions, Expected, PresentValue};
use hozo_proto::StatusCode;
use serde_json::Map;

use super::connect::To;
use super::input::STANDARD;
use super::output::{Look, done, line};
use super::refusal::{failure, refusal, shown};
use crate::args::dbm::{Pop, Push, Queue};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

/// How many numbers there are in a second, in the keys that are times.
const TICKS_PER_SECOND: f64 = 1e8;

pub(super) async fn push(args: &Push, to: &To<'_>, context: &mut Context) -> Done {
    let values = values(&args.value, args.value_file.as_deref(), to)?;
    push_all(values, args.time, args.notify, to, context).await
}

/// `push` with values, `pop` without.
pub(super) async fn either(args: &Queue, to: &To<'_>, context: &mut Context) -> Done {
    if let Some(key) = &args.compex {
        let key = to.input().bytes(key)?;
        return match args.value.is_empty() {
            true => take(key, args, to, context).await,
            false => put(key, args, to, context).await,
        };
    }
    if args.value.is_empty() {
        return pop(&args.pop, to, context).await;
    }
    let values = values(&args.value, None, to)?;
    push_all(values, None, args.notify, to, context).await
}

fn values(args: &[OsString], file: Option<&Path>, to: &To<'_>) -> Done<Vec<Bytes>> {
    if file.is_some() {
        return Ok(vec![to.input().value(None, file)?]);
    }
    if args.iter().filter(|arg| *arg == STANDARD).count() > 1 {
        return Err(Failure::new(exit::USAGE, "standard input is one value, and can be read once"));
    }
    args.iter().map(|arg| to.input().value(Some(arg), None)).collect()
}

async fn push_all(
    values: Vec<Bytes>,
    time: Option<f64>,
    notify: bool,
    to: &To<'_>,
    context: &mut Context,
) -> Done {
    let dbm = to.dbm(context).await?;
    for value in values {
        dbm.push_last(value, time, notify).await.map_err(failure)?;
    }
    done(context)
}

pub(super) async fn pop(args: &Pop, to: &To<'_>, context: &mut Context) -> Done {
    let look = Look::of(to.hex(), args.escape, Look::Raw);
    let wait = args.retry.map(Duration::from_secs_f64);
    let dbm = to.dbm(context).await?;
    let popped = dbm.pop_first(wait).await.map_err(failure)?;
    let (key, value) = popped
        .ok_or_else(|| refusal(StatusCode::NotFoundError, "there is no record to be popped"))?;
    show(&key, &value, seconds(&key), args, look, context)
}

/// Sets a record for each value, one after another, each when there is none.
async fn put(key: Bytes, args: &Queue, to: &To<'_>, context: &mut Context) -> Done {
    let values = values(&args.value, None, to)?;
    let dbm = to.dbm(context).await?;
    for value in values {
        let options = exchange(args, false);
        let desired = Desired::Set(value);
        let exchanged = dbm.compare_exchange_with(key.clone(), Expected::Absent, desired, options);
        if !exchanged.await.map_err(failure)?.done {
            let what = format!("there is a record {} already", shown(&key));
            return Err(refusal(StatusCode::InfeasibleError, what));
        }
    }
    done(context)
}

/// Removes a record and prints its value, when there is one.
async fn take(key: Bytes, args: &Queue, to: &To<'_>, context: &mut Context) -> Done {
    let look = Look::of(to.hex(), args.pop.escape, Look::Raw);
    let dbm = to.dbm(context).await?;
    let options = exchange(args, true);
    let exchanged = dbm.compare_exchange_with(key.clone(), Expected::Any, Desired::Remove, options);
    let exchanged = exchanged.await.map_err(failure)?;
    let value = match exchanged.actual {
        PresentValue::Is(value) if exchanged.done => value,
        _ => {
            let what = format!("there is no record {}", shown(&key));
            return Err(refusal(StatusCode::InfeasibleError, what));
        }
    };
    show(&key, &value, None, &args.pop, look, context)
}

fn exchange(args: &Queue, actual: bool) -> ExchangeOptions {
    let wait = args.pop.retry.map(Duration::from_secs_f64);
    ExchangeOptions { actual, wait, notify: args.notify }
}

/// Prints a record that was taken out; its key as a time where it is one.
fn show(
    key: &[u8],
    value: &[u8],
    time: Option<f64>,
    args: &Pop,
    look: Look,
    context: &mut Context,
) -> Done {
    if context.json {
        let mut object = Map::new();
        look.put(&mut object, "key", key);
        look.put(&mut object, "value", value);
        if let Some(time) = time {
            object.insert("time".to_owned(), time.into());
        }
        return context.write_json(&object);
    }
    if args.key {
        match time {
            Some(time) if look != Look::Hex => write!(context.out, "{time:010.6}\t")?,
            _ => {
                context.out.write_all(&look.key(key))?;
                context.out.write_all(b"\t")?;
            }
        }
    }
    line(&look.value(value), context)
}

/// The time that a key of `push` is, in seconds since 1970.
fn seconds(key: &[u8]) -> Option<f64> {
    let ticks = u64::from_be_bytes(key.try_into().ok()?);
    Some(ticks as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn keys_of_eight_bytes_are_times() {
        let shown = |key: u64| format!("{:010.6}", seconds(&key.to_be_bytes()).unwrap());
        assert_eq!(shown(179_530_635_074_238_234), "1795306350.742382");
        assert_eq!(shown(0), "000.000000");
        assert_eq!(shown(150_000_000), "001.500000");
        assert_eq!(seconds(b"seven b"), None);
        assert_eq!(seconds(b"nine byte"), None);
    }
}
