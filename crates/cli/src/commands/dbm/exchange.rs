//! Comparing and exchanging.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hozo_client::{Desired, ExchangeOptions, Expected, PresentValue};
use hozo_proto::StatusCode;
use serde_json::{Map, json};

use super::connect::To;
use super::files::text::unescape;
use super::input::STANDARD;
use super::output::{Look, done, line};
use super::refusal::{failure, refusal, shown};
use crate::args::dbm::Cas;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

/// What a file of comparisons may have: it becomes one message.
const FILE_BYTES_MAX: u64 = 1 << 30;

pub(super) async fn run(args: &Cas, to: &To<'_>, context: &mut Context) -> Done {
    if let Some(file) = &args.file {
        return many(file, to, context).await;
    }
    let Some(key) = &args.key else {
        return Err(Failure::new(exit::USAGE, "there is no key"));
    };
    let key = to.input().bytes(key)?;
    let expected = match &args.expect {
        Some(value) => Expected::Is(to.input().bytes(value)?),
        None if args.expect_absent => Expected::Absent,
        None => Expected::Any,
    };
    let desired = match &args.set {
        Some(value) => Desired::Set(to.input().bytes(value)?),
        None if args.remove => Desired::Remove,
        None => Desired::Unchanged,
    };
    let options = ExchangeOptions {
        actual: args.actual,
        wait: args.retry.map(Duration::from_secs_f64),
        notify: args.notify,
    };
    let dbm = to.dbm(context).await?;
    let exchanged = dbm.compare_exchange_with(key.clone(), expected, desired, options);
    let exchanged = exchanged.await.map_err(failure)?;
    let look = Look::of(to.hex(), false, Look::Raw);
    let actual = match &exchanged.actual {
        PresentValue::Is(value) if args.actual => Some(value),
        _ => None,
    };
    if context.json {
        let found = exchanged.actual != PresentValue::Absent;
        let mut object = Map::new();
        object.insert("done".to_owned(), exchanged.done.into());
        object.insert("found".to_owned(), found.into());
        if let Some(actual) = actual {
            look.put(&mut object, "actual", actual);
        }
        context.write_json(&object)?;
    } else if let Some(actual) = actual {
        line(&look.value(actual), context)?;
    }
    if exchanged.done {
        return Ok(());
    }
    let is = match exchanged.actual {
        PresentValue::Absent => "there is none",
        _ => "there is one",
    };
    let what = format!("the record {} is not as expected: {is}", shown(&key));
    Err(refusal(StatusCode::InfeasibleError, what))
}

/// What is compared, and what is done.
type Comparisons = (Vec<(Bytes, Expected)>, Vec<(Bytes, Option<Bytes>)>);

async fn many(file: &Path, to: &To<'_>, context: &mut Context) -> Done {
    let shown = file.display().to_string();
    let (expected, desired) = match file == Path::new(STANDARD) {
        true => read(io::stdin().lock()),
        false => File::open(file).map_err(Failure::from).and_then(|f| read(BufReader::new(f))),
    }
    .map_err(|e| e.when(&shown))?;
    let dbm = to.dbm(context).await?;
    if dbm.compare_exchange_many(expected, desired).await.map_err(failure)? {
        return done(context);
    }
    if context.json {
        context.write_json(&json!({ "done": false }))?;
    }
    Err(refusal(StatusCode::InfeasibleError, "the records are not as expected, and none changed"))
}

/// Reads lines of key, expected, desired.
fn read(from: impl BufRead) -> Done<Comparisons> {
    let mut comparisons = Comparisons::default();
    let mut left = from.take(FILE_BYTES_MAX + 1);
    let mut number = 0;
    let mut line = Vec::new();
    while left.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if left.limit() == 0 {
            let message = format!("longer than {FILE_BYTES_MAX} bytes");
            return Err(Failure::new(exit::FAILED, message));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            let wrong = |what| Failure::new(exit::USAGE, format!("line {number}: {what}"));
            add(text, &mut comparisons).map_err(wrong)?;
        }
        line.clear();
    }
    Ok(comparisons)
}

fn add(line: &[u8], (expected, desired): &mut Comparisons) -> Result<(), String> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    let [key, is, becomes] = fields[..] else {
        return Err(format!("{} fields instead of KEY, EXPECTED and DESIRED", fields.len()));
    };
    let key = Bytes::from(unescape(key)?);
    let unknown = |what: &str, field: &[u8], forms: &str| {
        Err(format!("{what} is {:?}; it is one of {forms}", String::from_utf8_lossy(field)))
    };
    match (is, is.strip_prefix(b"is:")) {
        (_, Some(value)) => expected.push((key.clone(), Expected::Is(unescape(value)?.into()))),
        (b"absent", _) => expected.push((key.clone(), Expected::Absent)),
        (b"any", _) => expected.push((key.clone(), Expected::Any)),
        (b"-", _) => {}
        _ => return unknown("EXPECTED", is, "absent, any, is:VALUE and -"),
    }
    match (becomes, becomes.strip_prefix(b"set:")) {
        (_, Some(value)) => desired.push((key, Some(unescape(value)?.into()))),
        (b"remove", _) => desired.push((key, None)),
        (b"-", _) => {}
        _ => return unknown("DESIRED", becomes, "set:VALUE, remove and -"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_comparisons_is_read_line_by_line() {
        let text =
            b"a\tabsent\tset:1\\t\n\nb\tis:x\\0y\tremove\nc\tany\t-\nd\t-\tset:\n\\x41\tis:\t-";
        let (expected, desired) = read(&text[..]).unwrap();
        let is = |value: &'static [u8]| Expected::Is(Bytes::from_static(value));
        assert_eq!(
            expected,
            [
                ("a".into(), Expected::Absent),
                ("b".into(), is(b"x\0y")),
                ("c".into(), Expected::Any),
                ("A".into(), is(b"")),
            ]
        );
        assert_eq!(
            desired,
            [("a".into(), Some("1\t".into())), ("b".into(), None), ("d".into(), Some("".into()))]
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, words) in [
            (&b"a\tany\t-\na\tany"[..], "line 2: 2 fields"),
            (b"a\tmaybe\t-", "line 1: EXPECTED is \"maybe\""),
            (b"a\tany\tset", "line 1: DESIRED is \"set\""),
            (b"a\tis:\\q\t-", "line 1: \\q is no escape"),
        ] {
            let failure = read(text).unwrap_err();
            let mut said = Vec::new();
            failure.report_json(&mut said);
            let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
            let said = said["error"]["message"].as_str().unwrap().to_owned();
            assert!(said.contains(words), "{said}");
        }
    }
}
