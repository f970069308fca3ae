//! The functions of one copy of SQLite.

use std::ffi::{CStr, c_char, c_double, c_int, c_uint, c_void};

use hozo_traits::{Error, ErrorKind, Result};

use crate::ffi::{
    sqlite3, sqlite3_context, sqlite3_file, sqlite3_module, sqlite3_value, sqlite3_vfs,
};

/// An SQL function or aggregate step that SQLite calls.
pub type SqlFn = unsafe extern "C" fn(*mut sqlite3_context, c_int, *mut *mut sqlite3_value);
/// What ends an aggregate.
pub type FinalFn = unsafe extern "C" fn(*mut sqlite3_context);
/// How SQLite frees what it was given.
pub type Destructor = unsafe extern "C" fn(*mut c_void);

/// The oldest SQLite that is served (`SQLITE_VERSION_NUMBER`).
const OLDEST: c_int = 3_014_000;
/// Where `sqlite3_libversion_number` is in `sqlite3_api_routines`.
const LIBVERSION_NUMBER: usize = 67;

macro_rules! table {
    (
        ($d:tt)
        required { $($rname:ident $rsym:ident $rindex:literal : $rtype:ty,)* }
        optional { $($oname:ident $osym:ident $oindex:literal $since:literal : $otype:ty,)* }
    ) => {
        /// The functions of one copy of SQLite, of which a process may have
        /// several. Nothing here links to SQLite: the table is filled from
        /// symbols ([`from_lookup`](Self::from_lookup),
        /// [`sqlite_api!`](crate::sqlite_api)) or from what an extension is
        /// given ([`from_extension`](Self::from_extension)).
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the function sqlite3_<name>")]
        pub struct SqliteApi {
            $(pub $rname: $rtype,)*
            $(pub $oname: Option<$otype>,)*
        }

        impl SqliteApi {
            /// Names of all functions that are looked up, needed ones first.
            pub const SYMBOLS: &'static [&'static CStr] =
                &[$(symbol(concat!(stringify!($rsym), "\0")),)*
                  $(symbol(concat!(stringify!($osym), "\0")),)*];

            /// The table of the SQLite whose symbols `lookup` finds; an error
            /// that names the first needed one that it does not.
            ///
            /// # Safety
            /// `lookup` must answer null or the address of the function of
            /// that name, all of one copy of SQLite that stays loaded.
            pub unsafe fn from_lookup(lookup: &dyn Fn(&CStr) -> *const c_void) -> Result<Self> {
                Ok(SqliteApi {
                    $($rname: {
                        let name = symbol(concat!(stringify!($rsym), "\0"));
                        let p = lookup(name);
                        if p.is_null() {
                            return Err(missing(name));
                        }
                        // SAFETY: not null, and by the caller's promise a
                        // function of this name, whose type SQLite documents.
                        unsafe { std::mem::transmute::<*const c_void, $rtype>(p) }
                    },)*
                    $($oname: {
                        let p = lookup(symbol(concat!(stringify!($osym), "\0")));
                        // SAFETY: as above; null becomes `None`.
                        unsafe { std::mem::transmute::<*const c_void, Option<$otype>>(p) }
                    },)*
                })
            }

            /// Where a function is in `sqlite3_api_routines`, and since which
            /// version of SQLite.
            fn slot(name: &CStr) -> Option<(usize, c_int)> {
                $(if name == symbol(concat!(stringify!($rsym), "\0")) {
                    return Some(($rindex, OLDEST));
                })*
                $(if name == symbol(concat!(stringify!($osym), "\0")) {
                    return Some(($oindex, $since));
                })*
                None
            }
        }

        /// The [`SqliteApi`] of the SQLite whose raw bindings are this module:
        /// `sqlite_api!(rusqlite::ffi)`. The table is the same for every copy
        /// of the bindings, so the answer can be kept in a `static`.
        #[macro_export]
        macro_rules! sqlite_api {
            ($d($d ffi:ident)::+) => {{
                let lookup = |name: &::std::ffi::CStr| -> *const ::std::ffi::c_void {
                    match name.to_str().unwrap_or_default() {
                        $(stringify!($rsym) =>
                            $d($d ffi)::+::$rsym as *const () as *const ::std::ffi::c_void,)*
                        $(stringify!($osym) =>
                            $d($d ffi)::+::$osym as *const () as *const ::std::ffi::c_void,)*
                        _ => ::std::ptr::null(),
                    }
                };
                // SAFETY: each is the function of its name, of the one SQLite
                // that is linked into this program.
                unsafe { $crate::SqliteApi::from_lookup(&lookup) }
            }};
        }
    };
}

