//! The methods of `sqlite3_vfs`.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};

use hozo_traits::ErrorKind;

use super::shell::{guard, log, report, text};
use super::{Registered, db_file, mem_file, plain_file};
use crate::code::code_at_open;
use crate::ffi::{self, SyscallPtr, sqlite3_file, sqlite3_vfs};
use crate::resolver::Open;

/// The structure to register.
pub(super) fn vfs(
    registered: &'static Registered,
    plain: &sqlite3_vfs,
    file_size: c_int,
) -> sqlite3_vfs {
    sqlite3_vfs {
        iVersion: 3,
        szOsFile: file_size,
        mxPathname: plain.mxPathname,
        pNext: std::ptr::null_mut(),
        zName: registered.name.as_ptr(),
        pAppData: (&raw const *registered).cast_mut().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        // A method that the plain VFS lacks is passed on as lacking.
        xCurrentTimeInt64: (plain.iVersion >= 2 && plain.xCurrentTimeInt64.is_some())
            .then_some(current_time_int64),
        xSetSystemCall: (plain.iVersion >= 3 && plain.xSetSystemCall.is_some())
            .then_some(set_system_call),
        xGetSystemCall: (plain.iVersion >= 3 && plain.xGetSystemCall.is_some())
            .then_some(get_system_call),
        xNextSystemCall: (plain.iVersion >= 3 && plain.xNextSystemCall.is_some())
            .then_some(next_system_call),
    }
}

unsafe fn registered(vfs: *mut sqlite3_vfs) -> &'static Registered {
    // SAFETY: SQLite passes the structure that `vfs` above made, whose
    // `pAppData` is never freed.
    unsafe { &*(*vfs).pAppData.cast::<Registered>() }
}

/// What a name is to us.
enum Kind {
    Plain,
    Journal,
    SuperJournal,
    Database,
}

/// Sorts a name that SQLite deletes or looks for.
fn kind(registered: &Registered, name: &str) -> Kind {
    let names = registered.names();
    if names.is_journal(name) {
        Kind::Journal
    } else if names.is_super_journal(name) || names.groups.get(name).is_some() {
        Kind::SuperJournal
    } else if names.is_open(name) || registered.resolver.is_ours(name) {
        Kind::Database
    } else {
        Kind::Plain
    }
}

unsafe extern "C" fn open(
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

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: SQLite calls this on a VFS of ours.
    let registered = unsafe { registered(vfs) };
    guard(registered.api, || {
        // SAFETY: SQLite passes a C string.
        if let Some(known) = unsafe { text(name) } {
            match kind(registered, known) {
                Kind::Plain => {}
                // It ended when it was closed.
                Kind::Journal => return ffi::SQLITE_OK,
                // SAFETY: these are what SQLite passed.
                Kind::SuperJournal => unsafe {
                    return delete_super_journal(registered, known, name, sync_dir);
                },
                Kind::Database => {
                    log(
                        registered.api,
                        ffi::SQLITE_PERM,
                        &format!("hozo: {known}: a namespace is deleted with 'hozo ns delete'"),
                    );
                    return ffi::SQLITE_PERM;
                }
            }
        }
        // SAFETY: these are what SQLite passed.
        unsafe { delete_plain(registered, name, sync_dir) }
    })
}

/// # Safety
/// `name` must be what SQLite passed to xDelete.
unsafe fn delete_plain(registered: &Registered, name: *const c_char, sync_dir: c_int) -> c_int {
    let plain = registered.plain;
    // SAFETY: the plain VFS gets what SQLite would pass it.
    unsafe { (*plain).xDelete.map_or(ffi::SQLITE_IOERR, |f| f(plain, name, sync_dir)) }
}

