//! Handles, and what is handed over in memory.

use std::os::raw::{c_int, c_uchar, c_void};

/// A handle that only the library looks into.
macro_rules! handles {
    ($($name:ident = $alias:ident, $what:literal;)*) => {$(
        #[doc = $what]
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
        #[doc = $what]
        pub type $alias = $name;
    )*};
}

handles! {
    FDB_future = FDBFuture, "Something that will be there.";
    FDB_database = FDBDatabase, "A database.";
    FDB_tenant = FDBTenant, "A tenant.";
    FDB_transaction = FDBTransaction, "A transaction.";
}

/// 0, or the number of an error.
pub type fdb_error_t = c_int;
/// 0 or 1.
pub type fdb_bool_t = c_int;
/// Called once a future is ready.
pub type FDBCallback = Option<unsafe extern "C" fn(future: *mut FDBFuture, parameter: *mut c_void)>;

/// A key.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug)]
pub struct key {
    /// Where it is.
    pub key: *const u8,
    /// How long it is.
    pub key_length: c_int,
}
/// A key.
pub type FDBKey = key;

/// A key and its value.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug)]
pub struct keyvalue {
    /// Where the key is.
    pub key: *const u8,
    /// How long the key is.
    pub key_length: c_int,
    /// Where the value is.
    pub value: *const u8,
    /// How long the value is.
    pub value_length: c_int,
}
/// A key and its value.
pub type FDBKeyValue = keyvalue;

/// A key selector.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FDBKeySelector {
    /// The key that it begins at.
    pub key: FDBKey,
    /// Whether that key itself counts.
    pub orEqual: fdb_bool_t,
    /// How many keys further.
    pub offset: c_int,
}

/// A range that was read, and what is there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FDBGetRangeReqAndResult {
    /// Where it begins.
    pub begin: FDBKeySelector,
    /// Where it ends.
    pub end: FDBKeySelector,
    /// What is there.
    pub data: *mut FDBKeyValue,
    /// How many.
    pub m_size: c_int,
    /// For how many there is room.
    pub m_capacity: c_int,
}

/// A pair of an index, and the range that it names.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FDBMappedKeyValue {
    /// The key.
    pub key: FDBKey,
    /// The value.
    pub value: FDBKey,
    /// The range.
    pub getRange: FDBGetRangeReqAndResult,
    /// The library's own.
    pub buffer: [c_uchar; 32],
}
