//! Compiles the few lines that call Tkrzw, where its library is installed.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/peers/tkrzw.cc");
    println!("cargo::rustc-check-cfg=cfg(tkrzw)");
    let found = Command::new("pkg-config").args(["--modversion", "tkrzw"]).output();
    let Ok(found) = found else { return };
    if !found.status.success() {
        return;
    }
    let version = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let shim = cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .file("src/peers/tkrzw.cc")
        .try_compile("hozo_field_tkrzw");
    if let Err(e) = shim {
        println!("cargo::warning=libtkrzw is installed but cannot be used: {e}");
        return;
    }
    println!("cargo::rustc-cfg=tkrzw");
    println!("cargo::rustc-env=TKRZW_VERSION={version}");
    println!("cargo::rustc-link-lib=tkrzw");
    println!("cargo::rustc-link-lib=stdc++");
}
