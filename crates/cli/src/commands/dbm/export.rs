//! `hozo dbm export`

use std::io::{BufWriter, Write};
use std::path::Path;

use futures_util::StreamExt;
use hozo_client::{Dbm, ScanOptions};
use indicatif::ProgressBar;

use super::connect::To;
use super::files::{self, Form, Record, Unfit};
use super::import::BUFFER_BYTES;
use super::input::STANDARD;
use super::measured::Measured;
use super::output::Look;
use super::refusal::{failure, shown};
use crate::args::dbm::Export;
use crate::commands::new_file::NewFile;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

pub(super) async fn run(args: &Export, to: &To<'_>, context: &mut Context) -> Done {
    if args.file == Path::new(STANDARD) {
        let dbm = to.dbm(context).await?;
        // Who watches a terminal sees the records themselves.
        let mut measured = Measured::begin();
        let hidden = ProgressBar::hidden();
        return write(&dbm, args, &mut context.out, &hidden, &mut measured).await;
    }
    let named = args.file.display().to_string();
    let file = NewFile::begin(&args.file, args.replace)?;
    let dbm = to.dbm(context).await?;
    let bar = progress::records(context, "exporting");
    if !bar.is_hidden() {
        bar.set_length(to.patient(&dbm).count().await.map_err(failure)?);
    }
    let mut measured = Measured::begin();
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file.open());
    let written = write(&dbm, args, &mut out, &bar, &mut measured).await;
    bar.finish_and_clear();
    written.and_then(|()| Ok(out.flush()?)).map_err(|e| e.when(&named))?;
    drop(out);
    file.finish()?;
    if context.json {
        return context.write_json(&measured.json());
    }
    context.remark(format!("{named}: {}", measured.told()));
    Ok(())
}

async fn write(
    dbm: &Dbm,
    args: &Export,
    out: &mut impl Write,
    bar: &ProgressBar,
    measured: &mut Measured,
) -> Done {
    let form = Form::from(&args.form);
    let mut records = dbm.scan_with(ScanOptions { keys_only: args.keys, ..ScanOptions::default() });
    let mut last = None;
    while let Some(record) = records.next().await {
        let (key, value) = record.map_err(failure)?;
        let record = Record { key: key.into(), value: value.into() };
        measured.record(&record.key, &record.value);
        bar.inc(1);
        let written = match args.keys {
            true => write_key(args.form.escape, &record.key, out),
            false => files::write(form, &record, out),
        };
        match written {
            Ok(()) => {}
            Err(Unfit::Io(e)) => return Err(e.into()),
            Err(Unfit::Form(why)) => {
                let message = format!("{} cannot be a line: {why}", shown(&record.key));
                return Err(Failure::new(exit::FAILED, message)
                    .hint("--escape writes all bytes; so does the form without --tsv"));
            }
        }
        last = Some(record);
    }
    match last {
        Some(last) if !args.keys => Ok(files::end(form, &last, out)?),
        _ => Ok(()),
    }
}

fn write_key(escape: bool, key: &[u8], out: &mut impl Write) -> Result<(), Unfit> {
    if !escape && key.contains(&b'\n') {
        return Err(Unfit::Form("it has a line feed"));
    }
    let look = if escape { Look::Escaped } else { Look::Raw };
    out.write_all(&look.key(key))?;
    Ok(out.write_all(b"\n")?)
}
