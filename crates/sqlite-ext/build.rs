//! Links the library so that it can be loaded into any program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Threads of a store run in this library's code for the rest of the
    // process, so it is never unmapped.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
