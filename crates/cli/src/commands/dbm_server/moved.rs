//! Files of Tkrzw where our directories would be.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::exit;
use crate::failure::{Done, Failure};

/// How files of Tkrzw begin.
const MAGICS: [(&[u8], &str); 3] = [
    (b"TkrzwHDB\n", "a file of Tkrzw's HashDBM or TreeDBM"),
    (b"TkrzwSDB\n", "a file of Tkrzw's SkipDBM"),
    (b"TkrzwMQX\n", "a file of Tkrzw's update log"),
];

/// Refuses a DBM of this kind that Tkrzw has in a file, and says how its records
/// come here.
pub(super) fn refuse_dbm(path: &str, kind: &str) -> Done {
    let (found, is_shard) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => (path.to_owned(), false),
        Err(_) => match shard_of(Path::new(path)) {
            Some(shard) => (shard, true),
            None => return Ok(()),
        },
    };
    let what = what_is(&found);
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let (kind_there, flat) = (if is_shard { "shard" } else { kind }, format!("{path}.flat"));
    let import = |file| format!("    hozo dbm --address ADDRESS --dbm {name}.hozo import {file}");
    let commands = match what {
        FLAT => import(path),
        _ => {
            format!("    tkrzw_dbm_util export --dbm {kind_there} {path} {flat}\n{}", import(&flat))
        }
    };
    let message = format!("{found} is {what}: it stays as it is, and is not served");
    Err(Failure::new(exit::CONFLICT, message).hint(format!(
        "give another path, such as {path}.hozo#dbm={kind}; when that is served:\n{commands}"
    )))
}

const FLAT: &str = "a flat record file";

fn what_is(file: &str) -> &'static str {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return "no directory";
    }
    let mut start = [0; 16];
    let count = File::open(file).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    let start = &start[..count];
    if start.first() == Some(&0xff) {
        return FLAT;
    }
    let known = MAGICS.iter().find(|(magic, _)| start.starts_with(magic));
    known.map_or("a file, and not of Hozo's", |(_, what)| what)
}

/// The first of a sharded DBM's files: `PATH-00000-of-00004`.
fn shard_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    beside(path)
        .into_iter()
        .find(|other| {
            let rest = other.file_name().and_then(|other| other.to_str()?.strip_prefix(name));
            rest.and_then(|rest| rest.strip_prefix("-00000-of-")).is_some_and(|n| is_number(n, 5))
        })?
        .to_str()
        .map(ToOwned::to_owned)
}

/// The first file of an update log of Tkrzw's: `PREFIX.0000000000`.
pub(super) fn ulog_of(prefix: &str) -> Option<String> {
    let path = Path::new(prefix);
    let name = path.file_name()?.to_str()?;
    beside(path)
        .into_iter()
        .find(|other| {
            let rest = other.file_name().and_then(|other| other.to_str()?.strip_prefix(name));
            rest.and_then(|rest| rest.strip_prefix('.')).is_some_and(|n| is_number(n, 10))
        })?
        .to_str()
        .map(ToOwned::to_owned)
}

fn is_number(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())
}

/// What is in the same directory, in order.
fn beside(path: &Path) -> Vec<std::path::PathBuf> {
    let Some(entries) = path.parent().and_then(|parent| fs::read_dir(parent).ok()) else {
        return Vec::new();
    };
    let mut entries: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries
}
