//! What a server became while it ran, for when it runs again.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use hozo_log::disk::Disk;
use hozo_traits::{Error, ErrorKind, Result, Role};

use crate::ulog::checkpoint::{read_whole, replace};

const FILE: &str = "role";
const NEW: &str = "role.new";
const BYTES_MAX: u64 = 4096;
const FIRST_LINE: &str = "hozo role 1";

/// The file `role`: three lines of text. It holds against what the config says,
/// since a promotion must outlive a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RoleFile {
    pub(crate) role: Role,
    pub(crate) source: Option<String>,
}

impl RoleFile {
    pub(crate) fn read(disk: &Arc<dyn Disk>) -> Result<Option<RoleFile>> {
        read_whole(disk, FILE, BYTES_MAX)?.map(|bytes| RoleFile::parse(&bytes)).transpose()
    }

    /// The file in the directory of a log that this process has not open, and
    /// that may not be there yet. It is replaced as a whole, so it can be read at
    /// any time.
    pub(crate) fn read_in(dir: &Path) -> Result<Option<RoleFile>> {
        let file = dir.join(FILE);
        let mut bytes = Vec::new();
        let read = File::open(&file).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => RoleFile::parse(&bytes).map(Some),
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(e) => {
                let what = "the file that says what this server is in replication cannot be read";
                Err(Error::new(ErrorKind::Unavailable, what)
                    .with("file", file.display())
                    .caused_by(e))
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<RoleFile> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let wrong = || {
            Error::new(
                ErrorKind::Corrupt,
                "the file `role` of the update log cannot be read: remove it to go on as the \
                 config says",
            )
        };
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong());
        }
        let role = match lines.next() {
            Some("master") => Role::Master,
            Some("dual master") => Role::DualMaster,
            Some("follower") => Role::Follower,
            _ => return Err(wrong()),
        };
        let source = lines.next().filter(|source| !source.is_empty()).map(str::to_owned);
        Ok(RoleFile { role, source })
    }

    pub(crate) fn write(&self, disk: &Arc<dyn Disk>) -> Result<()> {
        let source = self.source.as_deref().unwrap_or("");
        if source.contains('\n') {
            return Err(Error::new(ErrorKind::Invalid, "an address is one line"));
        }
        let text = format!("{FIRST_LINE}\n{}\n{source}\n", self.role.as_str());
        replace(disk, FILE, NEW, text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
