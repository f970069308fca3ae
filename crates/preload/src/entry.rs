//! The three functions that are interposed, and the constructor.
//!
//! Nothing else of SQLite is exported from this library: SQLite calls its own
//! `sqlite3_initialize` half-way through its initialisation and with its main
//! mutex held, and such calls must never come back here.

use std::arch::naked_asm;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use crate::hook::{self, Call, How};
use crate::register;

/// `SQLITE_INTERNAL`.
const INTERNAL: c_int = 2;
/// `SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE`, which an open without flags means.
const READWRITE_CREATE: c_int = 0x6;

/// A connection handle, opaque.
pub(crate) type Db = c_void;

// Each entry hands its return address on as one more argument, which the
// register after the C arguments has, and jumps: the hook then knows its
// caller, and the stack is as the caller left it.

/// Interposes SQLite's function of this name.
///
/// # Safety
/// As SQLite documents it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn sqlite3_open(name: *const c_char, db: *mut *mut Db) -> c_int {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("endbr64", "mov rdx, [rsp]", "jmp {}", sym open);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("hint #34", "mov x2, x30", "b {}", sym open);
}

/// Interposes SQLite's function of this name.
///
/// # Safety
/// As SQLite documents it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn sqlite3_open16(name: *const c_void, db: *mut *mut Db) -> c_int {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("endbr64", "mov rdx, [rsp]", "jmp {}", sym open16);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("hint #34", "mov x2, x30", "b {}", sym open16);
}

/// Interposes SQLite's function of this name.
///
/// # Safety
/// As SQLite documents it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn sqlite3_open_v2(
    name: *const c_char,
    db: *mut *mut Db,
    flags: c_int,
    vfs: *const c_char,
) -> c_int {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("endbr64", "mov r8, [rsp]", "jmp {}", sym open_v2);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("hint #34", "mov x4, x30", "b {}", sym open_v2);
}

unsafe extern "C" fn open(name: *const c_char, db: *mut *mut Db, caller: *const c_void) -> c_int {
    let how = How::Open;
    enter(caller, Call { how, name: name.cast(), db, flags: READWRITE_CREATE, vfs: ptr::null() })
}

unsafe extern "C" fn open16(name: *const c_void, db: *mut *mut Db, caller: *const c_void) -> c_int {
    let how = How::Open16;
    enter(caller, Call { how, name, db, flags: READWRITE_CREATE, vfs: ptr::null() })
}

unsafe extern "C" fn open_v2(
    name: *const c_char,
    db: *mut *mut Db,
    flags: c_int,
    vfs: *const c_char,
    caller: *const c_void,
) -> c_int {
    enter(caller, Call { how: How::OpenV2, name: name.cast(), db, flags, vfs })
}

fn enter(caller: *const c_void, call: Call) -> c_int {
    // The caller is C: a panic must not unwind into it.
    catch_unwind(AssertUnwindSafe(|| hook::open(caller, &call))).unwrap_or_else(|_| {
        if !call.db.is_null() {
            // SAFETY: SQLite's contract: where the connection goes.
            unsafe { *call.db = ptr::null_mut() };
        }
        INTERNAL
    })
}

/// Runs in every process that the library is loaded into, before the program's
/// own code; see [`register::at_load`].
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = {
    extern "C" fn constructor() {
        let _ = catch_unwind(register::at_load);
    }
    constructor
};
