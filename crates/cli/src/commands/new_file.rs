//! A file that appears when it is complete.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit;
use crate::failure::{Done, Failure};

/// A file under another name, beside its final place. Dropped without
/// [`finish`](Self::finish) it is gone.
pub(super) struct NewFile {
    temporary: NamedTempFile,
    file: PathBuf,
    directory: PathBuf,
    replace: bool,
}

impl NewFile {
    /// Begins one, unless something is at its place that may not be replaced.
    pub(super) fn begin(file: &Path, replace: bool) -> Done<NewFile> {
        if let Ok(there) = file.symlink_metadata() {
            if !replace {
                return Err(exists(file));
            }
            // What takes its place is moved there: a device or a link would be gone.
            if !there.is_file() {
                let message = format!("{} is not a file, so it is not replaced", file.display());
                return Err(Failure::new(exit::CONFLICT, message));
            }
        }
        let directory = match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // Beside its final place, so that it can be moved there in one step; as
        // readable as any new file, which the umask limits.
        let temporary = tempfile::Builder::new()
            .prefix(".hozo-export-")
            .permissions(PermissionsExt::from_mode(0o666))
            .tempfile_in(&directory)
            .map_err(failed(file))?;
        Ok(NewFile { temporary, file: file.to_owned(), directory, replace })
    }

    /// Where it is until then.
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// For writing it.
    pub(super) fn open(&self) -> &File {
        self.temporary.as_file()
    }

    /// Gives the complete file its name, so that it survives a power cut.
    pub(super) fn finish(self) -> Done {
        let NewFile { temporary, file, directory, replace } = self;
        temporary.as_file().sync_all().map_err(failed(&file))?;
        let moved = match replace {
            true => temporary.persist(&file),
            false => temporary.persist_noclobber(&file),
        };
        if let Err(e) = moved {
            return Err(match e.error.kind() {
                io::ErrorKind::AlreadyExists => exists(&file),
                _ => failed(&file)(e.error),
            });
        }
        File::open(directory).and_then(|d| d.sync_all()).map_err(failed(&file))
    }
}

fn exists(file: &Path) -> Failure {
    Failure::new(exit::CONFLICT, format!("{} exists", file.display()))
        .hint("--replace writes over it")
}

fn failed(file: &Path) -> impl Fn(io::Error) -> Failure {
    let shown = file.display().to_string();
    move |error| Failure::from(error).when(&shown)
}