table! {
    ($)
    required {
        libversion_number sqlite3_libversion_number 67: unsafe extern "C" fn() -> c_int,
        vfs_find sqlite3_vfs_find 141: unsafe extern "C" fn(*const c_char) -> *mut sqlite3_vfs,
        vfs_register sqlite3_vfs_register 142:
            unsafe extern "C" fn(*mut sqlite3_vfs, c_int) -> c_int,
        vfs_unregister sqlite3_vfs_unregister 143:
            unsafe extern "C" fn(*mut sqlite3_vfs) -> c_int,
        malloc sqlite3_malloc 68: unsafe extern "C" fn(c_int) -> *mut c_void,
        free sqlite3_free 58: unsafe extern "C" fn(*mut c_void),
        log sqlite3_log 167: unsafe extern "C" fn(c_int, *const c_char, ...),
        uri_parameter sqlite3_uri_parameter 189:
            unsafe extern "C" fn(*const c_char, *const c_char) -> *const c_char,
        get_autocommit sqlite3_get_autocommit 60: unsafe extern "C" fn(*mut sqlite3) -> c_int,
        file_control sqlite3_file_control 127:
            unsafe extern "C" fn(*mut sqlite3, *const c_char, c_int, *mut c_void) -> c_int,
        create_function_v2 sqlite3_create_function_v2 162: unsafe extern "C" fn(
            *mut sqlite3, *const c_char, c_int, c_int, *mut c_void,
            Option<SqlFn>, Option<SqlFn>, Option<FinalFn>, Option<Destructor>) -> c_int,
        create_module_v2 sqlite3_create_module_v2 119: unsafe extern "C" fn(
            *mut sqlite3, *const c_char, *const sqlite3_module, *mut c_void,
            Option<Destructor>) -> c_int,
        declare_vtab sqlite3_declare_vtab 50:
            unsafe extern "C" fn(*mut sqlite3, *const c_char) -> c_int,
        user_data sqlite3_user_data 101: unsafe extern "C" fn(*mut sqlite3_context) -> *mut c_void,
        context_db_handle sqlite3_context_db_handle 149:
            unsafe extern "C" fn(*mut sqlite3_context) -> *mut sqlite3,
        value_type sqlite3_value_type 113: unsafe extern "C" fn(*mut sqlite3_value) -> c_int,
        value_text sqlite3_value_text 109:
            unsafe extern "C" fn(*mut sqlite3_value) -> *const u8,
        value_bytes sqlite3_value_bytes 103: unsafe extern "C" fn(*mut sqlite3_value) -> c_int,
        value_int64 sqlite3_value_int64 107: unsafe extern "C" fn(*mut sqlite3_value) -> i64,
        value_double sqlite3_value_double 105:
            unsafe extern "C" fn(*mut sqlite3_value) -> c_double,
        result_text sqlite3_result_text 85: unsafe extern "C" fn(
            *mut sqlite3_context, *const c_char, c_int, *const c_void),
        result_int64 sqlite3_result_int64 83: unsafe extern "C" fn(*mut sqlite3_context, i64),
        result_null sqlite3_result_null 84: unsafe extern "C" fn(*mut sqlite3_context),
        result_error sqlite3_result_error 80:
            unsafe extern "C" fn(*mut sqlite3_context, *const c_char, c_int),
    }
    optional {
        database_file_object sqlite3_database_file_object 251 3_032_000:
            unsafe extern "C" fn(*const c_char) -> *mut sqlite3_file,
        is_interrupted sqlite3_is_interrupted 266 3_041_000:
            unsafe extern "C" fn(*mut sqlite3) -> c_int,
    }
}

const fn symbol(with_nul: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(with_nul.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a symbol has one NUL, at its end"),
    }
}

fn missing(name: &CStr) -> Error {
    Error::new(ErrorKind::Unsupported, "this SQLite lacks a function that Hozo needs")
        .with("function", name.to_string_lossy())
}

impl SqliteApi {
    /// The table from the `sqlite3_api_routines` that SQLite hands to a
    /// loadable extension.
    ///
    /// # Safety
    /// `routines` must be that pointer, and its SQLite must stay loaded.
    pub unsafe fn from_extension(routines: *const c_void) -> Result<Self> {
        let slots = routines.cast::<*const c_void>();
        // SAFETY: the struct is an array of function pointers to which SQLite
        // only ever appends; this slot is in the oldest.
        let number = unsafe { *slots.add(LIBVERSION_NUMBER) };
        if number.is_null() {
            return Err(missing(c"sqlite3_libversion_number"));
        }
        // SAFETY: that slot holds this function.
        let number = unsafe {
            std::mem::transmute::<*const c_void, unsafe extern "C" fn() -> c_uint>(number)()
        };
        let number = number as c_int;
        if number < OLDEST {
            return Err(Error::new(ErrorKind::Unsupported, "this SQLite is older than 3.14")
                .with("version number", number));
        }
        let lookup = |name: &CStr| match Self::slot(name) {
            // SAFETY: `number` says that the struct reaches this slot.
            Some((index, since)) if number >= since => unsafe { *slots.add(index) },
            _ => std::ptr::null(),
        };
        // SAFETY: the slots hold the functions of these names.
        unsafe { Self::from_lookup(&lookup) }
    }
}
