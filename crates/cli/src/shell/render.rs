//! Rows as text.

use std::io::{self, Write};

use hozo_embedded::rusqlite::Statement;
use hozo_embedded::rusqlite::types::ValueRef;
use serde_json::Value;

use super::session::{Cause, Settings};
use super::table::Table;
use crate::args::Mode;

/// Runs a statement and writes its rows.
pub(super) fn run(
    statement: &mut Statement<'_>,
    settings: Settings,
    out: &mut dyn Write,
) -> Result<(), Cause> {
    let columns = column_names(statement);
    let mut rows = statement.query([])?;
    if columns.is_empty() {
        while rows.next()?.is_some() {}
        return Ok(());
    }
    let mut writer = Writer::new(columns, settings);
    writer.begin(out)?;
    let count = writer.columns.len();
    while let Some(row) = rows.next()? {
        let values = (0..count).map(|i| row.get_ref(i)).collect::<Result<Vec<_>, _>>()?;
        writer.row(&values, out)?;
    }
    Ok(writer.end(out)?)
}

/// The names of the columns.
///
/// A pragma that a VFS answers has a column without a name, about which rusqlite
/// does not return but panics. So the one column of a pragma has the pragma's name,
/// as those have that SQLite itself answers.
fn column_names(statement: &Statement<'_>) -> Vec<String> {
    if statement.column_count() == 1
        && let Some(name) = statement.expanded_sql().as_deref().and_then(pragma)
    {
        return vec![name];
    }
    statement.column_names().map(ToOwned::to_owned).collect()
}

/// The name of the pragma that a statement is.
fn pragma(sql: &str) -> Option<String> {
    let mut rest = sql.trim_start();
    loop {
        let comment = match rest {
            _ if rest.starts_with("--") => rest.split_once('\n'),
            _ if rest.starts_with("/*") => rest.split_once("*/"),
            _ => break,
        };
        rest = comment?.1.trim_start();
    }
    let (word, rest) = rest.split_at_checked("pragma".len())?;
    if !word.eq_ignore_ascii_case("pragma") {
        return None;
    }
    let name = rest.split(['=', '(', ';']).next()?.rsplit('.').next()?;
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    let name: String = name.chars().filter(is_name).collect();
    (!name.is_empty()).then_some(name)
}

struct Writer {
    columns: Vec<String>,
    settings: Settings,
    table: Table,
    rows: u64,
}

impl Writer {
    fn new(columns: Vec<String>, settings: Settings) -> Self {
        let header = settings.headers.then(|| columns.clone());
        let table = Table::new(header, settings.fit);
        let columns = if settings.mode == Mode::Json { distinct(columns) } else { columns };
        Writer { columns, settings, table, rows: 0 }
    }

    fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.settings.mode {
            Mode::Json => write!(out, "["),
            Mode::List if self.settings.headers => writeln!(out, "{}", self.columns.join("|")),
            Mode::Csv if self.settings.headers => {
                csv(out, self.columns.iter().map(|name| Some(name.clone())))
            }
            _ => Ok(()),
        }
    }

    fn row(&mut self, values: &[ValueRef<'_>], out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        match self.settings.mode {
            Mode::Table => {
                let cells = values.iter().map(|v| (short(*v), is_number(*v))).collect();
                self.table.row(cells, out)
            }
            Mode::List => {
                let texts: Vec<String> =
                    values.iter().map(|v| text(*v).unwrap_or_default()).collect();
                writeln!(out, "{}", texts.join("|"))
            }
            Mode::Csv => csv(out, values.iter().map(|v| text(*v))),
            Mode::Json => {
                let first = if self.rows == 1 { "\n" } else { ",\n" };
                write!(out, "{first}  {{")?;
                for (i, (name, value)) in self.columns.iter().zip(values).enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    let name = Value::from(name.as_str());
                    write!(out, "{comma}{name}: {}", json(*value))?;
                }
                write!(out, "}}")
            }
            Mode::Line => {
                if self.rows > 1 {
                    writeln!(out)?;
                }
                let width = self.columns.iter().map(|c| c.chars().count()).max().unwrap_or(0);
                for (name, value) in self.columns.iter().zip(values) {
                    writeln!(out, "{name:>width$} = {}", text(*value).unwrap_or_default())?;
                }
                Ok(())
            }
        }
    }

    fn end(mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.settings.mode {
            Mode::Table => self.table.finish(out),
            Mode::Json if self.rows == 0 => writeln!(out, "]"),
            Mode::Json => writeln!(out, "\n]"),
            _ => Ok(()),
        }
    }
}

/// A JSON object has each name once: later ones of the same name get a number.
fn distinct(columns: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(columns.len());
    for name in columns {
        let mut unique = name.clone();
        let mut n = 2;
        while out.contains(&unique) {
            unique = format!("{name}:{n}");
            n += 1;
        }
        out.push(unique);
    }
    out
}

fn is_number(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Integer(_) | ValueRef::Real(_))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// All of a value; `None` for NULL.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Real(x) => Some(real(x)),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Some(format!("x'{}'", hex(bytes))),
    }
}

/// As much of a value as is good to read in a table.
fn short(value: ValueRef<'_>) -> String {
    const TEXT_CHARS_MAX: usize = 2000;
    const BLOB_BYTES_MAX: usize = 32;
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Blob(bytes) if bytes.len() > BLOB_BYTES_MAX => {
            format!("x'{}'... {} bytes", hex(&bytes[..BLOB_BYTES_MAX]), bytes.len())
        }
        value => {
            let all = text(value).unwrap_or_default();
            match all.char_indices().nth(TEXT_CHARS_MAX) {
                Some((at, _)) => format!("{}... {} bytes", &all[..at], all.len()),
                None => all,
            }
        }
    }
}

/// A number that reads back as the same, as SQLite writes infinities.
fn real(x: f64) -> String {
    if x.is_infinite() {
        return if x > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() };
    }
    format!("{x:?}")
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::from(n),
        // JSON has no infinities.
        ValueRef::Real(x) => Value::from(x),
        ValueRef::Text(bytes) => Value::from(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => Value::from(hex(bytes)),
    }
}

/// A record as RFC 4180 has it. NULL is nothing, an empty string is `""`.
fn csv(out: &mut dyn Write, fields: impl Iterator<Item = Option<String>>) -> io::Result<()> {
    for (i, field) in fields.enumerate() {
        if i > 0 {
            write!(out, ",")?;
        }
        match field {
            None => {}
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => write!(out, "{text}")?,
        }
    }
    write!(out, "\r\n")
}

#[cfg(test)]
mod tests;
