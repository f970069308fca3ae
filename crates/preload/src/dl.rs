//! The dynamic linker's calls, with owned handles.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

/// The address of a function or an object.
pub(crate) type Address = NonNull<c_void>;

/// The head of the linker's record of one loaded object, as `<link.h>` has it.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
}

const RTLD_NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);
/// `dladdr1` answers the link map too.
const RTLD_DL_LINKMAP: c_int = 2;

/// A loaded object: the main program or a library.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Tells loaded objects apart, while they are loaded.
    pub(crate) id: usize,
    /// How the linker calls it; empty for the main program.
    pub(crate) path: CString,
}

impl Object {
    /// The object that has this address, if any has: code made at run time
    /// belongs to none.
    pub(crate) fn at(address: *const c_void) -> Option<Object> {
        // SAFETY: Dl_info is plain data for which zeroes are valid.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        let mut map: *mut c_void = ptr::null_mut();
        // SAFETY: both out-pointers are valid; any address may be asked about.
        let found = unsafe { libc::dladdr1(address, &mut info, &mut map, RTLD_DL_LINKMAP) };
        let map = NonNull::new(map)?.cast::<LinkMap>();
        if found == 0 {
            return None;
        }
        // SAFETY: the linker keeps the map, and its name, while the object is
        // loaded, which it is while code of it is on the stack or pinned.
        let path = unsafe { CStr::from_ptr(map.as_ref().name) }.to_owned();
        Some(Object { id: map.as_ptr() as usize, path })
    }

    /// This library.
    pub(crate) fn own() -> Option<Object> {
        Object::at(Object::own as fn() -> Option<Object> as *const c_void)
    }

    /// How to call it in a message.
    pub(crate) fn display(&self) -> String {
        if self.path.is_empty() {
            "the main program".to_owned()
        } else {
            self.path.to_string_lossy().into_owned()
        }
    }

    /// A handle to it, which keeps it loaded.
    pub(crate) fn handle(&self) -> Option<Handle> {
        // The name is exactly as the linker has it, so it is found among what
        // is loaded and no directory is searched. A null name is the program.
        let name = if self.path.is_empty() { ptr::null() } else { self.path.as_ptr() };
        // SAFETY: `name` is null or a C string. NOLOAD: no code runs.
        let handle = unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        forget_error(handle);
        NonNull::new(handle).map(Handle)
    }
}

/// A counted reference to a loaded object. Dropping it may unload the object.
#[derive(Debug)]
pub(crate) struct Handle(NonNull<c_void>);

// SAFETY: the linker's handles may be used from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// A library, loaded now if it is not yet.
    pub(crate) fn load(name: &CStr) -> Result<Handle, String> {
        // SAFETY: a C string; the caller means to run the library's constructors.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
        NonNull::new(handle).map(Handle).ok_or_else(|| {
            // SAFETY: after a failure this is null or a string of this thread's.
            let text = unsafe { libc::dlerror() };
            if text.is_null() {
                return "dlopen failed".to_owned();
            }
            // SAFETY: not null, so a C string, valid until the next dl call.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        })
    }

    /// The symbol in this object or in what it depends on.
    pub(crate) fn symbol(&self, name: &CStr) -> Option<Address> {
        // SAFETY: a live handle and a C string.
        symbol(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }

    /// Keeps the object loaded for the rest of the process.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: one dlclose for the one dlopen that made it.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}

/// The symbol that a program's global references would have been bound to if
/// this library were not there.
pub(crate) fn next_symbol(name: &CStr) -> Option<Address> {
    // SAFETY: a C string; RTLD_NEXT is judged by this code's own address.
    symbol(unsafe { libc::dlsym(RTLD_NEXT, name.as_ptr()) })
}

/// All objects that are loaded now.
pub(crate) fn loaded() -> Vec<Object> {
    unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        paths: *mut c_void,
    ) -> c_int {
        // SAFETY: `paths` is the vector below, `info` the linker's.
        let (paths, info) = unsafe { (&mut *paths.cast::<Vec<(CString, usize)>>(), &*info) };
        let path = if info.dlpi_name.is_null() {
            CString::default()
        } else {
            // SAFETY: not null, so the linker's own C string.
            unsafe { CStr::from_ptr(info.dlpi_name) }.to_owned()
        };
        // SAFETY: the linker gives `dlpi_phnum` headers.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let first = headers.iter().find(|h| h.p_type == libc::PT_LOAD && h.p_memsz > 0);
        if let Some(first) = first {
            paths.push((path, (info.dlpi_addr + first.p_vaddr) as usize));
        }
        0
    }
    let mut found: Vec<(CString, usize)> = Vec::new();
    // SAFETY: the callback gets the vector, and does not outlive this call. No
    // linker call is made in it, since the linker's lock is held.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    found.into_iter().filter_map(|(_, at)| Object::at(ptr::without_provenance(at))).collect()
}

fn symbol(address: *mut c_void) -> Option<Address> {
    forget_error(address);
    NonNull::new(address)
}

/// Takes a failure of ours out of `dlerror`, where the program would find it.
fn forget_error(answer: *mut c_void) {
    if answer.is_null() {
        // SAFETY: no preconditions.
        unsafe { libc::dlerror() };
    }
}
