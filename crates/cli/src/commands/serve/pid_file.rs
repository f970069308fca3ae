//! The file with the process's id, for who stops it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::{Done, Failure};

/// A file with this process's id; dropping it removes the file.
pub(super) struct PidFile {
    path: PathBuf,
    text: String,
}

impl PidFile {
    /// Writes it, in place of what one that was killed has left.
    pub(super) fn write(path: &Path) -> Done<Self> {
        let text = format!("{}\n", std::process::id());
        let write = || -> io::Result<PathBuf> {
            // The working directory may be another at the end.
            let path = std::path::absolute(path)?;
            fs::write(&path, &text)?;
            Ok(path)
        };
        let path = write()
            .map_err(|e| Failure::from(e).when(&format!("the process id to {}", path.display())))?;
        Ok(PidFile { path, text })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another server may have its own there by now.
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            // Who looks whether the process is there finds that it is not.
            let _ = fs::remove_file(&self.path);
        }
    }
}
