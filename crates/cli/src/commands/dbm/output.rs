//! Records as they are written: for people, for programs.

use std::borrow::Cow;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::files::text::{escape, hex, plain};
use crate::context::Context;
use crate::failure::Done;

/// How bytes look in text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Look {
    /// As they are.
    Raw,
    /// Control characters are spaces.
    Plain,
    /// Control characters are escaped as C does.
    Escaped,
    /// Hex digits.
    Hex,
}

impl Look {
    /// What the options say, `otherwise` if they say nothing.
    pub(in super::super) fn of(hex: bool, escaped: bool, otherwise: Look) -> Look {
        match (hex, escaped) {
            (true, _) => Look::Hex,
            (false, true) => Look::Escaped,
            (false, false) => otherwise,
        }
    }

    pub(in super::super) fn key(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        self.bytes(bytes, false)
    }

    pub(in super::super) fn value(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        self.bytes(bytes, true)
    }

    fn bytes(self, bytes: &[u8], keep_tabs: bool) -> Cow<'_, [u8]> {
        match self {
            Look::Raw => bytes.into(),
            Look::Plain => plain(bytes, keep_tabs).into(),
            Look::Escaped => escape(bytes).into(),
            Look::Hex => hex(bytes).into_bytes().into(),
        }
    }

    /// Adds bytes to an object: as a string where they are one, as hex digits
    /// under a name that says so otherwise.
    pub(in super::super) fn put(self, object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) if self != Look::Hex => object.insert(name.to_owned(), text.into()),
            _ => object.insert(format!("{name}_hex"), hex(bytes).into()),
        };
    }
}

/// A list of records, written while it is read.
pub(super) struct Listing {
    look: Look,
    keys_only: bool,
    json: bool,
    written: u64,
}

impl Listing {
    pub(super) fn new(look: Look, keys_only: bool, context: &Context) -> Listing {
        Listing { look, keys_only, json: context.json, written: 0 }
    }

    pub(super) fn record(&mut self, key: &[u8], value: &[u8], context: &mut Context) -> Done {
        let out = &mut context.out;
        self.written += 1;
        if self.json {
            let mut object = Map::new();
            self.look.put(&mut object, "key", key);
            if !self.keys_only {
                self.look.put(&mut object, "value", value);
            }
            out.write_all(if self.written == 1 { b"[\n  " } else { b",\n  " })?;
            return Ok(serde_json::to_writer(out, &object)?);
        }
        out.write_all(&self.look.key(key))?;
        if !self.keys_only {
            out.write_all(b"\t")?;
            out.write_all(&self.look.value(value))?;
        }
        Ok(out.write_all(b"\n")?)
    }

    pub(super) fn end(self, context: &mut Context) -> Done {
        match (self.json, self.written) {
            (false, _) => Ok(()),
            (true, 0) => Ok(writeln!(context.out, "[]")?),
            (true, _) => Ok(writeln!(context.out, "\n]")?),
        }
    }
}

/// Writes a value and ends its line.
pub(super) fn line(bytes: &[u8], context: &mut Context) -> Done {
    context.out.write_all(bytes)?;
    Ok(context.out.write_all(b"\n")?)
}

/// Says to a program that it was done; people see that there is no error.
pub(super) fn done(context: &mut Context) -> Done {
    if context.json { context.write_json(&json!({ "done": true })) } else { Ok(()) }
}
