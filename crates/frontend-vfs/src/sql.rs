//! SQL functions about the history of a database; `docs/sql.md` describes them.

mod history;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard};

use hozo_pages::{Head, Target, When, format_time};
use hozo_traits::{Durability, Error, ErrorKind, LogQuery, Result, Span, Timestamp, Version};

use crate::api::{SqlFn, SqliteApi};
use crate::connection::Connection;
use crate::ffi::{self, sqlite3, sqlite3_context, sqlite3_value};
use crate::vfs::connection_of;

/// Copies of SQLite in one process that get the functions at most.
const COPIES_MAX: usize = 8;

/// The tables of the copies that have the functions. A function that SQLite
/// calls knows its copy by its place here: what it is passed can be understood
/// only with the copy's own functions. No lock, which a fork could leave held.
static COPIES: [AtomicPtr<SqliteApi>; COPIES_MAX] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; COPIES_MAX];

/// Adds Hozo's SQL functions and its table `hozo_history` to one database
/// connection. They work on databases that are open through the VFS, and are
/// an error on others.
///
/// # Safety
/// `db` must be a live connection of `api`'s SQLite.
pub unsafe fn register_functions(api: &'static SqliteApi, db: *mut sqlite3) -> Result<()> {
    for Function { name, arguments, call } in functions(copy(api)?) {
        for arguments in arguments {
            // SAFETY: by the caller's promise; the name is static.
            let code = unsafe {
                let (none, no_data) = (None, std::ptr::null_mut());
                (api.create_function_v2)(
                    db,
                    name.as_ptr(),
                    *arguments,
                    ffi::SQLITE_UTF8,
                    no_data,
                    Some(call),
                    none,
                    None,
                    None,
                )
            };
            check(code, "SQLite refused an SQL function", name)?;
        }
    }
    let name = c"hozo_history";
    let table = (&raw const *api).cast_mut().cast();
    // SAFETY: by the caller's promise; module, name and table are static.
    let code = unsafe { (api.create_module_v2)(db, name.as_ptr(), &history::MODULE, table, None) };
    check(code, "SQLite refused a table", name)
}

fn check(code: c_int, what: &'static str, name: &CStr) -> Result<()> {
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unavailable, what)
        .with("name", name.to_string_lossy())
        .with("code", code))
}

/// The place of a copy in [`COPIES`].
fn copy(api: &'static SqliteApi) -> Result<usize> {
    let new = (&raw const *api).cast_mut();
    for (i, place) in COPIES.iter().enumerate() {
        let taken =
            place.compare_exchange(std::ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        // SAFETY: a place holds null or a table that lives for ever.
        let there = taken.map_or_else(|there| unsafe { &*there }, |_| api);
        if std::ptr::fn_addr_eq(there.vfs_find, api.vfs_find) {
            return Ok(i);
        }
    }
    Err(Error::new(ErrorKind::TooLarge, "too many copies of SQLite in one process")
        .with("at most", COPIES_MAX))
}

struct Function {
    name: &'static CStr,
    arguments: &'static [c_int],
    call: SqlFn,
}

/// The functions as they are for one copy.
fn functions(copy: usize) -> [Function; 8] {
    match copy {
        0 => functions_of::<0>(),
        1 => functions_of::<1>(),
        2 => functions_of::<2>(),
        3 => functions_of::<3>(),
        4 => functions_of::<4>(),
        5 => functions_of::<5>(),
        6 => functions_of::<6>(),
        _ => functions_of::<7>(),
    }
}

fn functions_of<const COPY: usize>() -> [Function; 8] {
    fn function<F: Sql, const COPY: usize>(name: &'static CStr) -> Function {
        const ARGUMENTS: [c_int; 3] = [0, 1, 2];
        let arguments = &ARGUMENTS[F::ARGUMENTS..F::ARGUMENTS + 2];
        Function { name, arguments, call: call::<F, COPY> }
    }
    [
        function::<ReadVersion, COPY>(c"hozo_version"),
        function::<ReadVersion, COPY>(c"mv_last_known_version"),
        function::<ReadTime, COPY>(c"hozo_time"),
        function::<DurableVersion, COPY>(c"hozo_durable"),
        function::<OldestVersion, COPY>(c"hozo_oldest"),
        function::<SyncNow, COPY>(c"hozo_sync"),
        function::<NamespaceOf, COPY>(c"hozo_namespace"),
        function::<VersionAt, COPY>(c"hozo_version_at"),
    ]
}

/// One SQL function; its last argument, if it has one more than it needs, names
/// the schema.
trait Sql {
    /// Arguments before the schema's name.
    const ARGUMENTS: usize;
    fn answer(connection: &Mutex<Connection>, arguments: &[Value]) -> Result<Option<String>>;
}

/// An argument.
enum Value {
    Seconds(f64),
    Text(String),
}

struct ReadVersion;
impl Sql for ReadVersion {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        Ok(Some(read_head(connection)?.version.to_string()))
    }
}

