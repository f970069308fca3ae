//! Every backend crate has the same shape, so that who knows one knows all.

use crate::Findings;
use crate::floors::is_backend;
use crate::graph::{Graph, Package};
use crate::sources::Sources;

/// The files of each backend crate.
const FILES: [&str; 4] = ["src/lib.rs", "src/config.rs", "src/engine.rs", "tests/conformance.rs"];

pub(crate) fn check(graph: &Graph, sources: &Sources, findings: &mut Findings) {
    for package in graph.packages.iter().filter(|p| is_backend(&p.name)) {
        check_files(package, sources, findings);
        check_engine_file(package, sources, findings);
        check_mentions(package, sources, findings);
    }
}

fn check_files(package: &Package, sources: &Sources, findings: &mut Findings) {
    for file in FILES {
        let path = format!("{}/{file}", package.dir);
        if sources.get(&path).is_none() {
            findings.error(format!("{path} is missing; every backend crate has it"));
        }
    }
    let config = sources.get(&format!("{}/src/config.rs", package.dir)).unwrap_or("");
    if !config.contains("deny_unknown_fields") {
        findings.error(format!("{}/src/config.rs lacks serde's deny_unknown_fields", package.dir));
    }
}

/// Only `engine.rs`, or modules below `engine/`, name the engine's crate.
fn check_engine_file(package: &Package, sources: &Sources, findings: &mut Findings) {
    let engine = package.name.trim_start_matches("hozo-backend-").replace('-', "_");
    let named = format!("{engine}::");
    let src = format!("{}/src/", package.dir);
    for source in sources.below(&src, ".rs") {
        let inside = &source.path[src.len()..];
        if inside == "engine.rs" || inside.starts_with("engine/") {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            if !line.trim_start().starts_with("//") && names(line, &named) {
                findings.error(format!(
                    "{}:{} names the engine ({named}); only engine.rs does",
                    source.path,
                    number + 1
                ));
            }
        }
    }
}

/// Whether `line` has `path` as a path's first segment: `hozo_backend_rocksdb::`
/// is not `rocksdb::`.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// A backend that nobody can find is not finished: a config that a test starts,
/// and a row in the README.
fn check_mentions(package: &Package, sources: &Sources, findings: &mut Findings) {
    let backend = package.name.trim_start_matches("hozo-backend-");
    let setting = format!("backend = \"{backend}\"");
    if !sources.below("configs/", ".toml").any(|source| source.text.contains(&setting)) {
        findings.error(format!("no file in configs/ has {setting}"));
    }
    let row = format!("`{backend}`");
    let readme = sources.get("README.md").unwrap_or("");
    if !readme.lines().any(|line| line.starts_with('|') && line.contains(&row)) {
        findings.error(format!("README.md has no table row with {row}"));
    }
}
