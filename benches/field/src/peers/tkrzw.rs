//! Tkrzw's HashDBM, through a few lines of C++ that add nothing.

use std::ffi::{CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Failure, Peer};

unsafe extern "C" {
    fn field_tkrzw_open(path: *const c_char, buckets: i64) -> *mut c_void;
    fn field_tkrzw_set(
        dbm: *mut c_void,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> i32;
    fn field_tkrzw_get(dbm: *mut c_void, key: *const u8, key_size: usize) -> i64;
    fn field_tkrzw_remove(dbm: *mut c_void, key: *const u8, key_size: usize) -> i32;
    fn field_tkrzw_iterate(dbm: *mut c_void, records: *mut i64) -> i64;
    fn field_tkrzw_close(dbm: *mut c_void) -> i32;
}

/// The buckets of a HashDBM that is not told otherwise.
const BUCKETS_DEFAULT: u64 = 1_048_583;

pub(super) struct Tkrzw(*mut c_void);

// SAFETY: A HashDBM may be used by any number of threads at once.
unsafe impl Send for Tkrzw {}
// SAFETY: As above.
unsafe impl Sync for Tkrzw {}

impl Tkrzw {
    pub(super) fn open(dir: &Path, records: u64) -> Result<Self, Failure> {
        let path = CString::new(dir.join("field.tkh").as_os_str().as_bytes())?;
        // Never fewer than records: what its documentation advises.
        let buckets = i64::try_from(records.max(BUCKETS_DEFAULT))?;
        // SAFETY: The path is a C string that outlives the call.
        let dbm = unsafe { field_tkrzw_open(path.as_ptr(), buckets) };
        if dbm.is_null() { Err("HashDBM cannot be opened".into()) } else { Ok(Tkrzw(dbm)) }
    }
}

impl Peer for Tkrzw {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        // SAFETY: The DBM is open, and both slices outlive the call.
        let status = unsafe {
            field_tkrzw_set(self.0, key.as_ptr(), key.len(), value.as_ptr(), value.len())
        };
        if status == 0 { Ok(()) } else { Err("HashDBM::Set failed".into()) }
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        // SAFETY: The DBM is open, and the key outlives the call.
        match unsafe { field_tkrzw_get(self.0, key.as_ptr(), key.len()) } {
            -1 => Ok(None),
            size => Ok(Some(usize::try_from(size).map_err(|_| "HashDBM::Get failed")?)),
        }
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        // SAFETY: The DBM is open, and the key outlives the call.
        let status = unsafe { field_tkrzw_remove(self.0, key.as_ptr(), key.len()) };
        if status == 0 { Ok(()) } else { Err("HashDBM::Remove failed".into()) }
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        let mut records = 0;
        // SAFETY: The DBM is open, and `records` may be written.
        let bytes = unsafe { field_tkrzw_iterate(self.0, &raw mut records) };
        Ok((u64::try_from(records)?, u64::try_from(bytes)?))
    }
}

impl Drop for Tkrzw {
    fn drop(&mut self) {
        // SAFETY: It was opened once and is closed once; nobody uses it any more.
        let status = unsafe { field_tkrzw_close(self.0) };
        if status != 0 {
            eprintln!("tkrzw: the DBM did not close properly");
        }
    }
}