/// The deletion of a super-journal is the commit if SQLite wants it to be on
/// the disk (`vdbeCommit`); else it tidies up after a rollback.
///
/// # Safety
/// `name` must be what SQLite passed to xDelete, and `known` the same as text.
unsafe fn delete_super_journal(
    registered: &'static Registered,
    known: &str,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    let names = registered.names();
    if !names.is_super_journal(known) {
        // Its main database is a plain file. If one such takes part, none of
        // ours does, so the order of the two deletions does not matter.
        // SAFETY: by the caller's promise.
        let code = unsafe { delete_plain(registered, name, sync_dir) };
        if code != ffi::SQLITE_OK && code != ffi::SQLITE_IOERR_DELETE_NOENT {
            return code;
        }
    }
    match names.groups.delete(known, sync_dir != 0) {
        Some(Ok(())) => ffi::SQLITE_OK,
        Some(Err(failure)) => report(registered.api, &format!("committing {known}"), &failure),
        None if sync_dir == 0 => ffi::SQLITE_OK,
        None => ffi::SQLITE_IOERR_DELETE_NOENT,
    }
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this on a VFS of ours.
    let registered = unsafe { registered(vfs) };
    guard(registered.api, || {
        // SAFETY: SQLite passes a C string.
        let known = unsafe { text(name) };
        let exists = match known.map(|known| (known, kind(registered, known))) {
            None | Some((_, Kind::Plain)) => {
                let plain = registered.plain;
                // SAFETY: the plain VFS gets what SQLite would pass it.
                return unsafe {
                    (*plain).xAccess.map_or(ffi::SQLITE_IOERR, |f| f(plain, name, flags, answer))
                };
            }
            Some((_, Kind::Journal)) => false,
            // One of a plain main database is there as long as its commit is open.
            Some((known, Kind::SuperJournal)) => registered.names().groups.get(known).is_some(),
            Some((known, Kind::Database)) => {
                let intent = Open { create: false, readonly: true };
                match registered.resolver.resolve(known, intent) {
                    Ok(found) => found.is_some(),
                    Err(e) if e.kind() == ErrorKind::NotFound => false,
                    Err(e) => {
                        return report(registered.api, &format!("looking for {known}"), &e.into());
                    }
                }
            }
        };
        // SAFETY: SQLite passes a place for the answer.
        unsafe { *answer = c_int::from(exists) };
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    n: c_int,
    to: *mut c_char,
) -> c_int {
    // SAFETY: SQLite calls this on a VFS of ours.
    let registered = unsafe { registered(vfs) };
    guard(registered.api, || {
        // SAFETY: SQLite passes a C string.
        if let Some(known) = unsafe { text(name) }
            && registered.resolver.is_ours(known)
        {
            let whole = CString::new(known).unwrap_or_default();
            let bytes = whole.as_bytes_with_nul();
            if usize::try_from(n).is_ok_and(|n| bytes.len() <= n) {
                // SAFETY: `to` has room for `n` bytes.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to, bytes.len()) };
                return ffi::SQLITE_OK;
            }
            return ffi::SQLITE_CANTOPEN;
        }
        let plain = registered.plain;
        // SAFETY: the plain VFS gets what SQLite would pass it.
        unsafe { (*plain).xFullPathname.map_or(ffi::SQLITE_CANTOPEN, |f| f(plain, name, n, to)) }
    })
}

/// Methods that are the plain VFS's own.
macro_rules! forward {
    ($($name:ident $method:ident ($($arg:ident : $type:ty),*) -> $out:ty = $missing:expr;)*) => {
        $(unsafe extern "C" fn $name(vfs: *mut sqlite3_vfs $(, $arg: $type)*) -> $out {
            // SAFETY: SQLite calls this on a VFS of ours, and the plain one
            // gets what SQLite would pass it.
            unsafe {
                let plain = registered(vfs).plain;
                match (*plain).$method {
                    Some(method) => method(plain $(, $arg)*),
                    None => $missing,
                }
            }
        })*
    };
}

forward! {
    dl_open xDlOpen(name: *const c_char) -> *mut c_void = std::ptr::null_mut();
    dl_error xDlError(n: c_int, to: *mut c_char) -> () = ();
    dl_sym xDlSym(library: *mut c_void, name: *const c_char) -> SyscallPtr = None;
    dl_close xDlClose(library: *mut c_void) -> () = ();
    randomness xRandomness(n: c_int, to: *mut c_char) -> c_int = 0;
    sleep xSleep(us: c_int) -> c_int = 0;
    current_time xCurrentTime(to: *mut c_double) -> c_int = ffi::SQLITE_ERROR;
    get_last_error xGetLastError(n: c_int, to: *mut c_char) -> c_int = 0;
    current_time_int64 xCurrentTimeInt64(to: *mut i64) -> c_int = ffi::SQLITE_ERROR;
    set_system_call xSetSystemCall(name: *const c_char, call: SyscallPtr) -> c_int
        = ffi::SQLITE_NOTFOUND;
    get_system_call xGetSystemCall(name: *const c_char) -> SyscallPtr = None;
    next_system_call xNextSystemCall(name: *const c_char) -> *const c_char = std::ptr::null();
}
