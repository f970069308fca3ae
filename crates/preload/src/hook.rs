//! What an interposed open does.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use crate::copy::{self, Copy};
use crate::entry::Db;
use crate::name::{self, Class};
use crate::refuse::{self, CANTOPEN};
use crate::report::{self, Outcome};
use crate::site::Site;
use crate::store::{self, Found};

/// Which function was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Open,
    Open16,
    OpenV2,
}

/// One call of an interposed function.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) how: How,
    /// UTF-16 for [`How::Open16`], else UTF-8.
    pub(crate) name: *const c_void,
    pub(crate) db: *mut *mut Db,
    pub(crate) flags: c_int,
    pub(crate) vfs: *const c_char,
}

const OK: c_int = 0;
const ERROR: c_int = 1;

type OpenFn = unsafe extern "C" fn(*const c_void, *mut *mut Db) -> c_int;
pub(crate) type OpenV2Fn =
    unsafe extern "C" fn(*const c_char, *mut *mut Db, c_int, *const c_char) -> c_int;

impl How {
    fn symbol(self) -> &'static CStr {
        match self {
            How::Open => c"sqlite3_open",
            How::Open16 => c"sqlite3_open16",
            How::OpenV2 => c"sqlite3_open_v2",
        }
    }
}

impl Call {
    /// The name in UTF-8; `None` if there is none or it is not text.
    fn name(&self) -> Option<CString> {
        if self.name.is_null() {
            return None;
        }
        if self.how != How::Open16 {
            // SAFETY: SQLite's contract: a C string.
            return Some(unsafe { CStr::from_ptr(self.name.cast()) }.to_owned());
        }
        let mut units = Vec::new();
        let mut at = self.name.cast::<u8>();
        loop {
            // SAFETY: SQLite's contract: UTF-16 that ends with a zero unit. It
            // need not be aligned for 16 bits, so bytes are read.
            let unit = unsafe { u16::from_ne_bytes([*at, *at.add(1)]) };
            if unit == 0 {
                break;
            }
            units.push(unit);
            // SAFETY: not the end yet.
            at = unsafe { at.add(2) };
        }
        CString::new(String::from_utf16(&units).ok()?).ok()
    }

    fn vfs(&self) -> Option<&[u8]> {
        if self.vfs.is_null() {
            return None;
        }
        // SAFETY: SQLite's contract: a C string.
        Some(unsafe { CStr::from_ptr(self.vfs) }.to_bytes())
    }
}

/// Opens what `call` names, for the code at `caller`.
pub(crate) fn open(caller: *const c_void, call: &Call) -> c_int {
    let site = match Site::find(caller, call.how.symbol()) {
        Ok(site) => site,
        Err(lost) => {
            refuse::say(&format!("{}: {}", call.how.symbol().to_string_lossy(), lost.0));
            if !call.db.is_null() {
                // SAFETY: SQLite's contract: where the connection goes.
                unsafe { *call.db = ptr::null_mut() };
            }
            return ERROR;
        }
    };
    let name = call.name();
    let shown = || name.as_ref().map(|name| name.to_string_lossy().into_owned());
    let (outcome, code) = decide(&site, call, name.as_deref());
    report::open(&site, shown, &outcome, code);
    code
}

fn decide(site: &Site, call: &Call, name: Option<&CStr>) -> (Outcome, c_int) {
    if !store::configured() || call.db.is_null() {
        return (Outcome::Plain, pass(site, call));
    }
    // Registered for every copy that is met, so that `ATTACH` and URIs can name
    // the VFS. It starts nothing.
    let copy = copy::of(site);
    let class = match name {
        Some(name) => name::classify(name.to_bytes(), call.flags, call.vfs()),
        None => Class::Plain,
    };
    let Some(name) = name else { return (Outcome::Plain, pass(site, call)) };
    let (wanted, flags) = match class {
        Class::Plain => return (Outcome::Plain, pass(site, call)),
        Class::Explicit => (name.to_string_lossy().into_owned(), call.flags),
        Class::Maybe { name, uri } => {
            match store::find(&name) {
                Ok(Found::No) => return (Outcome::Plain, pass(site, call)),
                Ok(Found::Yes) => {}
                Err(why) => return refused(site, call, CANTOPEN, &name, &why),
            }
            (name, if uri { call.flags | name::OPEN_URI } else { call.flags })
        }
    };
    match copy {
        Ok(copy) => ours(site, copy, call, name, flags, &wanted),
        Err(why) => refused(site, call, CANTOPEN, &wanted, &why),
    }
}

/// Opens a namespace.
fn ours(
    site: &Site,
    copy: &'static Copy,
    call: &Call,
    name: &CStr,
    flags: c_int,
    wanted: &str,
) -> (Outcome, c_int) {
    let Some(open_v2) = site.symbol(c"sqlite3_open_v2") else {
        let why = "its SQLite has no sqlite3_open_v2";
        return refused(site, call, CANTOPEN, wanted, why);
    };
    // SAFETY: SQLite's function of this name.
    let open_v2: OpenV2Fn = unsafe { std::mem::transmute(open_v2.as_ptr()) };
    let (code, why) = store::capture(|| {
        // SAFETY: SQLite's contract; the names are C strings.
        unsafe { open_v2(name.as_ptr(), call.db, flags, copy::VFS_NAME.as_ptr()) }
    });
    // SAFETY: SQLite stored a connection or null there.
    let db = unsafe { *call.db };
    if code != OK {
        let why = why.unwrap_or_else(|| format!("SQLite's error {code}"));
        refuse::close(site, db);
        return refused(site, call, code, wanted, &why);
    }
    if call.how == How::Open16 {
        refuse::exec(site, db, c"PRAGMA encoding='UTF-16'");
    }
    copy.functions(db);
    (Outcome::Ours, OK)
}

fn refused(site: &Site, call: &Call, code: c_int, name: &str, why: &str) -> (Outcome, c_int) {
    refuse::say(&format!("cannot open {name}: {why}"));
    // SAFETY: `call.db` is not null; checked before anything was decided.
    unsafe { *call.db = refuse::connection(site, code, why) };
    (Outcome::Refused(why.to_owned()), code)
}

/// Makes the call as if this library were not there.
fn pass(site: &Site, call: &Call) -> c_int {
    let Some(next) = site.symbol(call.how.symbol()) else { return ERROR };
    match call.how {
        How::Open | How::Open16 => {
            // SAFETY: SQLite's function of this name has this type.
            let next: OpenFn = unsafe { std::mem::transmute(next.as_ptr()) };
            // SAFETY: the caller's own arguments.
            unsafe { next(call.name, call.db) }
        }
        How::OpenV2 => {
            // SAFETY: as above.
            let next: OpenV2Fn = unsafe { std::mem::transmute(next.as_ptr()) };
            // SAFETY: as above.
            unsafe { next(call.name.cast(), call.db, call.flags, call.vfs) }
        }
    }
}
