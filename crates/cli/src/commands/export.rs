//! `hozo export`

use std::path::Path;
use std::sync::Arc;

use hozo::Stack;
use hozo::pages::{Target, When};
use hozo::traits::Version;
use hozo_embedded::rusqlite::{Connection, OpenFlags};

use super::copy;
use super::new_file::NewFile;
use super::view::{Copied, OpenTarget, connect, open_target};
use crate::args::Export;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

pub(super) fn run(args: &Export, context: &mut Context) -> Done {
    let shown = args.file.display().to_string();
    let file = NewFile::begin(&args.file, args.replace)?;
    let stack = context.stack()?;
    let open = open_target(&stack, &args.target)?;
    write(&stack, &args.target, &open, file.path(), context).map_err(|e| e.when(&shown))?;
    if !args.no_check {
        let checking = progress::spinner(context, "checking");
        check(file.path()).map_err(|e| e.when(&shown))?;
        checking.finish_and_clear();
    }
    file.finish()?;
    let copied = Copied::of(&open, Some(&args.file));
    if context.json {
        return context.write_json(&copied);
    }
    context.remark(format!("{shown} has {}", copied.told()));
    Ok(())
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
