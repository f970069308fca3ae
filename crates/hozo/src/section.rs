//! A table of a config, read into a typed value with every error at once.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::problem::{Problem, listed, nearest};
use crate::text::{Report, in_file_order};

type Entry<'t> = (Spanned<Cow<'t, str>>, Spanned<DeValue<'t>>);

/// A table and what to call it: `[store.main]`.
pub(crate) struct Section<'t> {
    pub(crate) title: String,
    /// Its header, or the whole of an inline table.
    pub(crate) span: Range<usize>,
    entries: Vec<Entry<'t>>,
}

impl<'t> Section<'t> {
    pub(crate) fn new(title: String, span: Range<usize>, table: DeTable<'t>) -> Self {
        Section { title, span, entries: in_file_order(table) }
    }

    /// The section in `value`; reports a value that is no table.
    pub(crate) fn of(
        title: String,
        value: Spanned<DeValue<'t>>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Section::new(title, span, table)),
            other => {
                report
                    .add(span, format!("{title} is a section, not {}", with_article(&other)))
                    .label(format!("write {title} on a line of its own, its keys below"));
                None
            }
        }
    }

    /// Where the value of `key` is.
    pub(crate) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.entries.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v.span())
    }

    /// Where everything is, for problems that are found after reading.
    pub(crate) fn places(&self) -> Places {
        let values = self.entries.iter().map(|(k, v)| (k.get_ref().to_string(), v.span()));
        Places { section: self.span.clone(), values: values.collect() }
    }

    /// Takes a key out that must be there and have a string; `such_as` is what
    /// to say to who left it out.
    pub(crate) fn take_string(
        &mut self,
        key: &'static str,
        such_as: &str,
        report: &mut Report<'_>,
    ) -> Option<Spanned<String>> {
        let named = |(k, _): &Entry<'_>| k.get_ref() == key;
        let meant = |(k, _): &Entry<'_>| nearest(k.get_ref(), [key]).is_some();
        let mut at = self.entries.iter().position(named);
        if at.is_none() {
            at = self.entries.iter().position(meant);
            if let Some(at) = at {
                self.unknown(&self.entries[at].0, Some(key), report);
            }
        }
        let Some(at) = at else {
            let message = format!("{} has no `{key}`", self.title);
            report.missing(self.span.clone(), message).note(such_as);
            return None;
        };
        let (_, value) = self.entries.remove(at);
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some(Spanned::new(span, text.into_owned())),
            other => {
                report.add(
                    span,
                    format!("`{key}` in {} is a string, not {}", self.title, with_article(&other)),
                );
                None
            }
        }
    }

    /// Changes the string that `key` has, if it has one.
    pub(crate) fn replace_string(&mut self, key: &str, text: String) {
        if let Some((_, value)) = self.entries.iter_mut().find(|(k, _)| k.get_ref() == key)
            && value.get_ref().is_str()
        {
            *value.get_mut() = DeValue::String(Cow::Owned(text));
        }
    }

    /// The string that `key` has, if it has one.
    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(k, _)| k.get_ref() == key)?.1.get_ref().as_str()
    }

    /// Reads all of it as a `T`, which names the keys that exist. `taken` are
    /// keys of the section that are read elsewhere.
    ///
    /// serde stops at the first error; so an entry that is wrong is reported
    /// and left out, and the rest is read again, until all have had their turn.
    pub(crate) fn read<T: DeserializeOwned>(
        mut self,
        taken: &[&str],
        report: &mut Report<'_>,
    ) -> Option<T> {
        if let Some(known) = keys_of::<T>() {
            self.tell_unknown(known, taken, report);
        }
        let mut dropped: Vec<String> = Vec::new();
        loop {
            let table: DeTable<'_> = self.entries.iter().cloned().collect();
            let value = Spanned::new(self.span.clone(), DeValue::Table(table));
            let error = match T::deserialize(ValueDeserializer::from(value)) {
                Ok(value) => return dropped.is_empty().then_some(value),
                Err(error) => error,
            };
            let wrong = error.span().and_then(|span| self.entry_at(&span));
            let Some(wrong) = wrong else {
                // About the section as a whole: usually a key that is not
                // there, perhaps only because it was just left out.
                let echo = dropped.iter().any(|key| error.message().contains(&format!("`{key}`")));
                if !echo {
                    let about = match error.message().strip_prefix("missing field ") {
                        Some(key) => format!("{} has no {}", self.title, key.trim_end()),
                        None => format!("{}: {}", self.title, plain(error.message())),
                    };
                    report.missing(self.span.clone(), about);
                }
                return None;
            };
            let (key, value) = self.entries.remove(wrong);
            let span = error.span().unwrap_or_else(|| value.span());
            let key = key.into_inner().into_owned();
            report.add(span, format!("`{key}` in {}: {}", self.title, plain(error.message())));
            dropped.push(key);
        }
    }

    /// Reports unknown keys. One that is plainly meant to be a key that is not
    /// there is read as that key, so that its value is judged, too, and nobody
    /// is told that it is missing; the others are left out.
    fn tell_unknown(
        &mut self,
        known: &'static [&'static str],
        taken: &[&str],
        report: &mut Report<'_>,
    ) {
        let mut entries = std::mem::take(&mut self.entries);
        let mut there: Vec<String> = entries.iter().map(|(k, _)| k.get_ref().to_string()).collect();
        entries.retain_mut(|(key, _)| {
            if known.contains(&&**key.get_ref()) {
                return true;
            }
            let exist = taken.iter().chain(known).copied();
            let meant = nearest(key.get_ref(), exist.clone());
            let problem = self.unknown(key, meant, report);
            problem.note(format!("keys of {}: {}", self.title, listed(exist)));
            let Some(meant) = known.iter().find(|k| Some(**k) == meant) else { return false };
            if there.iter().any(|k| k == meant) {
                return false;
            }
            there.push((*meant).to_owned());
            *key.get_mut() = Cow::Borrowed(meant);
            true
        });
        self.entries = entries;
    }

    fn unknown<'r>(
        &self,
        key: &Spanned<Cow<'_, str>>,
        meant: Option<&str>,
        report: &'r mut Report<'_>,
    ) -> &'r mut Problem {
        let message = format!("unknown key `{}` in {}", key.get_ref(), self.title);
        let problem = report.add(key.span(), message);
        if let Some(meant) = meant {
            problem.label(format!("did you mean `{meant}`?"));
        }
        problem
    }

    fn entry_at(&self, span: &Range<usize>) -> Option<usize> {
        self.entries.iter().position(|(key, value)| {
            let within = |s: Range<usize>| s.start <= span.start && span.end <= s.end;
            within(key.span()) || within(value.span())
        })
    }
}

