//! Finding the client library, and its functions.

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hozo_traits::{Error, ErrorKind, Result};

/// Says where the client library is, unless the config does.
pub(super) const PATH_VARIABLE: &str = "HOZO_FDB_CLIENT";

/// What the system's loader looks for.
const FILE: &str = if cfg!(target_os = "macos") { "libfdb_c.dylib" } else { "libfdb_c.so" };

/// Where the loader may not look, and packages put it.
const PLACES: [&str; 3] = ["/usr/lib", "/usr/local/lib", "/usr/lib64"];

unsafe extern "C" {
    fn hozo_fdb_load(path: *const c_char, message: *mut c_char, room: usize) -> c_int;
    fn hozo_fdb_has(name: *const c_char) -> c_int;
}

/// Loads the library: the one that is given, or the environment's, or the system's.
/// Answers where it was found. To be called by one thread at a time, and not after it
/// succeeded.
pub(super) fn load(given: Option<&Path>) -> Result<PathBuf> {
    let named = given.map(Path::to_owned);
    let named = named.or_else(|| std::env::var_os(PATH_VARIABLE).map(PathBuf::from));
    if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
        return try_load(&path).map(|()| path.clone()).map_err(|why| {
            Error::new(ErrorKind::Unavailable, "FoundationDB's client library cannot be loaded")
                .with("path", path.display())
                .with("reason", why)
        });
    }
    let mut tried = Vec::new();
    let places = PLACES.iter().map(|place| Path::new(place).join(FILE));
    for path in std::iter::once(PathBuf::from(FILE)).chain(places) {
        match try_load(&path) {
            Ok(()) => return Ok(path),
            Err(why) => tried.push(why),
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "FoundationDB's client library was not found; install the package \
         foundationdb-clients, 7.1 to 7.4, or say where it is with client_library",
    )
    .with("variable", PATH_VARIABLE)
    .with("file", FILE)
    .with("tried", tried.join("; ")))
}

fn try_load(path: &Path) -> Result<(), String> {
    let path = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| "a path cannot have a zero byte".to_owned())?;
    let mut message = [0 as c_char; 512];
    // SAFETY: the path is a C string, and the message has as much room as is said.
    // The caller is alone, and nothing of the library was called before.
    let failed = unsafe { hozo_fdb_load(path.as_ptr(), message.as_mut_ptr(), message.len()) };
    if failed == 0 {
        return Ok(());
    }
    // SAFETY: on failure it has a C string.
    let text = unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy();
    if text.starts_with("fdb_") {
        return Err(format!("it has no function {text}: Hozo needs 7.1 or newer"));
    }
    Err(text.into_owned())
}

/// Whether the library has a function that not all versions have.
pub(super) fn has(name: &CStr) -> bool {
    // SAFETY: the name is a C string; the table is only read once it was loaded.
    unsafe { hozo_fdb_has(name.as_ptr()) != 0 }
}
