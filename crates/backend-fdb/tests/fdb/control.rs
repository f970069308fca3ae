//! The functions of the double that make calls fail. It is one for the process, so
//! tests that use them take turns.

use std::ffi::{CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kit;

static ALONE: Mutex<()> = Mutex::new(());

/// The double, for as long as no other test has it.
pub(crate) struct Double {
    library: *mut c_void,
    _alone: MutexGuard<'static, ()>,
}

impl Double {
    pub(crate) fn take() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = CString::new(kit::double().as_os_str().as_bytes()).expect("no zero byte");
        // SAFETY: the path is a C string; the library does nothing when it is opened.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null(), "{path:?} cannot be opened");
        let double = Double { library, _alone: alone };
        double.clear();
        double.cut(false);
        double
    }

    fn find(&self, name: &str) -> *mut c_void {
        let c_name = CString::new(name).expect("no zero byte");
        // SAFETY: the library is open, and the name a C string.
        let found = unsafe { libc::dlsym(self.library, c_name.as_ptr()) };
        assert!(!found.is_null(), "the double has no {name}");
        found
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        // SAFETY: the double's function of this name has this type.
        let calls: extern "C" fn() -> u64 =
            unsafe { std::mem::transmute(self.find("hozo_double_calls")) };
        calls()
    }

    /// Makes the call fail that comes after so many others.
    pub(crate) fn inject(&self, after: u64, code: i32, done: bool) {
        self.inject_with(after, code, c_int::from(done));
    }

    /// The same; a commit is on its way then, and judged after so many other things.
    pub(crate) fn inject_late(&self, after: u64, code: i32, others: u32) {
        self.inject_with(after, code, c_int::try_from(others + 1).expect("a few"));
    }

    fn inject_with(&self, after: u64, code: i32, done: c_int) {
        // SAFETY: as above.
        let inject: extern "C" fn(u64, c_int, c_int) =
            unsafe { std::mem::transmute(self.find("hozo_double_inject")) };
        inject(after, code, done);
    }

    /// Forgets what did not fail yet, and answers how much that was.
    pub(crate) fn clear(&self) -> u64 {
        // SAFETY: as above.
        let clear: extern "C" fn() -> u64 =
            unsafe { std::mem::transmute(self.find("hozo_double_clear")) };
        clear()
    }

    /// Lets seconds go by.
    pub(crate) fn advance_s(&self, seconds: i64) {
        // SAFETY: as above.
        let advance: extern "C" fn(i64) =
            unsafe { std::mem::transmute(self.find("hozo_double_advance")) };
        advance(seconds * 1_000_000);
    }

    /// What the network was configured with.
    pub(crate) fn network_options(&self) -> String {
        // SAFETY: as above; there is as much room as is said.
        let options: unsafe extern "C" fn(*mut u8, usize) -> usize =
            unsafe { std::mem::transmute(self.find("hozo_double_network_options")) };
        let mut room = vec![0; 4096];
        // SAFETY: as above.
        let length = unsafe { options(room.as_mut_ptr(), room.len()) };
        room.truncate(length);
        String::from_utf8(room).expect("options are text")
    }

    /// Cuts the network, or joins it again.
    pub(crate) fn cut(&self, cut: bool) {
        // SAFETY: as above.
        let function: extern "C" fn(c_int) =
            unsafe { std::mem::transmute(self.find("hozo_double_cut")) };
        function(c_int::from(cut));
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.clear();
        self.cut(false);
    }
}