/// Where a section and its values are.
pub(crate) struct Places {
    section: Range<usize>,
    values: Vec<(String, Range<usize>)>,
}

impl Places {
    /// Where the value of `key` is; the section if it has none. What is within
    /// a value, as `tls.cert` is, is where the value is.
    pub(crate) fn of(&self, key: Option<&str>) -> Range<usize> {
        let key = key.map(|key| key.split_once('.').map_or(key, |(outer, _)| outer));
        let found = self.values.iter().find(|(name, _)| Some(&**name) == key);
        found.map_or(&self.section, |(_, span)| span).clone()
    }
}

fn with_article(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// serde's words for an error, shorter.
fn plain(message: &str) -> String {
    let mut message = message
        .replace("invalid type: ", "this is of another type: ")
        .replace("invalid value: ", "this cannot be: ");
    for number in ["u8", "u16", "u32", "u64", "u128", "usize"] {
        if let Some(start) = message.strip_suffix(&format!("expected {number}")) {
            message = format!("{start}expected a whole number from 0 on");
        }
    }
    for number in ["i8", "i16", "i32", "i64", "i128", "isize"] {
        if let Some(start) = message.strip_suffix(&format!("expected {number}")) {
            message = format!("{start}expected a whole number");
        }
    }
    message.trim_end().to_owned()
}

/// The keys of a struct that derives `Deserialize`, as the derive lists them;
/// `None` for a type that takes any keys.
pub(crate) fn keys_of<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut keys = None;
    // The deserializer answers every request with an error, so this is one too.
    let _: Result<T, de::value::Error> = T::deserialize(Keys(&mut keys));
    keys
}

/// A deserializer that only notes which struct it is asked for.
struct Keys<'k>(&'k mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only the keys are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
