//! The methods of `sqlite3_vfs`.

use std::ffi::{CString, c_char, c_double, c_int, c_void};

use hozo_traits::ErrorKind;

use super::shell::{guard, log, report, text};
use super::{Registered, opening};
use crate::ffi::{self, SyscallPtr, sqlite3_vfs};
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
        xOpen: Some(opening::open),
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

/// # Safety
/// `vfs` must be a structure that [`vfs`] made.
pub(super) unsafe fn registered(vfs: *mut sqlite3_vfs) -> &'static Registered {
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
