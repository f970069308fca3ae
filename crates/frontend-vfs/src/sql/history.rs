//! `hozo_history`: the commits of a database, newest first, as a table.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use hozo_pages::{Namespace, format_time};
use hozo_traits::{Error, ErrorKind, LogEntry, LogQuery, Result, Span, Version};

use super::{lock, not_ours, result_text, value_text};
use crate::api::SqliteApi;
use crate::connection::{Connection, Patience};
use crate::ffi::{
    self, sqlite3, sqlite3_context, sqlite3_index_info, sqlite3_module, sqlite3_value,
    sqlite3_vtab, sqlite3_vtab_cursor,
};
use crate::vfs::connection_of;

/// Entries that are read from the log at a time.
const BATCH: usize = 256;

const DECLARATION: &std::ffi::CStr = c"CREATE TABLE x(version TEXT, time TEXT, \
    pages_written INTEGER, page_size INTEGER, page_count INTEGER, commit_id TEXT, schema HIDDEN)";
/// The hidden column, which is the argument of `hozo_history('aux')`.
const SCHEMA_COLUMN: c_int = 6;

pub(super) static MODULE: sqlite3_module = sqlite3_module {
    iVersion: 0,
    // Without xCreate the table needs no CREATE VIRTUAL TABLE.
    xCreate: None,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xDestroy: Some(disconnect),
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(eof),
    xColumn: Some(column),
    xRowid: Some(rowid),
    unused: [std::ptr::null(); 7],
};

#[repr(C)]
struct Table {
    base: sqlite3_vtab,
    api: &'static SqliteApi,
    db: *mut sqlite3,
}

#[repr(C)]
struct Cursor {
    base: sqlite3_vtab_cursor,
    scan: Option<Scan>,
    row: i64,
}

/// A scan of one namespace's log, from the version that is read downwards.
struct Scan {
    namespace: Arc<Namespace>,
    patience: Patience,
    entries: VecDeque<LogEntry>,
    /// Where the next batch begins; `None` after the last.
    below: Option<Version>,
    schema: String,
}

impl Scan {
    fn start(connection: &Mutex<Connection>, schema: String) -> Result<Self> {
        let head = super::read_head(connection)?;
        let (namespace, patience) = lock(connection)?.for_functions();
        let below = Some(head.version);
        let mut scan = Scan { namespace, patience, entries: VecDeque::new(), below, schema };
        scan.refill()?;
        Ok(scan)
    }

    fn advance(&mut self) -> Result<()> {
        self.entries.pop_front();
        if self.entries.is_empty() { self.refill() } else { Ok(()) }
    }

    fn refill(&mut self) -> Result<()> {
        let Some(newest) = self.below else { return Ok(()) };
        let query = LogQuery {
            namespace: self.namespace.info().id,
            span: Span::Versions(Version::ZERO, newest),
            newest_first: true,
            limit: BATCH + 1,
        };
        let store = self.namespace.namespaces().store();
        let mut entries: VecDeque<_> = self.patience.run(store.log(query))?.into();
        // One more than is given: it is where the next batch begins.
        self.below = if entries.len() > BATCH {
            entries.pop_back().map(|entry| entry.version)
        } else {
            None
        };
        self.entries = entries;
        Ok(())
    }
}

/// Runs what SQLite asked a table for; a failure becomes the table's message.
unsafe fn answer(table: *mut sqlite3_vtab, call: impl FnOnce() -> Result<()>) -> c_int {
    let answer = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, "a defect of Hozo: the call panicked"))
    });
    match answer {
        Ok(()) => ffi::SQLITE_OK,
        Err(e) => {
            // SAFETY: the table is ours; SQLite frees the message.
            unsafe {
                let api = (*table.cast::<Table>()).api;
                (api.free)((*table).zErrMsg.cast());
                (*table).zErrMsg = crate::vfs::sqlite_string(api, &e.to_string());
            }
            crate::code::code_of(&e)
        }
    }
}

unsafe extern "C" fn connect(
    db: *mut sqlite3,
    aux: *mut c_void,
    _: c_int,
    _: *const *const c_char,
    to: *mut *mut sqlite3_vtab,
    _: *mut *mut c_char,
) -> c_int {
    // SAFETY: `aux` is what the module was registered with.
    let api: &'static SqliteApi = unsafe { &*aux.cast::<SqliteApi>() };
    // SAFETY: SQLite calls this where declarations are made.
    let code = unsafe { (api.declare_vtab)(db, DECLARATION.as_ptr()) };
    if code == ffi::SQLITE_OK {
        let base = sqlite3_vtab { pModule: &MODULE, nRef: 0, zErrMsg: std::ptr::null_mut() };
        let table = Box::into_raw(Box::new(Table { base, api, db }));
        // SAFETY: SQLite gives a place for the table.
        unsafe { *to = table.cast() };
    }
    code
}

