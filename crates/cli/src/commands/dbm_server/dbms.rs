//! DBMs as Tkrzw's commands name them: `PATH#NAME=VALUE,...`.

use std::path::Path;

use hozo::traits::check_dbm_name;

use super::super::toml::absolute;
use super::moved;
use crate::exit;
use crate::failure::{Done, Failure};

/// A DBM, and the backend that it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Dbm {
    /// As it was written.
    pub(super) expression: String,
    pub(super) name: String,
    pub(super) backend: &'static str,
    /// Its directory, absolute, unless it is in memory.
    pub(super) path: Option<String>,
    pub(super) notes: Vec<String>,
}

/// What a kind of DBM is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kind {
    name: &'static str,
    /// Extensions that mean it, as `dbm=` has the name, with and without `dbm`.
    extensions: [&'static str; 3],
    ordered: bool,
    /// Whether it lives in memory, and is only read from a file and written to it.
    memory: bool,
}

const TINY: Kind = kind("tiny", ["tkmt", "tiny", "flat"], false, true);

const KINDS: [Kind; 8] = [
    kind("hash", ["tkh", "hash", ""], false, false),
    kind("tree", ["tkt", "tree", ""], true, false),
    kind("skip", ["tks", "skip", ""], true, false),
    TINY,
    kind("baby", ["tkmb", "baby", ""], true, true),
    kind("cache", ["tkmc", "cache", ""], false, true),
    kind("stdhash", ["tksh", "stdhash", ""], false, true),
    kind("stdtree", ["tkst", "stdtree", ""], true, true),
];

const fn kind(
    name: &'static str,
    extensions: [&'static str; 3],
    ordered: bool,
    memory: bool,
) -> Kind {
    Kind { name, extensions, ordered, memory }
}

/// Parameters that tune what there is nothing to tune of here.
const TUNING: [&str; 22] = [
    "access_options",
    "align_pow",
    "block_size",
    "cache_buckets",
    "fbp_capacity",
    "file",
    "max_branches",
    "max_cached_pages",
    "max_cached_records",
    "max_level",
    "max_page_size",
    "min_read_size",
    "num_buckets",
    "num_shards",
    "offset_width",
    "page_update_mode",
    "record_crc_mode",
    "restore_mode",
    "sort_mem_size",
    "step_unit",
    "update_mode",
    "insert_in_order",
];

/// The DBM of an expression; `backends` are those of this build.
pub(super) fn read(expression: &str, base: &Path, backends: &[&str]) -> Done<Dbm> {
    let wrong = |what: String| Failure::new(exit::USAGE, format!("{expression}: {what}"));
    let mut parts = expression.split('#');
    let path = parts.next().unwrap_or_default();
    let parameters = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err(wrong("there is one # in PATH#NAME=VALUE,...".to_owned()));
    }
    let (mut class, mut name, mut notes, mut tuned) = (None, None, Vec::new(), Vec::new());
    for parameter in parameters.split(',').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (key, value) = (key.trim(), value.trim());
        match key {
            "dbm" => class = Some(value.to_ascii_lowercase()),
            "name" => name = Some(value.to_owned()),
            "cap_rec_num" | "cap_mem_size" => {
                notes.push(format!("{key}: nothing is dropped when there is much of it"));
            }
            "record_comp_mode" => notes.extend(compression(value).map_err(&wrong)?),
            "cipher_key" => return Err(wrong(ENCRYPTION.to_owned())),
            "key_comparator" => order(value).map_err(&wrong)?,
            key if key.starts_with("ulog_") => {
                let what = "all DBMs of a server have one update log: --ulog_prefix";
                return Err(wrong(what.to_owned()));
            }
            key if TUNING.contains(&key) => tuned.push(key),
            key => return Err(wrong(format!("there is no parameter {key:?}"))),
        }
    }
    if !tuned.is_empty() {
        notes.push(format!("without effect, as there is nothing to tune: {}", tuned.join(", ")));
    }
    let kind = match class {
        Some(class) => by_name(&class).map_err(&wrong)?,
        None if path.is_empty() => TINY,
        None => by_extension(path).map_err(&wrong)?,
    };
    if path.is_empty() && !kind.memory {
        return Err(wrong(format!("a {} DBM has a path", kind.name)));
    }
    let path = if path.is_empty() { None } else { Some(absolute(path, base)?) };
    let backend = match &path {
        None => "memory",
        Some(_) if !kind.ordered => "hashdbm",
        Some(_) => ordered(kind, backends).map_err(&wrong)?,
    };
    if kind.memory && path.is_some() {
        notes.push(format!(
            "a {} DBM is written to its file at the end; here each update is on the disk",
            kind.name
        ));
    }
    let name = match (name, &path) {
        (Some(name), _) => name,
        (None, None) => kind.name.to_owned(),
        (None, Some(path)) => file_name(path),
    };
    if let Err(e) = check_dbm_name(&name) {
        let what = format!("{name:?} cannot be its name: {}; #name=NAME gives one", e.message());
        return Err(wrong(what));
    }
    if let Some(path) = &path {
        moved::refuse_dbm(path, kind.name)?;
    }
    Ok(Dbm { expression: expression.to_owned(), name, backend, path, notes })
}

const ENCRYPTION: &str =
    "records are not encrypted here; an encrypted file system keeps what is on the disk secret";

fn compression(mode: &str) -> Result<Option<String>, String> {
    let mode = mode.to_ascii_lowercase();
    match mode.trim_start_matches("record_").trim_start_matches("comp_") {
        "" | "none" => Ok(None),
        "rc4" | "arcfour" | "aes" | "rijndael" => Err(ENCRYPTION.to_owned()),
        mode => {
            Ok(Some(format!("record_comp_mode: the backend says what is compressed, not {mode}")))
        }
    }
}

fn order(comparator: &str) -> Result<(), String> {
    match &*comparator.to_ascii_lowercase() {
        "" | "lexical" | "lexicalkeycomparator" => Ok(()),
        _ => Err(format!("keys have the order of their bytes here, not of {comparator}")),
    }
}

fn known() -> String {
    KINDS.map(|kind| kind.name).join(", ")
}

fn by_name(class: &str) -> Result<Kind, String> {
    let class = class.strip_suffix("dbm").unwrap_or(class);
    let found = KINDS.into_iter().find(|kind| kind.name == class);
    found.ok_or_else(|| format!("there is no kind of DBM {class:?}; there are {}", known()))
}

fn by_extension(path: &str) -> Result<Kind, String> {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    // Tkrzw ignores what a shard's name has after it.
    let extension = extension.split('-').next().unwrap_or_default();
    let found = KINDS
        .into_iter()
        .find(|kind| !extension.is_empty() && kind.extensions.contains(&extension));
    found.ok_or_else(|| {
        format!("its extension is that of no DBM; say its kind, {}: {path}#dbm=hash", known())
    })
}

/// The backend of a DBM on the disk whose keys have an order.
fn ordered(kind: Kind, backends: &[&str]) -> Result<&'static str, String> {
    let known = ["rocksdb", "sled"].into_iter().find(|name| backends.contains(name));
    known.ok_or_else(|| {
        format!(
            "a {} DBM has its keys in order; for that on the disk there are the backends rocksdb \
             and sled, which this build has not: `make install` in a checkout of Hozo builds \
             with both. Where order is not needed, say #dbm=hash",
            kind.name
        )
    })
}

/// The file's name, with what a DBM's name cannot have as `_`.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
