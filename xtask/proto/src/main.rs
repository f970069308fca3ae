//! Makes Rust of the protocol files of `hozo-proto`, which is committed, so that a
//! build needs neither a generator nor its dependencies.
//!
//! `cargo run -p xtask -- proto` calls it; with `--check` it writes nothing and
//! fails where what is committed is not what the protocol files say.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use prost::Message;

const DIRECTORY: &str = "crates/proto/proto";
const FILES: [&str; 2] = ["tkrzw_rpc.proto", "hozo_v1.proto"];
const OUTPUT: &str = "crates/proto/src/gen";
const RUST: [&str; 2] = ["tkrzw_rpc.rs", "hozo.v1.rs"];
const DESCRIPTORS: &str = "descriptors.bin";

/// The files that are made: their names below [`OUTPUT`] and what is in them.
type Files = Vec<(&'static str, Vec<u8>)>;

/// Generates everything, into memory.
fn generate(root: &Path) -> Result<Files, String> {
    // The error says file, line and column.
    let mut descriptors =
        protox::compile(FILES, [root.join(DIRECTORY)]).map_err(|e| format!("{e:?}"))?;
    let directory = tempfile::tempdir().map_err(|e| format!("a temporary directory: {e}"))?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .emit_rerun_if_changed(false)
        .out_dir(directory.path())
        .compile_fds(descriptors.clone())
        .map_err(|e| format!("generating Rust: {e}"))?;
    let mut files = Files::new();
    for name in RUST {
        let rust = fs::read(directory.path().join(name)).map_err(|e| format!("{name}: {e}"))?;
        files.push((name, rust));
    }
    // Reflection tells names and types; comments would be most of the file.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    files.push((DESCRIPTORS, descriptors.encode_to_vec()));
    Ok(files)
}

/// Writes what is generated where `hozo-proto` has it.
fn write(root: &Path, files: Files) -> Result<(), String> {
    for (name, content) in files {
        let path = format!("{OUTPUT}/{name}");
        fs::write(root.join(&path), content).map_err(|e| format!("{path}: {e}"))?;
        println!("proto: wrote {path}");
    }
    Ok(())
}

/// An error unless all is there as it is generated.
fn check(root: &Path, files: Files) -> Result<(), String> {
    for (name, content) in files {
        let path = format!("{OUTPUT}/{name}");
        let committed = fs::read(root.join(&path)).map_err(|e| format!("{path}: {e}"))?;
        if committed != content {
            return Err(format!(
                "{path} is not what {DIRECTORY} says: run `cargo run -p xtask -- proto`"
            ));
        }
    }
    println!("proto: what is committed is what the protocols say");
    Ok(())
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.expect("this lies two levels below the checkout");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => generate(root).and_then(|files| write(root, files)),
        ["--check"] => generate(root).and_then(|files| check(root, files)),
        _ => Err("usage: cargo run -p xtask -- proto [--check]".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("proto: {message}");
            ExitCode::FAILURE
        }
    }
}
