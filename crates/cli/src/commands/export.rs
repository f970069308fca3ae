//! `hozo export`

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo::Stack;
use hozo::pages::{Target, When};
use hozo::rusqlite::{Connection, OpenFlags};
use hozo::traits::Version;
use tempfile::NamedTempFile;

use super::copy;
use super::view::{Copied, OpenTarget, connect, open_target};
use crate::args::Export;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

pub(super) fn run(args: &Export, context: &mut Context) -> Done {
    let shown = args.file.display().to_string();
    if let Ok(there) = args.file.symlink_metadata() {
        if !args.replace {
            return Err(exists(&shown));
        }
        // What takes its place is moved there: a device or a link would be gone.
        if !there.is_file() {
            let message = format!("{shown} is not a file, so it is not replaced");
            return Err(Failure::new(exit::CONFLICT, message));
        }
    }
    let stack = context.stack()?;
    let open = open_target(&stack, &args.target)?;
    let directory = match args.file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let failed = |e: std::io::Error| Failure::from(e).when(&shown);
    // Beside its final place, so that it can be moved there in one step; as
    // readable as any new file, which the umask limits.
    let temporary = tempfile::Builder::new()
        .prefix(".hozo-export-")
        .permissions(PermissionsExt::from_mode(0o666))
        .tempfile_in(&directory)
        .map_err(failed)?;
    write(&stack, &args.target, &open, temporary.path(), context).map_err(|e| e.when(&shown))?;
    if !args.no_check {
        let checking = progress::spinner(context, "checking");
        check(temporary.path()).map_err(|e| e.when(&shown))?;
        checking.finish_and_clear();
    }
    put_in_place(temporary, &directory, args)?;
    let copied = Copied::of(&open, Some(&args.file));
    if context.json {
        return context.write_json(&copied);
    }
    context.remark(format!("{shown} has {}", copied.told()));
    Ok(())
}

fn exists(shown: &str) -> Failure {
    Failure::new(exit::CONFLICT, format!("{shown} exists")).hint("--replace writes over it")
}

fn write(
    stack: &Arc<Stack>,
    target: &Target,
    open: &OpenTarget,
    file: &Path,
    context: &Context,
) -> Done {
    // The version that was looked up, even if the head has moved since.
    let fixed = match open.head.version {
        Version::ZERO => target.clone(),
        version => Target { name: target.name.clone(), when: When::Version(version) },
    };
    let source = connect(stack, &fixed, false)?;
    let mut copy = plain(file)?;
    // Nobody uses the file before it is complete and synced as a whole.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    copy::all(&source, &mut copy, context, "exporting")
}

fn check(file: &Path) -> Done {
    let copy = plain(file)?;
    let found: String = copy.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Failure::new(exit::FAILED, format!("the copy is damaged, and was not kept: {found}"))
        .hint("--no-check keeps it"))
}

fn plain(file: &Path) -> Done<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(file, flags)?)
}

/// Gives the complete file its name, so that it survives a power cut.
fn put_in_place(temporary: NamedTempFile, directory: &Path, args: &Export) -> Done {
    let shown = args.file.display().to_string();
    let failed = |e: std::io::Error| Failure::from(e).when(&shown);
    temporary.as_file().sync_all().map_err(failed)?;
    let moved = match args.replace {
        true => temporary.persist(&args.file),
        false => temporary.persist_noclobber(&args.file),
    };
    if let Err(e) = moved {
        return Err(match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&shown),
            _ => failed(e.error),
        });
    }
    File::open(directory).and_then(|d| d.sync_all()).map_err(failed)
}
