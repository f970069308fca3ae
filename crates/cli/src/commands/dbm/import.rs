//! `hozo dbm import`

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use hozo_client::{Answer, Dbm, Outcome};
use indicatif::ProgressBar;
use tokio::task::JoinHandle;

use super::connect::To;
use super::files::{Form, Reader, Record};
use super::input::STANDARD;
use super::measured::Measured;
use super::refusal::failure;
use crate::args::dbm::{FileForm, Import};
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

/// Records that are sent in one message, and bytes of them. One larger record
/// is a message of its own.
const BATCH_RECORDS_MAX: usize = 1000;
const BATCH_BYTES_MAX: u64 = 1 << 20;

/// Bytes that may wait for their answers where each record has one.
const UNANSWERED_BYTES_MAX: u64 = 4 << 20;

/// Bytes that are read from a file at once.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

impl From<&FileForm> for Form {
    fn from(form: &FileForm) -> Form {
        if form.tsv { Form::Tsv { escaped: form.escape } } else { Form::Flat }
    }
}

pub(super) async fn run(args: &Import, to: &To<'_>, context: &mut Context) -> Done {
    let shown = args.file.display().to_string();
    let (from, length) = open(&args.file).map_err(|e| e.when(&shown))?;
    let dbm = to.dbm(context).await?;
    let bar = match length {
        Some(length) => {
            let bar = progress::bytes(context, "importing");
            bar.set_length(length);
            bar
        }
        None => progress::spinner(context, "importing"),
    };
    let mut source = Source {
        reader: Reader::new(from, Form::from(&args.form)),
        bar,
        measured: Measured::begin(),
    };
    let stored = match args.no_overwrite {
        false => overwrite(&mut source, &dbm).await,
        true => keep(&mut source, &dbm).await,
    };
    let Source { bar, measured, .. } = source;
    bar.finish_and_clear();
    stored.map_err(|e| e.when(&shown))?;
    // What says "imported" must still be there after a power cut.
    to.patient(&dbm).synchronise(true, &[]).await.map_err(failure)?;
    if context.json {
        let mut object = measured.json();
        object["kept"] = measured.kept.into();
        return context.write_json(&object);
    }
    context.remark(format!("{shown}: {}", measured.told()));
    Ok(())
}

/// The file, and how long it is, if that is known.
fn open(file: &Path) -> Done<(Box<dyn BufRead + Send>, Option<u64>)> {
    if file == Path::new(STANDARD) {
        return Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin())), None));
    }
    let open = File::open(file)?;
    let about = open.metadata()?;
    if about.is_dir() {
        return Err(Failure::new(exit::FAILED, "it is a directory, not a file of records"));
    }
    let length = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::with_capacity(BUFFER_BYTES, open)), length))
}

/// The file, as it is read.
struct Source {
    reader: Reader<Box<dyn BufRead + Send>>,
    bar: ProgressBar,
    measured: Measured,
}

impl Source {
    fn next(&mut self) -> Done<Option<Record>> {
        let next = self.reader.next()?;
        if let Some(record) = &next {
            self.measured.record(&record.key, &record.value);
            self.bar.set_position(self.reader.offset());
        }
        Ok(next)
    }
}

fn bytes(record: &Record) -> u64 {
    (record.key.len() + record.value.len()) as u64
}

/// Stores all, many at once: the next ones are read while some are on their way.
async fn overwrite(source: &mut Source, dbm: &Dbm) -> Done {
    let mut sender = Sender { dbm: dbm.clone(), sent: None };
    let mut batch = Batch::default();
    let read = loop {
        let record = match source.next() {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(()),
            // What came before it is whole, and is stored.
            Err(failure) => break Err(failure),
        };
        if batch.is_full_for(&record) {
            sender.send(std::mem::take(&mut batch)).await?;
        }
        batch.add(record, source.measured.records);
    };
    sender.send(batch).await?;
    sender.settle().await?;
    read
}

/// Records that go in one message.
#[derive(Default)]
struct Batch {
    /// Of a key that comes twice the last value counts, as if one were stored
    /// after the other.
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: u64,
    /// The numbers of its records in the file.
    first: u64,
    last: u64,
}

impl Batch {
    fn is_full_for(&self, record: &Record) -> bool {
        let large = self.bytes + bytes(record) > BATCH_BYTES_MAX && !self.records.is_empty();
        large || self.records.len() >= BATCH_RECORDS_MAX
    }

    fn add(&mut self, record: Record, number: u64) {
        if self.records.is_empty() {
            self.first = number;
        }
        self.last = number;
        self.bytes += bytes(&record);
        self.records.insert(record.key, record.value);
    }
}

/// Sends one batch at a time, so that the order of the file is kept.
struct Sender {
    dbm: Dbm,
    sent: Option<JoinHandle<Done>>,
}

impl Sender {
    async fn send(&mut self, batch: Batch) -> Done {
        self.settle().await?;
        let dbm = self.dbm.clone();
        self.sent = Some(tokio::spawn(async move {
            let numbers = match batch.first == batch.last {
                true => format!("record {}", batch.first),
                false => format!("records {} to {}", batch.first, batch.last),
            };
            if batch.records.is_empty() {
                return Ok(());
            }
            let stored = dbm.set_many(batch.records, true).await;
            stored.map(drop).map_err(|e| failure(e).when(&numbers))
        }));
        Ok(())
    }

    /// Waits for what is on its way.
    async fn settle(&mut self) -> Done {
        let Some(sent) = self.sent.take() else { return Ok(()) };
        sent.await.unwrap_or_else(|e| {
            Err(Failure::new(exit::FAILED, format!("storing records ended in a panic: {e}")))
        })
    }
}

/// Stores those that are not there, each with its answer, so that the others can
/// be counted.
async fn keep(source: &mut Source, dbm: &Dbm) -> Done {
    let pipeline = dbm.stream();
    let mut unanswered: VecDeque<Unanswered> = VecDeque::new();
    let mut bytes_unanswered = 0;
    let read = loop {
        let record = match source.next() {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        };
        let (number, bytes) = (source.measured.records, bytes(&record));
        let full = |waiting: u64| waiting > 0 && waiting + bytes > UNANSWERED_BYTES_MAX;
        while full(bytes_unanswered) || unanswered.len() >= BATCH_RECORDS_MAX {
            let Some(oldest) = unanswered.pop_front() else { break };
            bytes_unanswered -= oldest.bytes;
            source.measured.kept += oldest.kept().await?;
        }
        let answer = pipeline.set(record.key, record.value, false).await;
        let answer = answer.map_err(|e| failure(e).when(&format!("record {number}")))?;
        bytes_unanswered += bytes;
        unanswered.push_back(Unanswered { number, bytes, answer });
    };
    for each in unanswered {
        source.measured.kept += each.kept().await?;
    }
    pipeline.finish().await.map_err(failure)?;
    read
}

/// A record that was sent.
struct Unanswered {
    number: u64,
    bytes: u64,
    answer: Answer<Outcome>,
}

impl Unanswered {
    /// 1 if another record was kept instead.
    async fn kept(self) -> Done<u64> {
        match self.answer.await {
            Ok(outcome) => Ok(u64::from(outcome == Outcome::Exists)),
            Err(e) => Err(failure(e).when(&format!("record {}", self.number))),
        }
    }
}
