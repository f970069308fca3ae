//! How the library is linked, so that it can be loaded into any program. Called
//! from its `build.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells cargo, which runs the caller.
///
/// # Panics
/// If it is not cargo that runs it.
pub fn library() {
    println!("cargo:rerun-if-changed=build.rs");
    // Threads of a store run in this library's code for the rest of the
    // process, so it is never unmapped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // See `forget_destructors!`. Not only for who asked for RocksDB: another crate
    // of the same build may have.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--wrap=__cxa_atexit");
    let linked = link_cxx_inside();
    if !linked && std::env::var_os("CARGO_FEATURE_ROCKSDB").is_some() {
        println!("cargo:warning=no {ARCHIVE}: the library will need the shared C++ library");
    }
}

/// The C++ library, as a compiler has it for linking it in.
const ARCHIVE: &str = "libstdc++.a";

/// RocksDB needs the C++ library. Were the system's shared one loaded first, a
/// program that brings a newer one of its own would get the older and fail to
/// start; so it goes inside, where nobody else sees it. Whether it is there to go in.
fn link_cxx_inside() -> bool {
    println!("cargo:rerun-if-env-changed=CC");
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(cc).arg(format!("-print-file-name={ARCHIVE}")).output();
    let found = output.ok().map(|output| output.stdout);
    let found = found.map(|path| PathBuf::from(String::from_utf8_lossy(&path).trim()));
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    let dir = Path::new(&out).join("cxx");
    // A directory that has the archive only: the linker takes the first
    // directory that has either kind, and these come before the system's.
    let linked = found.filter(|path| path.is_absolute()).is_some_and(|path| {
        let link = dir.join(ARCHIVE);
        std::fs::create_dir_all(&dir).is_ok()
            && (std::fs::remove_file(&link).is_ok() || !link.exists())
            && std::os::unix::fs::symlink(path, link).is_ok()
    });
    if linked {
        println!("cargo:rustc-cdylib-link-arg=-L{}", dir.display());
    }
    linked
}
