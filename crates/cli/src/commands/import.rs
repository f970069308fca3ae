//! `hozo import`

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hozo::Stack;
use hozo::pages::{NamespaceName, Target, When};
use hozo::traits::exec::block_on;
use hozo::traits::{ErrorKind, PageSize};
use hozo_embedded::rusqlite::{Connection, ErrorCode, OpenFlags};

use super::copy;
use super::view::{Copied, connect, open_target};
use crate::args::Import;
use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};

pub(super) fn run(args: &Import, context: &mut Context) -> Done {
    let shown = args.file.display().to_string();
    let source = open(&args.file).map_err(|e| e.when(&shown))?;
    let stack = context.stack()?;
    let made = make(&stack, args, &source)?;
    if let Err(failure) = fill(&stack, &args.name, &source, context) {
        if made {
            // What was made for this is taken away again; the failure that
            // matters is the first one.
            let _ = block_on(stack.store_of(&args.name)?.delete(&args.name));
        }
        return Err(failure.when(&shown));
    }
    let target = Target { name: args.name.clone(), when: When::Head };
    let copied = Copied::of(&open_target(&stack, &target)?, None);
    if context.json {
        return context.write_json(&copied);
    }
    context.remark(format!("{shown} is now {}", copied.told()));
    Ok(())
}

/// Makes the namespace, or finds it and may put something else into it.
fn make(stack: &Stack, args: &Import, source: &Connection) -> Done<bool> {
    let namespaces = stack.store_of(&args.name)?;
    let mut options = stack.plan().create_options(args.name.as_str());
    let bytes: u32 = source.pragma_query_value(None, "page_size", |row| row.get(0))?;
    options.page_size = PageSize::new(bytes)?;
    match block_on(namespaces.create(&args.name, options)) {
        Ok(_) => return Ok(true),
        Err(e) if e.kind() != ErrorKind::Exists => return Err(e.into()),
        Err(_) => {}
    }
    let stat = block_on(namespaces.stat(&args.name))?;
    if stat.head.page_count > 0 && !args.replace {
        let message = format!("{} exists and is not empty", args.name);
        return Err(Failure::new(exit::CONFLICT, message).hint(
            "--replace puts the file in place of what it holds, which stays in its history",
        ));
    }
    Ok(false)
}

fn fill(stack: &Arc<Stack>, name: &NamespaceName, source: &Connection, context: &Context) -> Done {
    let target = Target { name: name.clone(), when: When::Head };
    let mut connection = connect(stack, &target, false)?;
    copy::all(source, &mut connection, context, "importing")?;
    // What says "imported" must still be there after a power cut.
    let namespace = block_on(stack.store_of(name)?.open(name))?;
    let version = block_on(namespace.heads())?.sequenced.version;
    Ok(block_on(namespace.wait_durable(version))?)
}

/// Opens a file and begins to read it, so that it is one state of it that is
/// copied, whoever writes it meanwhile.
fn open(file: &Path) -> Done<Connection> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() {
        return Err(Failure::new(exit::FAILED, "not a file, so not a SQLite database"));
    }
    let plain = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, plain)?;
    let Err(e) = begin(&connection) else { return Ok(connection) };
    match e.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            Err(Failure::new(exit::FAILED, "not a SQLite database, or an encrypted one"))
        }
        // Reading a database in WAL mode makes files beside it. Where that
        // cannot be, all is well if there is no WAL whose contents would be missed.
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) if wal_is_empty(file)? => {
            let uri = format!("file:{}?immutable=1", escaped(file)?);
            let connection = Connection::open_with_flags(uri, plain | OpenFlags::SQLITE_OPEN_URI)?;
            begin(&connection)?;
            Ok(connection)
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Err(Failure::from(e).hint(
            "it has a write-ahead log, which can only be read where files can be made beside it",
        )),
        _ => Err(e.into()),
    }
}

fn begin(connection: &Connection) -> Result<(), hozo_embedded::rusqlite::Error> {
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
}

fn wal_is_empty(file: &Path) -> Done<bool> {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    match fs::metadata(wal) {
        Ok(metadata) => Ok(metadata.len() == 0),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// The path as a URI has it.
fn escaped(file: &Path) -> Done<String> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::absolute(file)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let escape = |b: &u8| if plain(*b) { char::from(*b).to_string() } else { format!("%{b:02X}") };
    Ok(path.as_os_str().as_bytes().iter().map(escape).collect())
}
