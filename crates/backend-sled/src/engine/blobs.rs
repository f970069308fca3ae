//! The files in which sled keeps large values, and never syncs.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use hozo_directory::io_error;
use hozo_traits::Result;

/// Which of the files of large values, which have ascending numbers, are on
/// stable storage.
pub(super) struct Blobs {
    /// Those below this.
    synced: i64,
    /// The highest that the last sync saw. One may have been made below it
    /// meanwhile, so the next sync looks at the same ones again.
    seen: i64,
}

impl Blobs {
    /// Of a store that was just opened: none is known to be.
    pub(super) fn unknown() -> Blobs {
        Blobs { synced: i64::MIN, seen: i64::MIN }
    }

    /// Syncs those in sled's directory of them that may not be.
    pub(super) fn sync(&mut self, directory: &Path) -> Result<()> {
        let failed = |e| io_error(e, "the store's large values cannot be synced", directory);
        let mut highest = None;
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(number) = entry.file_name().to_string_lossy().parse::<i64>() else { continue };
            if number < self.synced {
                continue;
            }
            match File::open(entry.path()).and_then(|file| file.sync_data()) {
                Ok(()) => highest = highest.max(Some(number)),
                // sled removes what it needs no longer.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(e)),
            }
        }
        if let Some(highest) = highest {
            hozo_directory::sync(directory)?;
            self.synced = self.seen;
            self.seen = self.seen.max(highest);
        }
        Ok(())
    }
}
