//! Who may what, by the tokens that requests carry.
//!
//! Of a token only the SHA-256 is kept. Tokens are 32 random bytes, so a plain
//! hash is as good as a slow one: there is nothing to guess.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hozo_traits::{Error, ErrorKind, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::tls::{invalid, read_file};
use crate::service::{Grant, Right};

#[cfg(test)]
mod tests;

/// A request is compared with all of them.
const TOKENS_MAX: usize = 1024;
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Stands for every DBM that a token does not name.
const EVERY: &str = "*";

/// A token of the file: what is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenEntry {
    /// What it is called.
    pub name: String,
    /// The SHA-256 of the token; see [`token_hash`].
    pub sha256: [u8; 32],
    /// The highest right to each DBM, by its name; `*` is every other DBM.
    pub rights: BTreeMap<String, Right>,
}

/// What a file of tokens keeps of a token.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Reads a file of tokens: `[[token]]` sections with `name`, `sha256` and
/// `rights`. All of it makes sense, or it is an error.
pub fn parse_tokens(text: &str) -> Result<Vec<TokenEntry>> {
    let wrong = |what| Error::new(ErrorKind::Invalid, what).with("setting", "tokens");
    let file: File = toml::from_str(text).map_err(|e| {
        wrong("a file of tokens has [[token]] sections with `name`, `sha256` and `rights`")
            .caused_by(e)
    })?;
    if file.token.len() > TOKENS_MAX {
        return Err(wrong("there are at most 1024 tokens").with("given", file.token.len()));
    }
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    let mut entries = Vec::with_capacity(file.token.len());
    for Entry { name, sha256, rights } in file.token {
        let wrong = |what| wrong(what).with("token", &name);
        if !names.insert(name.clone()) {
            return Err(wrong("two tokens have this name"));
        }
        let sha256 = from_hex(&sha256).ok_or_else(|| {
            wrong("`sha256` is the 64 hex digits of the token's SHA-256, as `hozo token` has them")
        })?;
        if !hashes.insert(sha256) {
            return Err(wrong("another entry has the same token"));
        }
        let rights = rights.into_iter().map(|(dbm, word)| (dbm, word.into())).collect();
        entries.push(TokenEntry { name, sha256, rights });
    }
    Ok(entries)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    rights: BTreeMap<String, Word>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Read,
    Write,
    Admin,
}

impl From<Word> for Right {
    fn from(word: Word) -> Right {
        match word {
            Word::Read => Right::Read,
            Word::Write => Right::Write,
            Word::Admin => Right::Admin,
        }
    }
}

/// The tokens of one reading of the file.
pub(super) struct Tokens {
    known: Vec<([u8; 32], Arc<Grant>)>,
}

impl Tokens {
    /// Reads the file: all of it makes sense, or none of it is taken.
    pub(super) fn load(path: &Path, dbms: &[String]) -> Result<Self> {
        let bytes = read_file(path, "tokens", FILE_BYTES_MAX)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|e| invalid("the file is no text", "tokens", path).caused_by(e))?;
        parse_tokens(text)
            .and_then(|entries| Tokens::new(&entries, dbms))
            .map_err(|e| e.with("file", path.display()))
    }

    fn new(entries: &[TokenEntry], dbms: &[String]) -> Result<Self> {
        let mut known = Vec::with_capacity(entries.len());
        for TokenEntry { name, sha256, rights } in entries {
            if let Some(dbm) = rights.keys().find(|dbm| *dbm != EVERY && !dbms.contains(dbm)) {
                let what = "a right is to a DBM that is served, or to \"*\", every other one";
                return Err(Error::new(ErrorKind::Invalid, what)
                    .with("setting", "tokens")
                    .with("token", name)
                    .with("given", dbm)
                    .with("served", dbms.join(", ")));
            }
            let of = |dbm: &String| rights.get(dbm).or(rights.get(EVERY)).copied();
            let rights: Vec<Option<Right>> = dbms.iter().map(of).collect();
            known.push((*sha256, Arc::new(Grant::new(name, rights))));
        }
        Ok(Tokens { known })
    }

    /// Keeps what `before` granted alike, and answers what it granted and this
    /// does not: that is to be taken back.
    pub(super) fn after(&mut self, before: &Tokens) -> Vec<Arc<Grant>> {
        let mut gone = Vec::new();
        for (hash, grant) in &before.known {
            match self.known.iter_mut().find(|(known, _)| known == hash) {
                Some((_, now)) if now.is_same(grant) => *now = Arc::clone(grant),
                _ => gone.push(Arc::clone(grant)),
            }
        }
        gone
    }

    /// What the bearer of this token may, if it is one of ours. It takes as
    /// long whichever it is, and if it is none.
    pub(super) fn grant(&self, token: &[u8]) -> Option<&Arc<Grant>> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut place = 0_u64;
        let mut found = Choice::from(0);
        for (index, (known, _)) in (0_u64..).zip(&self.known) {
            let same = known.ct_eq(&hash);
            place.conditional_assign(&index, same);
            found |= same;
        }
        bool::from(found).then(|| &self.known[usize::try_from(place).expect("an index")].1)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.known.len())
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
