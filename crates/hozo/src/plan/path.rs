//! The directories of stores, and of a log.

use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use rustix::fs::Access;

use crate::text::Report;

/// `path` from `base`, without `.` and, as far as text can tell, `..`.
pub(super) fn absolute(base: &Path, path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            // `a/..` is not the same as nothing when `a` is a link, so `..` stays
            // after anything but a plain directory.
            Component::ParentDir if !clean.is_symlink() && clean.pop() => {}
            part => clean.push(part),
        }
    }
    clean
}

/// What has a directory: what is said about it.
pub(super) struct Owner {
    alone: &'static str,
    access: &'static str,
}

/// A store.
pub(super) const STORE: Owner = Owner {
    alone: "a store's path is a directory of its own",
    access: "a store reads and writes in its directory, also to read an old version",
};

/// An update log.
pub(super) const LOG: Owner = Owner {
    alone: "an update log has a directory of its own",
    access: "the update log is written and removed in its directory",
};

/// `path` without the links in it, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Reports why `owner` could not be at `path`: it is made when first opened, in
/// a directory that must be there.
pub(super) fn check(path: &Path, owner: &Owner, span: &Range<usize>, report: &mut Report<'_>) {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            report.add(span.clone(), format!("{shown} is not a directory")).note(owner.alone);
        }
        Ok(_) => accessible(path, owner, span, report),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            parent(path.parent().unwrap_or(path), owner, span, report);
        }
        Err(e) => {
            report.add(span.clone(), format!("{shown} cannot be looked at: {e}"));
        }
    }
}

fn parent(parent: &Path, owner: &Owner, span: &Range<usize>, report: &mut Report<'_>) {
    let shown = parent.display();
    match fs::metadata(parent) {
        Ok(found) if !found.is_dir() => {
            report.add(span.clone(), format!("{shown} is not a directory"));
        }
        Ok(_) => accessible(parent, owner, span, report),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            report
                .add(span.clone(), format!("the directory {shown} does not exist"))
                .note(format!("to make it: mkdir -p '{shown}'"));
        }
        Err(e) => {
            report.add(span.clone(), format!("{shown} cannot be looked at: {e}"));
        }
    }
}

fn accessible(directory: &Path, owner: &Owner, span: &Range<usize>, report: &mut Report<'_>) {
    let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    if let Err(e) = rustix::fs::access(directory, needed) {
        report
            .add(span.clone(), format!("no permission in {}: {e}", directory.display()))
            .note(owner.access);
    }
}
