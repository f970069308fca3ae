//! Where the preload library is.

use std::path::PathBuf;

use crate::exit;
use crate::failure::{Done, Failure};

/// The library's file name.
const LIBRARY: &str = "libhozo_preload.so";

/// Names a directory to look in first.
const DIRECTORY: &str = "HOZO_LIB_DIR";

/// Finds the preload library: in `HOZO_LIB_DIR`, beside the command, or where
/// `make install` puts it.
pub(super) fn library() -> Done<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    places.extend(std::env::var_os(DIRECTORY).filter(|d| !d.is_empty()).map(PathBuf::from));
    let command = std::env::current_exe()?;
    if let Some(beside) = command.parent() {
        places.push(beside.to_owned());
        for from_there in ["../lib", "../lib/hozo"] {
            places.push(beside.join(from_there));
        }
    }
    for place in &places {
        let file = place.join(LIBRARY);
        if file.is_file() {
            return Ok(std::fs::canonicalize(file)?);
        }
    }
    let looked: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    Err(Failure::new(exit::NOT_FOUND, format!("{LIBRARY} is not in {}", looked.join(", ")))
        .hint(format!("{DIRECTORY} names the directory that it is in; `make build` makes it")))
}
