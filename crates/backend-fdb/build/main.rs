//! Makes a static library with the symbols of libfdb_c, each of which goes on to
//! the real one once that was loaded: so the crate links, and a program that has it
//! starts, where no libfdb_c is.

mod shim;

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let source = out.join("fdb_c_shim.c");
    std::fs::write(&source, shim::source()).expect("OUT_DIR can be written");
    // One object: it comes whole, with the function that loads the library.
    cc::Build::new().file(&source).warnings(true).extra_warnings(true).compile("fdb_c");
    // Where a libc of its own has dlopen.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-lib=dl");
    }
}