struct ReadTime;
impl Sql for ReadTime {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        let head = read_head(connection)?;
        Ok((head.version != Version::ZERO).then(|| format_time(head.time).to_string()))
    }
}

struct DurableVersion;
impl Sql for DurableVersion {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        let (namespace, waiter) = lock(connection)?.for_functions();
        Ok(Some(waiter.run(namespace.heads())?.durable.version.to_string()))
    }
}

struct OldestVersion;
impl Sql for OldestVersion {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        let (namespace, waiter) = lock(connection)?.for_functions();
        let query = LogQuery {
            namespace: namespace.info().id,
            span: Span::Versions(Version::ZERO, Version::MAX),
            newest_first: false,
            limit: 1,
        };
        let entries = waiter.run(namespace.namespaces().store().log(query))?;
        Ok(entries.first().map(|entry| entry.version.to_string()))
    }
}

struct SyncNow;
impl Sql for SyncNow {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        let (namespace, waiter) = lock(connection)?.for_functions();
        let newest = waiter.run(namespace.heads())?.sequenced.version;
        waiter.run(namespace.wait_durable(newest))?;
        Ok(Some(newest.to_string()))
    }
}

struct NamespaceOf;
impl Sql for NamespaceOf {
    const ARGUMENTS: usize = 0;
    fn answer(connection: &Mutex<Connection>, _: &[Value]) -> Result<Option<String>> {
        Ok(Some(lock(connection)?.for_functions().0.info().name.to_string()))
    }
}

struct VersionAt;
impl Sql for VersionAt {
    const ARGUMENTS: usize = 1;
    fn answer(connection: &Mutex<Connection>, arguments: &[Value]) -> Result<Option<String>> {
        let (namespace, waiter) = lock(connection)?.for_functions();
        let when = match arguments.first() {
            None => return Ok(None),
            Some(Value::Text(when)) => when.parse()?,
            Some(Value::Seconds(seconds)) if (0.0..=1e11).contains(seconds) => {
                When::Time(Timestamp::from_micros((seconds * 1e6).round() as u64))
            }
            Some(Value::Seconds(seconds)) => {
                return Err(Error::new(ErrorKind::Invalid, "a number is seconds since 1970")
                    .with("given", seconds));
            }
        };
        let target = Target { name: namespace.info().name.clone(), when };
        let head = match waiter.run(namespace.namespaces().resolve(&target))?.at {
            Some(head) => head,
            None => read_head(connection)?,
        };
        Ok(Some(head.version.to_string()))
    }
}

fn lock(connection: &Mutex<Connection>) -> Result<MutexGuard<'_, Connection>> {
    connection
        .lock()
        .map_err(|_| Error::new(ErrorKind::Internal, "the database is not usable after a defect"))
}

/// What the statement reads; without a read lock, what the next one would.
fn read_head(connection: &Mutex<Connection>) -> Result<Head> {
    let connection = lock(connection)?;
    if let Some(head) = connection.locked_head() {
        return Ok(head);
    }
    let durability: Durability = connection.synchronous().durability();
    let (namespace, waiter) = connection.for_functions();
    Ok(waiter.run(namespace.heads())?.at(durability))
}

