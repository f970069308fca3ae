//! Namespaces in the SQLite that is linked into this program.
//!
//! ```
//! use hozo::{Plan, Registry, Stack};
//! use hozo_embedded::Connect;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "[store.main]\nbackend = \"memory\"\n[[namespace]]\nmatch = \"app\"\n";
//! let stack = Stack::open(Plan::from_text("here", text, ".", &Registry::builtin())?);
//! let db = stack.connect("app")?;
//! db.execute_batch("CREATE TABLE joint(name)")?;
//! # Ok(())
//! # }
//! ```
//!
//! A crate of its own, because cargo joins the features of all crates that it
//! builds at once: a feature of `hozo` would bring this SQLite into the
//! libraries that are loaded into other programs, which must not have one.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hozo::Stack;
use hozo::pages::Target;
use hozo::traits::{Error, ErrorKind, Result};
use hozo::vfs::{Open, SqliteApi, Vfs, register_functions, sqlite_api};
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use rusqlite;

/// The functions of rusqlite's SQLite.
fn api() -> Result<&'static SqliteApi> {
    static API: OnceLock<SqliteApi> = OnceLock::new();
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let api = sqlite_api!(rusqlite::ffi)?;
    Ok(API.get_or_init(|| api))
}

/// What a [`Stack`] can do where rusqlite is.
pub trait Connect {
    /// Registers this stack as a VFS in the SQLite that rusqlite brings, never
    /// as the default one, and answers the VFS's name: `hozo` for the first
    /// stack of a process, `hozo-2` for the second, and so on. A VFS stays, so
    /// this keeps the stack for as long as the process lives; again, it answers
    /// the same.
    fn register_vfs(&self) -> Result<&'static str>;

    /// Connects to a namespace, `app`, or to its past, `app@-5m`, which can only
    /// be read. A namespace that is not there is made if a rule of the config
    /// matches its name; otherwise it is [`NotFound`](ErrorKind::NotFound):
    /// unlike SQLite by itself, this never makes a plain file.
    fn connect(&self, name: &str) -> Result<Connection>;
}

impl Connect for Arc<Stack> {
    fn register_vfs(&self) -> Result<&'static str> {
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

    fn connect(&self, name: &str) -> Result<Connection> {
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
