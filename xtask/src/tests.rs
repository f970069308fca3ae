//! Each rule is shown to find what it is there to find.

use crate::count::Counts;
use crate::graph::{Dependency, Graph, Kind, Package};
use crate::sources::{Source, Sources};
use crate::{Findings, backends, clauses, floors};

fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
    let dir = format!("crates/{}", name.trim_start_matches("hozo-"));
    let dependencies = dependencies
        .iter()
        .map(|(name, kind)| Dependency { name: (*name).into(), kind: *kind })
        .collect();
    let is_default = !["hozo-backend-rocksdb", "hozo-tests"].contains(&name);
    Package { name: name.into(), dir, is_default, dependencies }
}

fn floors_of(packages: Vec<Package>) -> Vec<String> {
    let mut findings = Findings::default();
    floors::check(&Graph { packages }, &mut findings);
    findings.errors
}

/// The one finding, which must have all of `words`.
#[track_caller]
fn one(errors: &[String], words: &[&str]) {
    assert_eq!(errors.len(), 1, "{errors:?}");
    for word in words {
        assert!(errors[0].contains(word), "{word} not in: {}", errors[0]);
    }
}

#[test]
fn a_graph_that_points_down_passes() {
    let errors = floors_of(vec![
        package("hozo-traits", &[("bytes", Kind::Normal), ("proptest", Kind::Dev)]),
        package("hozo-ordered", &[("hozo-traits", Kind::Normal)]),
        package("hozo-conformance", &[("hozo-traits", Kind::Normal)]),
        package(
            "hozo-backend-rocksdb",
            &[
                ("hozo-ordered", Kind::Normal),
                ("rocksdb", Kind::Normal),
                ("hozo-conformance", Kind::Dev),
            ],
        ),
        package("hozo", &[("hozo-backend-rocksdb", Kind::Normal)]),
        package("hozo-cli", &[("hozo", Kind::Normal)]),
        package("hozo-benches", &[("hozo-backend-rocksdb", Kind::Normal)]),
    ]);
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn a_dependency_upwards_is_found() {
    let errors =
        floors_of(vec![package("hozo-ordered", &[("hozo", Kind::Normal)]), package("hozo", &[])]);
    one(&errors, &["hozo-ordered (floor 1)", "hozo (floor 3)"]);
}

#[test]
fn a_dependency_on_the_same_floor_is_found() {
    let errors = floors_of(vec![
        package("hozo-ordered", &[("hozo-pages", Kind::Build)]),
        package("hozo-pages", &[]),
    ]);
    one(&errors, &["hozo-ordered (floor 1)", "hozo-pages (floor 1)"]);
}

#[test]
fn only_the_facade_names_implementations() {
    let errors = floors_of(vec![
        package("hozo-cli", &[("hozo-backend-memory", Kind::Normal)]),
        package("hozo-backend-memory", &[]),
    ]);
    one(&errors, &["hozo-cli depends on hozo-backend-memory"]);
    let errors = floors_of(vec![
        package("hozo-preload", &[("hozo-frontend-vfs", Kind::Normal)]),
        package("hozo-frontend-vfs", &[]),
    ]);
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_suites_are_for_tests() {
    let errors = floors_of(vec![
        package("hozo-backend-memory", &[("hozo-conformance", Kind::Normal)]),
        package("hozo-conformance", &[]),
    ]);
    one(&errors, &["hozo-backend-memory", "dev-dependencies"]);
}

#[test]
fn the_contract_has_no_runtime() {
    for forbidden in ["tokio", "serde", "rocksdb"] {
        let errors = floors_of(vec![package("hozo-traits", &[(forbidden, Kind::Normal)])]);
        one(&errors, &["hozo-traits", forbidden]);
    }
}

#[test]
fn an_engine_has_one_crate() {
    let errors = floors_of(vec![
        package("hozo-backend-rocksdb", &[("rocksdb", Kind::Normal)]),
        package("hozo-benches", &[("rocksdb", Kind::Dev)]),
    ]);
    one(&errors, &["rocksdb", "hozo-backend-rocksdb and hozo-benches"]);
}

#[test]
fn who_measures_engines_may_name_them() {
    let engine = [("rocksdb", Kind::Normal)];
    let errors =
        floors_of(vec![package("hozo-backend-rocksdb", &engine), package("hozo-benches", &[])]);
    assert_eq!(errors, Vec::<String>::new());
    let mut field = package("hozo-field", &engine);
    field.is_default = false;
    assert_eq!(floors_of(vec![package("hozo-backend-rocksdb", &engine), field]), [""; 0]);
}

#[test]
fn a_crate_that_plain_cargo_leaves_out_is_found() {
    let mut forgotten = package("hozo-pages", &[]);
    forgotten.is_default = false;
    one(&floors_of(vec![forgotten]), &["hozo-pages", "crates/pages", "default-members"]);
    let mut heavy = package("hozo-backend-rocksdb", &[]);
    heavy.is_default = true;
    one(&floors_of(vec![heavy]), &["hozo-backend-rocksdb", "C compiler"]);
}

#[test]
fn a_new_crate_needs_a_floor() {
    one(&floors_of(vec![package("hozo-attic", &[])]), &["hozo-attic", "no floor"]);
}

fn sources(files: &[(&str, &str)]) -> Sources {
    let files =
        files.iter().map(|(path, text)| Source { path: (*path).into(), text: (*text).into() });
    Sources { files: files.collect() }
}

fn backend_errors(files: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Findings::default();
    let packages = vec![package("hozo-backend-sled", &[])];
    backends::check(&Graph { packages }, &sources(files), &mut findings);
    findings.errors
}

const BACKEND: [(&str, &str); 6] = [
    ("crates/backend-sled/src/lib.rs", "pub use engine::open; // not hozo_backend_sled::x"),
    ("crates/backend-sled/src/config.rs", "#[serde(deny_unknown_fields)]"),
    ("crates/backend-sled/src/engine.rs", "use sled::Db;"),
    ("crates/backend-sled/tests/conformance.rs", "use hozo_backend_sled::open;"),
    ("configs/sled.toml", "[store.main]\nbackend = \"sled\""),
    ("README.md", "| `sled` | works |"),
];

#[test]
fn a_whole_backend_passes() {
    assert_eq!(backend_errors(&BACKEND), Vec::<String>::new());
}

#[test]
fn each_part_of_a_backend_is_missed() {
    let words = ["lib.rs", "config.rs", "engine.rs", "conformance.rs", "configs/", "README.md"];
    for (left_out, word) in words.iter().enumerate() {
        let mut files = BACKEND.to_vec();
        files.remove(left_out);
        let errors = backend_errors(&files);
        assert!(errors.iter().any(|e| e.contains(word)), "without {word}: {errors:?}");
    }
}

#[test]
fn the_engine_is_named_in_one_file() {
    let mut files = BACKEND.to_vec();
    files[0].1 = "// sled:: in a comment\npub use sled::Db;";
    one(&backend_errors(&files), &["lib.rs:2", "sled::"]);
}

const CLAUSES: [(&str, &str); 5] = [
    ("crates/traits/src/page_store.rs", "/// - **PG-1** One.\n/// - **PG-2** Two."),
    (
        "crates/conformance/src/trials.rs",
        "[case!(1, one), case!(\n 2, two, Persistent)] case!($x, $y)",
    ),
    (
        "docs/semantics.md",
        "| PG-1 | One. | `PG-1/one` |\n| PG-2 | Two. | `PG-2/two`, `x::two` |\n\
         | KV-1 | A. | `KV-1/a` |",
    ),
    ("crates/traits/src/kv_store.rs", "/// - **KV-1** A."),
    ("crates/conformance/src/records/a.rs", "case!(1, a)"),
];

fn clause_errors(change: impl Fn(&mut Vec<(&str, &str)>)) -> Vec<String> {
    let mut files = CLAUSES.to_vec();
    files.push(("crates/x/tests/x.rs", "fn two() {}"));
    change(&mut files);
    let mut findings = Findings::default();
    clauses::check(&sources(&files), &mut findings);
    findings.errors
}

#[test]
fn clauses_with_tests_pass() {
    assert_eq!(clause_errors(|_| {}), Vec::<String>::new());
}

#[test]
fn a_clause_without_a_trial_is_found() {
    let errors = clause_errors(|files| files[1].1 = "[case!(1, one), case!(22, x)]");
    assert!(
        errors.iter().any(|e| e == "PG-2 has no trial in crates/conformance/src/"),
        "{errors:?}"
    );
}

#[test]
fn a_clause_without_a_row_is_found() {
    let errors = clause_errors(|files| {
        files[2].1 = "`PG-2/two`\n| PG-1 | One. | `PG-1/one` |\n| KV-1 | A. | `KV-1/a` |"
    });
    one(&errors, &["no row for PG-2"]);
}

#[test]
fn a_row_that_names_no_test_is_found() {
    let rows = "| PG-1 | One. | `PG-1/one` |\n| PG-2 | Two. | soon |\n| KV-1 | A. | `KV-1/a` |";
    let errors = clause_errors(|files| files[2].1 = rows);
    assert!(errors[0].contains("semantics.md:2: PG-2 names no test"), "{errors:?}");
    assert!(errors[1].contains("does not name the trial PG-2/two"), "{errors:?}");
}

#[test]
fn a_row_whose_test_is_gone_is_found() {
    one(&clause_errors(|files| files.truncate(CLAUSES.len())), &["x::two", "nowhere"]);
}

#[test]
fn the_trials_of_records_are_of_the_contract_of_records() {
    let errors = clause_errors(|files| files[4].0 = "crates/conformance/src/clauses/a.rs");
    assert!(errors.iter().any(|e| e.starts_with("KV-1 has no trial")), "{errors:?}");
    let errors = clause_errors(|files| files[3].1 = "/// - **KV-1** A.\n/// - **KV-2** B.");
    assert!(errors.iter().any(|e| e.starts_with("KV-2 has no trial")), "{errors:?}");
}

#[test]
fn a_row_whose_trial_is_gone_is_found() {
    let errors = clause_errors(|files| files[1].1 = "[case!(1, one), case!(2, other)]");
    assert!(errors.iter().any(|e| e.contains("PG-2/two, which is nowhere")), "{errors:?}");
}

#[test]
fn a_gap_in_the_numbers_is_found() {
    let errors = clause_errors(|files| files[0].1 = "/// - **PG-1** One.\n/// - **PG-3** Three.");
    assert!(errors.iter().any(|e| e.contains("PG-3 stands where PG-2 should")), "{errors:?}");
}

#[test]
fn counts_add_up() {
    let mut counts = Counts::default();
    counts.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out");
    counts.add("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
    counts.add("running 5 tests");
    assert_eq!(counts, Counts { passed: 7, failed: 2, ignored: 1 });
}

#[test]
fn metadata_is_read() {
    let text = r#"{"workspace_root": "/w", "workspace_default_members": ["h"],
        "packages": [{"name": "hozo", "id": "h", "manifest_path":
        "/w/crates/hozo/Cargo.toml", "dependencies": [{"name": "serde", "kind": null},
        {"name": "proptest", "kind": "dev"}, {"name": "cc", "kind": "build"}]}]}"#;
    let graph = Graph::parse(text).unwrap();
    let package = &graph.packages[0];
    assert_eq!((package.name.as_str(), package.dir.as_str()), ("hozo", "crates/hozo"));
    assert!(package.is_default);
    let kinds: Vec<Kind> = package.dependencies.iter().map(|d| d.kind).collect();
    assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
    assert!(Graph::parse("{}").is_err());
    assert!(Graph::parse(r#"{"workspace_root": "/w", "packages": []}"#).is_err());
}
