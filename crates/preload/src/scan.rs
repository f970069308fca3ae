//! Finding an SQLite that exports nothing.

use std::ffi::{CStr, c_int, c_void};

use crate::dl::Object;

/// Texts that every build of SQLite has in its constants, and together nothing
/// else: the header of its files, and a statement that it runs itself.
const MARKS: [&[u8]; 2] = [b"SQLite format 3\0", b"CREATE TABLE %Q.sqlite_sequence(name,seq)"];

struct Search<'a> {
    path: &'a CStr,
    found: [bool; MARKS.len()],
}

/// Whether the constants of a loaded object have an SQLite's marks: it was
/// linked in statically, or its symbols are hidden.
pub(crate) fn has_sqlite(object: &Object) -> bool {
    let mut search = Search { path: &object.path, found: [false; MARKS.len()] };
    // SAFETY: the callback gets the search, which outlives this call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found.iter().all(|found| *found)
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `search` is the caller's, `info` the linker's.
    let (search, info) = unsafe { (&mut *search.cast::<Search<'_>>(), &*info) };
    // SAFETY: null, or the linker's C string. The object is told by its name,
    // since the linker must not be asked for more while its lock is held.
    let name = (!info.dlpi_name.is_null()).then(|| unsafe { CStr::from_ptr(info.dlpi_name) });
    if name.unwrap_or_default() != search.path {
        return 0;
    }
    // SAFETY: the linker gives `dlpi_phnum` headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let constant = |flags: u32| flags & libc::PF_R != 0 && flags & libc::PF_W == 0;
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && constant(h.p_flags)) {
        let start = (info.dlpi_addr + header.p_vaddr) as *const u8;
        // SAFETY: a readable segment, mapped while the linker's lock is held.
        let bytes = unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) };
        for (mark, found) in MARKS.iter().zip(&mut search.found) {
            *found = *found || contains(bytes, mark);
        }
    }
    0
}

fn contains(bytes: &[u8], mark: &[u8]) -> bool {
    // SAFETY: both slices are as long as they say.
    let at = unsafe {
        libc::memmem(bytes.as_ptr().cast(), bytes.len(), mark.as_ptr().cast(), mark.len())
    };
    !at.is_null()
}
