//! Namespaces in the SQLite that is linked into this program.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hozo_frontend_vfs::{Open, SqliteApi, Vfs, register_functions};
use hozo_pages::Target;
use hozo_traits::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Stack;

/// The functions of rusqlite's SQLite.
fn api() -> Result<&'static SqliteApi> {
    static API: OnceLock<SqliteApi> = OnceLock::new();
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let api = hozo_frontend_vfs::sqlite_api!(rusqlite::ffi)?;
    Ok(API.get_or_init(|| api))
}

impl Stack {
    /// Registers this stack as a VFS in the SQLite that rusqlite brings, never
    /// as the default one, and answers the VFS's name: `hozo` for the first
    /// stack of a process, `hozo-2` for the second, and so on. A VFS stays, so
    /// this keeps the stack for as long as the process lives; again, it answers
    /// the same.
    pub fn register_vfs(self: &Arc<Self>) -> Result<&'static str> {
        // Which stacks are registered, by address: each is kept, so none comes again.
        static REGISTERED: Mutex<Vec<(usize, &'static str)>> = Mutex::new(Vec::new());
        let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
        let address = Arc::as_ptr(self) as usize;
        if let Some((_, name)) = registered.iter().find(|(stack, _)| *stack == address) {
            return Ok(name);
        }
        let name: &'static str = match registered.len() {
            0 => "hozo",
            n => format!("hozo-{}", n + 1).leak(),
        };
        Vfs::register(api()?, self.clone(), name)?;
        registered.push((address, name));
        Ok(name)
    }

    /// Connects to a namespace, `app`, or to its past, `app@-5m`, which can only
    /// be read. A namespace that is not there is made if a rule of the config
    /// matches its name; otherwise it is [`NotFound`](ErrorKind::NotFound):
    /// unlike SQLite by itself, this never makes a plain file.
    pub fn connect(self: &Arc<Self>, name: &str) -> Result<Connection> {
        let target: Target = name.parse()?;
        let vfs = self.register_vfs()?;
        let intent = Open { create: true, readonly: false };
        let Some(opened) = self.find(name, intent)? else {
            let message = "no namespace of this name, and no rule of the config makes one";
            return Err(Error::new(ErrorKind::NotFound, message)
                .with("name", &target.name)
                .with("store", self.plan().store_of(target.name.as_str()).name()));
        };
        let access = match opened.snapshot {
            Some(_) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            None => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(name, flags, vfs).map_err(sql)?;
        // SAFETY: the connection is open, and of the SQLite whose functions these are.
        unsafe { register_functions(api()?, connection.handle().cast())? };
        Ok(connection)
    }
}

/// SQLite's error as one of ours.
fn sql(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(ErrorCode::ReadOnly) => ErrorKind::ReadOnly,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        Some(ErrorCode::OutOfMemory | ErrorCode::DiskFull) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, "SQLite does not open the namespace").caused_by(error)
}
