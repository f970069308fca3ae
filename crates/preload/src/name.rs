//! Which names may be a namespace's, judged by the call alone.

use std::borrow::Cow;
use std::ffi::c_int;

use hozo_pages::NamespaceName;

/// The name under which the VFS is registered.
pub(crate) const VFS: &str = "hozo";

/// `SQLITE_OPEN_URI`: the name may be a URI.
pub(crate) const OPEN_URI: c_int = 0x40;
/// `SQLITE_OPEN_MEMORY`: the database is in memory, whatever its name.
const OPEN_MEMORY: c_int = 0x80;

/// What the arguments of an open say about whom it is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nobody's but the program's own VFS: no config is read, no store opened.
    Plain,
    /// The caller asks for Hozo's VFS by its name.
    Explicit,
    /// A namespace's name, if the store has such a namespace.
    Maybe {
        /// The name as the VFS will see it.
        name: String,
        /// It came as a URI, which SQLite has to be told to take apart.
        uri: bool,
    },
}

/// Judges the arguments of an open. `vfs` is the VFS that the caller asks for.
///
/// A name that begins with `file:` is taken for a URI even where the flags do
/// not say so: whether URIs are on for the whole process cannot be asked.
pub(crate) fn classify(name: &[u8], flags: c_int, vfs: Option<&[u8]>) -> Class {
    if flags & OPEN_MEMORY != 0 {
        return Class::Plain;
    }
    let uri = match name.strip_prefix(b"file:") {
        None => None,
        Some(rest) => match Uri::parse(rest) {
            Some(uri) => Some(uri),
            None => return Class::Plain,
        },
    };
    let in_uri = |key: &[u8]| uri.as_ref().and_then(|uri| uri.parameter(key));
    if in_uri(b"mode").is_some_and(|mode| *mode == *b"memory") {
        return Class::Plain;
    }
    // A VFS named in the URI overrides the argument.
    match in_uri(b"vfs").or(vfs.map(Cow::Borrowed)) {
        Some(vfs) if *vfs == *VFS.as_bytes() => Class::Explicit,
        Some(_) => Class::Plain,
        None => match &uri {
            Some(uri) => judge(&uri.path, true),
            None => judge(name, false),
        },
    }
}

fn judge(name: &[u8], uri: bool) -> Class {
    let Ok(name) = std::str::from_utf8(name) else { return Class::Plain };
    // `app@anything` is asked for in `app`'s history; that there is no such
    // moment is then an error, not a file of that name.
    let base = name.split('@').next().unwrap_or_default();
    match base.parse::<NamespaceName>() {
        Ok(_) => Class::Maybe { name: name.to_owned(), uri },
        Err(_) => Class::Plain,
    }
}

/// The parts of a `file:` URI that matter here, decoded as SQLite decodes them.
struct Uri<'a> {
    path: Cow<'a, [u8]>,
    query: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Takes apart what comes after `file:`; `None` if it names another host.
    fn parse(rest: &'a [u8]) -> Option<Self> {
        let mut rest = rest;
        if let Some(after) = rest.strip_prefix(b"//") {
            let end = after.iter().position(|&b| b == b'/').unwrap_or(after.len());
            if end != 0 && &after[..end] != b"localhost" {
                return None;
            }
            rest = &after[end..];
        }
        let rest = rest.split(|&b| b == b'#').next().unwrap_or_default();
        let mut parts = rest.splitn(2, |&b| b == b'?');
        let path = parts.next().unwrap_or_default();
        Some(Uri { path: decode(path), query: parts.next().unwrap_or_default() })
    }

    /// The decoded value of the last parameter with this name: the last counts.
    fn parameter(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let mut found = None;
        for pair in self.query.split(|&b| b == b'&') {
            let mut parts = pair.splitn(2, |&b| b == b'=');
            let key = decode(parts.next().unwrap_or_default());
            if *key == *name {
                found = Some(decode(parts.next().unwrap_or_default()));
            }
        }
        found
    }
}

/// Decodes `%HH`. As in SQLite, a `%` without two hex digits is itself, and
/// `%00` ends the text.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = |i: usize| text.get(i).and_then(|&b| (b as char).to_digit(16));
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(0), Some(0)) => break,
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