/// What C calls for a function.
unsafe extern "C" fn call<F: Sql, const COPY: usize>(
    context: *mut sqlite3_context,
    n: c_int,
    values: *mut *mut sqlite3_value,
) {
    // SAFETY: the place was taken, for ever, before the function was registered.
    let Some(api) = (unsafe { COPIES[COPY].load(Ordering::Acquire).as_ref() }) else { return };
    let answer = catch_unwind(AssertUnwindSafe(|| {
        let n = usize::try_from(n).unwrap_or(0);
        if n == 0 {
            // SAFETY: `context` is the call's.
            return unsafe { evaluate::<F>(api, context, &[]) };
        }
        // SAFETY: SQLite passes `n` values, valid during the call.
        unsafe { evaluate::<F>(api, context, std::slice::from_raw_parts(values, n)) }
    }));
    let answer = answer.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, "a defect of Hozo: the call panicked"))
    });
    // SAFETY: `context` is the call's.
    unsafe {
        match answer {
            Ok(Some(line)) => result_text(api, context, &line),
            Ok(None) => (api.result_null)(context),
            Err(e) => {
                let line = CString::new(e.to_string()).unwrap_or_default();
                (api.result_error)(context, line.as_ptr(), -1);
            }
        }
    }
}

/// # Safety
/// `context` and `values` must be those of a call by `api`'s SQLite.
unsafe fn evaluate<F: Sql>(
    api: &SqliteApi,
    context: *mut sqlite3_context,
    values: &[*mut sqlite3_value],
) -> Result<Option<String>> {
    let (arguments, schema) = values.split_at(F::ARGUMENTS.min(values.len()));
    // SAFETY: by the caller's promise.
    let (db, connection) = unsafe {
        let db = (api.context_db_handle)(context);
        let schema = match schema.first() {
            Some(schema) => CString::new(value_text(api, *schema)).unwrap_or_default(),
            None => c"main".to_owned(),
        };
        (schema.clone(), connection_of(api, db, &schema))
    };
    let connection = connection.ok_or_else(|| not_ours(&db.to_string_lossy()))?;
    let mut given = Vec::with_capacity(arguments.len());
    for value in arguments {
        // SAFETY: by the caller's promise.
        given.push(unsafe {
            match (api.value_type)(*value) {
                ffi::SQLITE_NULL => return Ok(None),
                ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT => {
                    Value::Seconds((api.value_double)(*value))
                }
                _ => Value::Text(value_text(api, *value)),
            }
        });
    }
    F::answer(&connection, &given)
}

fn not_ours(schema: &str) -> Error {
    Error::new(ErrorKind::Invalid, "this is not a Hozo database").with("schema", schema)
}

/// # Safety
/// `value` must be a value of `api`'s SQLite.
unsafe fn value_text(api: &SqliteApi, value: *mut sqlite3_value) -> String {
    // SAFETY: by the caller's promise; the text is valid until the next call on
    // the value, and its length is asked for after it was made.
    unsafe {
        let text = (api.value_text)(value);
        let len = usize::try_from((api.value_bytes)(value)).unwrap_or(0);
        if text.is_null() || len == 0 {
            return String::new();
        }
        String::from_utf8_lossy(std::slice::from_raw_parts(text, len)).into_owned()
    }
}

/// # Safety
/// `context` must be one of `api`'s SQLite that waits for a result.
unsafe fn result_text(api: &SqliteApi, context: *mut sqlite3_context, line: &str) {
    /// `SQLITE_TRANSIENT`: SQLite copies the text before the call returns.
    const TRANSIENT: *const c_void = std::ptr::without_provenance(usize::MAX);
    let len = c_int::try_from(line.len()).unwrap_or(c_int::MAX);
    // SAFETY: by the caller's promise.
    unsafe { (api.result_text)(context, line.as_ptr().cast::<c_char>(), len, TRANSIENT) };
}
