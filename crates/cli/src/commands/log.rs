//! `hozo ns log`

use std::io::Write;

use hozo::Stack;
use hozo::pages::{NamespaceName, Namespaces, Target, When, format_time};
use hozo::traits::exec::block_on;
use hozo::traits::{Ambient, LogEntry, Span, SystemAmbient, Timestamp, Version};
use serde::Serialize;

use super::view::absent;
use crate::args::Log;
use crate::context::Context;
use crate::failure::Done;
use crate::output;

/// Entries that are read, and shown as one table, at a time.
const CHUNK: usize = 1000;

/// The fields of a commit in JSON. They stay the same.
#[derive(Serialize)]
struct Entry {
    version: String,
    time: String,
    pages_written: u32,
    page_size: u32,
    page_count: u32,
    bytes: u64,
    commit_id: String,
}

pub(super) fn run(args: &Log, context: &mut Context) -> Done {
    let stack = context.stack()?;
    let namespaces = stack.store_of(&args.name)?;
    let mut pages = Pages::new(&namespaces, args)?;
    let limit = if args.limit == 0 { u64::MAX } else { args.limit };
    let mut shown = 0;
    if context.json {
        write!(context.out, "[")?;
    }
    while shown < limit {
        let wanted = usize::try_from(limit - shown).unwrap_or(usize::MAX).min(CHUNK);
        let entries = pages.next(wanted)?;
        if entries.is_empty() {
            break;
        }
        if context.json {
            for (i, entry) in entries.iter().enumerate() {
                let comma = if shown == 0 && i == 0 { "\n  " } else { ",\n  " };
                write!(context.out, "{comma}")?;
                serde_json::to_writer(&mut context.out, &view(entry))?;
            }
        } else {
            table(&entries, &mut context.out)?;
        }
        shown += entries.len() as u64;
    }
    if context.json {
        writeln!(context.out, "{}]", if shown == 0 { "" } else { "\n" })?;
    } else if shown == 0 {
        context.remark("no commits");
    } else if shown == args.limit && !pages.next(1)?.is_empty() {
        context.remark(format!("... more; --limit 0 shows all, now {shown}"));
    }
    Ok(())
}

/// Writes the newest commits of a namespace as a table.
pub(crate) fn newest(
    stack: &Stack,
    name: &NamespaceName,
    limit: usize,
    out: &mut dyn Write,
) -> Done {
    let span = Span::Versions(Version::ZERO, Version::MAX);
    let entries = block_on(stack.store_of(name)?.log(name, span, true, limit))?;
    table(&entries, out)
}

fn table(entries: &[LogEntry], out: &mut dyn Write) -> Done {
    let now = SystemAmbient.now();
    let rows = entries.iter().map(|entry| row(now, entry));
    let header = ["VERSION", "TIME", "AGE", "PAGES", "SIZE"];
    Ok(writeln!(out, "{}", output::list(header, &[3, 4], rows))?)
}

fn view(entry: &LogEntry) -> Entry {
    Entry {
        version: entry.version.to_string(),
        time: format_time(entry.time),
        pages_written: entry.pages_written,
        page_size: entry.page_size.get(),
        page_count: entry.page_count,
        bytes: u64::from(entry.page_size.get()) * u64::from(entry.page_count),
        commit_id: entry.commit_id.to_string(),
    }
}

fn row(now: Timestamp, entry: &LogEntry) -> [String; 5] {
    let view = view(entry);
    let age = output::ago(now, entry.time);
    [view.version, view.time, age, view.pages_written.to_string(), output::size(view.bytes)]
}

/// The commits asked for, some at a time.
struct Pages<'n> {
    namespaces: &'n Namespaces,
    name: &'n NamespaceName,
    newest_first: bool,
    /// What is still to be read, both ends included; `None` at the end.
    left: Option<(Version, Version)>,
}

impl<'n> Pages<'n> {
    fn new(namespaces: &'n Namespaces, args: &'n Log) -> Done<Self> {
        block_on(namespaces.get(&args.name)).map_err(|e| absent(e, &args.name))?;
        let mut pages =
            Pages { namespaces, name: &args.name, newest_first: !args.oldest_first, left: None };
        let since = match &args.since {
            Some(when) => pages.edge(when, true)?,
            None => Some(Version::ZERO),
        };
        let until = match &args.until {
            Some(when) => pages.edge(when, false)?,
            None => Some(Version::MAX),
        };
        pages.left = since.zip(until);
        Ok(pages)
    }

    /// The first version at or after a moment, or the last at or before it;
    /// `None` if there is none.
    fn edge(&self, when: &When, first: bool) -> Done<Option<Version>> {
        let time = match when {
            When::Version(version) => return Ok(Some(*version)),
            When::Time(time) => *time,
            When::Ago(ago) => {
                let ago = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
                Timestamp::from_micros(SystemAmbient.now().as_micros().saturating_sub(ago))
            }
            When::Head | When::Tag(_) => {
                let target = Target { name: self.name.clone(), when: when.clone() };
                let at = block_on(self.namespaces.resolve(&target))?.at;
                return Ok(Some(at.map_or(Version::MAX, |head| head.version)));
            }
        };
        // Times never decrease along a log, so one entry says where the edge is.
        let span = match first {
            true => Span::Times(time, Timestamp::from_micros(u64::MAX)),
            false => Span::Times(Timestamp::default(), time),
        };
        let found = block_on(self.namespaces.log(self.name, span, !first, 1))?;
        Ok(found.first().map(|entry| entry.version))
    }

    /// The next commits, at most `wanted`; none at the end.
    fn next(&mut self, wanted: usize) -> Done<Vec<LogEntry>> {
        let Some((from, to)) = self.left else { return Ok(Vec::new()) };
        let span = Span::Versions(from, to);
        let found = block_on(self.namespaces.log(self.name, span, self.newest_first, wanted))?;
        self.left = found.last().and_then(|last| {
            if self.newest_first {
                Some((from, predecessor(last.version)?))
            } else {
                Some((last.version.successor()?, to))
            }
        });
        Ok(found)
    }
}

/// The largest version below this one; `None` before [`Version::ZERO`].
fn predecessor(version: Version) -> Option<Version> {
    let mut bytes = *version.as_bytes();
    for b in bytes.iter_mut().rev() {
        let (next, overflowed) = b.overflowing_sub(1);
        *b = next;
        if !overflowed {
            return Some(Version::from_bytes(bytes));
        }
    }
    None
}
