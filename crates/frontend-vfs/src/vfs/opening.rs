//! Opening files: which are ours, and what they are.

use std::ffi::{CStr, c_char, c_int};

use super::methods::registered;
use super::shell::{guard, log, text};
use super::{Registered, db_file, mem_file, plain_file};
use crate::code::code_at_open;
use crate::ffi::{self, sqlite3_file, sqlite3_vfs};
use crate::resolver::Open;

/// xOpen.
pub(super) unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this on a VFS of ours. A null `pMethods` says that
    // xClose must not be called.
    let registered = unsafe {
        (*file).pMethods = std::ptr::null();
        registered(vfs)
    };
    guard(registered.api, || {
        // SAFETY: SQLite passes null or a C string.
        let known = unsafe { text(name) };
        let answer = match known {
            _ if name.is_null() => open_private(registered, file),
            None => None,
            Some(known) if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => {
                open_database(registered, known, name, file, flags)
            }
            Some(known) => open_journal(registered, known, file, flags),
        };
        match answer {
            Some(Ok(readonly)) => {
                let access = ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_READWRITE;
                let granted =
                    if readonly { ffi::SQLITE_OPEN_READONLY } else { ffi::SQLITE_OPEN_READWRITE };
                // SAFETY: null or a place for the flags.
                if let Some(out) = unsafe { out_flags.as_mut() } {
                    *out = flags & !access | granted;
                }
                ffi::SQLITE_OK
            }
            Some(Err(code)) => code,
            // SAFETY: these are what SQLite passed.
            None => unsafe { open_plain(registered, name, file, flags, out_flags) },
        }
    })
}

/// # Safety
/// All must be what SQLite passed to xOpen.
unsafe fn open_plain(
    registered: &'static Registered,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        // SAFETY: by the caller's promise.
        return unsafe { plain_file::open(registered, name, file, flags, out_flags) };
    }
    let plain = registered.plain;
    // SAFETY: the plain VFS gets what SQLite would pass it, in at least as much
    // memory as it wants.
    let code = unsafe {
        match (*plain).xOpen {
            Some(open) => open(plain, name, file, flags, out_flags),
            None => ffi::SQLITE_CANTOPEN,
        }
    };
    // SAFETY: as above.
    let known = unsafe { text(name) }.filter(|_| flags & ffi::SQLITE_OPEN_SUPER_JOURNAL != 0);
    let Some(known) = known else { return code };
    let groups = &registered.names().groups;
    if code == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_CREATE != 0 {
        // The main database is a plain file. Databases of ours may take part in
        // a transaction that changes no plain one.
        groups.create(known, 0);
    }
    match groups.get(known) {
        // It was deleted, but the commit failed: SQLite rolls back and wants to
        // see it (`pager_delsuper`).
        Some(group) if code != ffi::SQLITE_OK => {
            // SAFETY: by the caller's promise.
            unsafe { mem_file::open_super(file, registered.api, group) };
            ffi::SQLITE_OK
        }
        _ => code,
    }
}

/// Whether the file that was opened is read-only, or a code; `None` if it is a
/// plain file.
type Opening = Option<Result<bool, c_int>>;

fn open_private(registered: &'static Registered, file: *mut sqlite3_file) -> Opening {
    // SAFETY: SQLite passed `file` to xOpen.
    unsafe {
        mem_file::open_private(file, registered.api, registered.options.temp_file_bytes_max);
    }
    Some(Ok(false))
}

fn open_database(
    registered: &'static Registered,
    name: &str,
    raw: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
) -> Opening {
    let intent = Open {
        create: flags & ffi::SQLITE_OPEN_CREATE != 0,
        readonly: flags & ffi::SQLITE_OPEN_READWRITE == 0,
    };
    let parameter = |key: &CStr| {
        // SAFETY: the name of a main database has its URI parameters behind it.
        unsafe { text((registered.api.uri_parameter)(raw, key.as_ptr())) }
    };
    let target = match parameter(c"at") {
        Some(at) => format!("{name}@{at}"),
        None => name.to_owned(),
    };
    let fail = |e: &hozo_traits::Error| {
        let code = code_at_open(e.kind());
        log(registered.api, code, &format!("hozo: opening {target}: {e}"));
        Some(Err(code))
    };
    let mut opened = match registered.resolver.resolve(&target, intent) {
        Ok(Some(opened)) => opened,
        Ok(None) => return None,
        Err(e) => return fail(&e),
    };
    match parameter(c"concurrency").map(str::parse) {
        Some(Ok(concurrency)) => opened.concurrency = Some(concurrency),
        Some(Err(e)) => return fail(&e),
        None => {}
    }
    let readonly = intent.readonly || opened.snapshot.is_some();
    // SAFETY: SQLite passed `file` to xOpen.
    unsafe { db_file::open(file, registered, name, opened, readonly) };
    Some(Ok(readonly))
}

fn open_journal(
    registered: &'static Registered,
    name: &str,
    file: *mut sqlite3_file,
    flags: c_int,
) -> Opening {
    let names = registered.names();
    let max = registered.options.temp_file_bytes_max;
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    if names.is_journal(name) {
        // Journals are private to the connection that makes them, so there is
        // never one to be found; and no write-ahead log at all.
        if !create || flags & ffi::SQLITE_OPEN_WAL != 0 {
            return Some(Err(ffi::SQLITE_CANTOPEN));
        }
        return open_private(registered, file);
    }
    if flags & ffi::SQLITE_OPEN_SUPER_JOURNAL == 0 || !names.is_super_journal(name) {
        return None;
    }
    let group = if create { Some(names.groups.create(name, max)) } else { names.groups.get(name) };
    match group {
        // SAFETY: SQLite passed `file` to xOpen.
        Some(group) => unsafe { mem_file::open_super(file, registered.api, group) },
        // `pager_delsuper` reads it after a rollback; an empty one names no
        // journal, so there is nothing more to do.
        None => return open_private(registered, file),
    }
    Some(Ok(false))
}