unsafe extern "C" fn disconnect(table: *mut sqlite3_vtab) -> c_int {
    // SAFETY: `connect` made it, and SQLite calls this once, last.
    drop(unsafe { Box::from_raw(table.cast::<Table>()) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn best_index(_: *mut sqlite3_vtab, info: *mut sqlite3_index_info) -> c_int {
    // SAFETY: SQLite passes `nConstraint` constraints and as many answers.
    unsafe {
        let info = &mut *info;
        info.estimatedCost = 10_000.0;
        for i in 0..usize::try_from(info.nConstraint).unwrap_or(0) {
            let constraint = &*info.aConstraint.add(i);
            let is_schema = constraint.iColumn == SCHEMA_COLUMN
                && constraint.op == ffi::SQLITE_INDEX_CONSTRAINT_EQ;
            if is_schema && constraint.usable != 0 {
                let usage = &mut *info.aConstraintUsage.add(i);
                usage.argvIndex = 1;
                usage.omit = 1;
                info.idxNum = 1;
                break;
            }
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn open(table: *mut sqlite3_vtab, to: *mut *mut sqlite3_vtab_cursor) -> c_int {
    let base = sqlite3_vtab_cursor { pVtab: table };
    let cursor = Box::into_raw(Box::new(Cursor { base, scan: None, row: 0 }));
    // SAFETY: SQLite gives a place for the cursor.
    unsafe { *to = cursor.cast() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(cursor: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: `open` made it, and SQLite calls this once, last.
    drop(unsafe { Box::from_raw(cursor.cast::<Cursor>()) });
    ffi::SQLITE_OK
}

unsafe fn cursor<'a>(cursor: *mut sqlite3_vtab_cursor) -> &'a mut Cursor {
    // SAFETY: `open` made it, and SQLite uses it on one thread at a time.
    unsafe { &mut *cursor.cast::<Cursor>() }
}

unsafe extern "C" fn filter(
    raw: *mut sqlite3_vtab_cursor,
    index: c_int,
    _: *const c_char,
    _: c_int,
    values: *mut *mut sqlite3_value,
) -> c_int {
    // SAFETY: SQLite calls this on a cursor of ours, whose table is ours; with
    // index 1 there is one value.
    unsafe {
        let cursor = cursor(raw);
        let table = cursor.base.pVtab;
        answer(table, || {
            let Table { api, db, .. } = &*table.cast::<Table>();
            let schema = if index == 1 { value_text(api, *values) } else { "main".to_owned() };
            let name = CString::new(schema.as_str()).unwrap_or_default();
            let connection = connection_of(api, *db, &name).ok_or_else(|| not_ours(&schema))?;
            cursor.row = 0;
            cursor.scan = Some(Scan::start(&connection, schema)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn next(raw: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite calls this on a cursor of ours.
    unsafe {
        let cursor = cursor(raw);
        answer(cursor.base.pVtab, || {
            cursor.row += 1;
            cursor.scan.as_mut().map_or(Ok(()), Scan::advance)
        })
    }
}

unsafe extern "C" fn eof(raw: *mut sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite calls this on a cursor of ours.
    let cursor = unsafe { cursor(raw) };
    c_int::from(cursor.scan.as_ref().is_none_or(|scan| scan.entries.is_empty()))
}

unsafe extern "C" fn column(
    raw: *mut sqlite3_vtab_cursor,
    context: *mut sqlite3_context,
    column: c_int,
) -> c_int {
    // SAFETY: SQLite calls this on a cursor of ours that is on a row.
    unsafe {
        let cursor = cursor(raw);
        let table = cursor.base.pVtab;
        answer(table, || {
            let api = (*table.cast::<Table>()).api;
            let Some(scan) = &cursor.scan else { return Ok(()) };
            let Some(entry) = scan.entries.front() else { return Ok(()) };
            let text = |line: &str| result_text(api, context, line);
            let number = |n: u32| (api.result_int64)(context, i64::from(n));
            match column {
                0 => text(&entry.version.to_string()),
                1 => text(&format_time(entry.time).to_string()),
                2 => number(entry.pages_written),
                3 => number(entry.page_size.get()),
                4 => number(entry.page_count),
                5 => text(&entry.commit_id.to_string()),
                _ => text(&scan.schema),
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn rowid(raw: *mut sqlite3_vtab_cursor, to: *mut i64) -> c_int {
    // SAFETY: SQLite calls this on a cursor of ours, with a place for the number.
    unsafe { *to = cursor(raw).row };
    ffi::SQLITE_OK
}
