//! Which crate may depend on which.

use crate::Findings;
use crate::graph::{Graph, Kind, Package};

/// What `hozo-traits` may depend on: no runtime, no serialisation, no engine.
const TRAITS_MAY_USE: [&str; 3] = ["async-trait", "bytes", "getrandom"];

/// Each is named by exactly one crate, whatever the kind of dependency; [`FIELD`]
/// does not count.
const ENGINES: [&str; 5] = ["rocksdb", "sled", "foundationdb", "memmap2", "fuser"];

/// The floor of a crate of ours. Normal dependencies point strictly down.
fn floor(name: &str) -> Option<u8> {
    Some(match name {
        "hozo-traits" | "hozo-proto" => 0,
        // Declarations of another's C functions, and a double of what they are.
        "foundationdb-sys" | "hozo-fdb-double" => 0,
        "hozo-directory" | "hozo-ordered" | "hozo-pages" | "hozo-records" | "hozo-conformance" => 1,
        "hozo-client" | "hozo-log" => 1,
        "hozo-repl" => 2,
        name if is_implementation(name) => 2,
        "hozo" | "hozo-loaded" => 3,
        // Where an SQLite comes in: one of our own, or the program's.
        "hozo-embedded" | "hozo-sqlite-ext" | "hozo-preload" => 4,
        "hozo-bench" => 5,
        "hozo-cli" => 6,
        "hozo-benches" | FIELD | "hozo-tests" | "xtask" => TOP,
        _ => return None,
    })
}

/// Measures and tests; nothing depends on it.
const TOP: u8 = 7;

/// Measures engines by themselves, beside ours; the one other crate that names them.
const FIELD: &str = "hozo-field";

/// What plain `cargo build` and `cargo test` leave out, because it needs more than
/// Rust and a C compiler: C++, or whatever the end-to-end tests start.
const NEEDS_MORE: [&str; 3] = ["hozo-backend-rocksdb", FIELD, "hozo-tests"];

pub(crate) fn is_backend(name: &str) -> bool {
    name.starts_with("hozo-backend-")
}

fn is_implementation(name: &str) -> bool {
    is_backend(name) || name.starts_with("hozo-frontend-")
}

/// Whether this crate may have implementations as normal dependencies. The
/// facade composes them; on floor 4 the two libraries that SQLite loads hand
/// their copy's functions to the VFS frontend; the top floor measures and tests.
fn may_name(package: &str, implementation: &str) -> bool {
    match package {
        "hozo" => true,
        "hozo-sqlite-ext" | "hozo-preload" => implementation == "hozo-frontend-vfs",
        _ => floor(package) == Some(TOP),
    }
}

pub(crate) fn check(graph: &Graph, findings: &mut Findings) {
    for package in &graph.packages {
        match floor(&package.name) {
            Some(own) => check_package(graph, package, own, findings),
            None => findings.error(format!(
                "{} ({}) is on no floor: give it one in xtask/src/floors.rs",
                package.name, package.dir
            )),
        }
    }
    check_engines(graph, findings);
    check_defaults(graph, findings);
}

fn check_defaults(graph: &Graph, findings: &mut Findings) {
    for package in &graph.packages {
        let Package { name, dir, .. } = package;
        match (package.is_default, NEEDS_MORE.contains(&name.as_str())) {
            (false, false) => findings
                .error(format!("{name}: {dir:?} is missing in default-members of Cargo.toml")),
            (true, true) => findings.error(format!(
                "{name} needs more than Rust and a C compiler: take {dir:?} out of default-members"
            )),
            _ => {}
        }
    }
}

fn check_package(graph: &Graph, package: &Package, own: u8, findings: &mut Findings) {
    let name = &package.name;
    let kept = package.dependencies.iter().filter(|d| d.kind != Kind::Dev);
    for dependency in kept {
        let other = &dependency.name;
        if graph.is_member(other) {
            if let Some(theirs) = floor(other)
                && theirs >= own
            {
                findings.error(format!(
                    "{name} (floor {own}) depends on {other} (floor {theirs}); \
                     normal dependencies point strictly down"
                ));
            }
            if is_implementation(other) && !may_name(name, other) {
                findings
                    .error(format!("{name} depends on {other}; only hozo names implementations"));
            }
            if other == "hozo-conformance" && own != TOP {
                findings.error(format!(
                    "{name} depends on hozo-conformance, which is for dev-dependencies"
                ));
            }
        }
        if name == "hozo-traits" && !TRAITS_MAY_USE.contains(&other.as_str()) {
            findings.error(format!(
                "hozo-traits depends on {other}; it may use {} only",
                TRAITS_MAY_USE.join(", ")
            ));
        }
    }
}

fn check_engines(graph: &Graph, findings: &mut Findings) {
    for engine in ENGINES {
        let users: Vec<&str> = graph
            .packages
            .iter()
            .filter(|p| p.name != FIELD && p.dependencies.iter().any(|d| d.name == engine))
            .map(|p| p.name.as_str())
            .collect();
        if users.len() > 1 {
            findings.error(format!(
                "the engine {engine} is named by {}; exactly one crate may",
                users.join(" and ")
            ));
        }
    }
}
