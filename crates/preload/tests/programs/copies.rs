//! Programs with an SQLite of their own, or several.

use std::path::Path;

use crate::support::{Build, Place, Preloaded as _, built};

const USE: [&str; 8] = [
    "version",
    "open",
    "app",
    "sql",
    "CREATE TABLE IF NOT EXISTS t(x)",
    "sql",
    "SELECT 'rows', count(*), sqlite_version() FROM t",
    "close",
];

/// Runs a plug-in in a host, without the library and then with it.
fn versions(host: Build, plugin: Build) -> (String, String) {
    let place = Place::new();
    let plugin = built(plugin).display().to_string();
    let mut args = vec![plugin.as_str()];
    args.extend(USE);
    let without = place.run_bare(&[], built(host), &args).quiet().to_owned();
    assert!(place.is_database("app"));
    std::fs::remove_file(place.path("app")).expect("a file");
    let with = place.run(built(host), &args).quiet().to_owned();
    assert_eq!(place.files(), [""; 0], "it went to the store");
    (without, with)
}

/// As CPython loads `_sqlite3`: the global scope has no SQLite.
#[test]
fn a_plug_in_with_the_systems() {
    let (without, with) = versions(Build::Host, Build::SystemPlugin);
    assert_eq!(with, without);
}

#[test]
fn a_plug_in_with_its_own() {
    let (without, with) = versions(Build::Host, Build::BundledPlugin);
    assert_eq!(with, without);
    let (_, system) = versions(Build::Host, Build::SystemPlugin);
    assert_ne!(with, system, "the two copies should differ, or this shows nothing");
}

/// The linker binds the plug-in's calls to the host's copy, since the global
/// scope comes first. An open that went to the plug-in's own copy would give
/// one copy's connection to the other's functions.
#[test]
fn a_plug_in_whose_own_copy_is_not_used() {
    let (without, with) = versions(Build::SystemHost, Build::BundledPlugin);
    assert_eq!(with, without);
}

#[test]
fn a_tail_call_hides_the_caller() {
    let place = Place::new();
    let library = built(Build::TailLibrary);
    let args = [library.as_os_str(), "app".as_ref()];
    assert_eq!(place.run(built(Build::TailProgram), &args).quiet(), "open 0\n0\n");
    assert_eq!(place.files(), [""; 0]);
}

/// The copy that has our VFS stays loaded when its plug-in goes.
#[test]
fn a_plug_in_that_is_unloaded_and_loaded_again() {
    let place = Place::new();
    for plugin in [Build::SystemPlugin, Build::BundledPlugin] {
        let plugin = built(plugin).display().to_string();
        let mut args = vec![plugin.as_str(), "twice"];
        args.extend(USE);
        let said = place.run(built(Build::Host), &args).quiet().to_owned();
        let (first, second) = said.split_at(said.len() / 2);
        assert_eq!(first, second);
        assert!(first.contains("open 0\nrows|0|"), "{first}");
    }
    assert_eq!(place.files(), [""; 0]);
}

/// As PHP loads its extensions: calls go past this library. The VFS that the
/// constructor registered is there, under its name.
#[test]
fn deep_binding_with_the_vfs_registered_at_load() {
    let place = Place::new();
    let plugin = built(Build::SystemPlugin).display().to_string();
    let actions = ["vfs", "hozo", "open", "file:app?vfs=hozo", "sql", "CREATE TABLE t(x)"];
    let mut args = vec![plugin.as_str(), "deep"];
    args.extend(actions);
    let config = place.path("hozo.toml");
    let variables = [("HOZO_CONFIG", config.as_path()), ("HOZO_PRELOAD_REGISTER", Path::new("1"))];
    let ran = place.run_with(&variables, built(Build::Host), &args);
    assert_eq!(ran.quiet(), "vfs hozo yes\nopen 0\n");
    assert_eq!(place.files(), [""; 0]);
    // Without it, the plug-in's SQLite knows no such VFS.
    let said = place.run(built(Build::Host), &args).quiet().to_owned();
    assert!(said.starts_with("vfs hozo no\nopen 1 errcode 1: no such vfs: hozo"), "{said}");
}

#[test]
fn registering_in_a_program_that_exports_its_own() {
    let place = Place::new();
    let config = place.path("hozo.toml");
    let variables = [("HOZO_CONFIG", config.as_path()), ("HOZO_PRELOAD_REGISTER", Path::new("1"))];
    let actions = ["vfs", "hozo", "open", "file:app?vfs=hozo", "sql", "CREATE TABLE t(x)"];
    let ran = place.run_with(&variables, built(Build::Exported), &actions);
    assert_eq!(ran.quiet(), "vfs hozo yes\nopen 0\n");
}

#[test]
fn registering_in_a_library_that_is_not_there() {
    let place = Place::new();
    let config = place.path("hozo.toml");
    let variables =
        [("HOZO_CONFIG", config.as_path()), ("HOZO_PRELOAD_REGISTER", Path::new("libnone.so.0"))];
    let ran = place.run_with(&variables, built(Build::System), &["open", ":memory:"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "open 0\n"));
    assert!(ran.stderr.contains("HOZO_PRELOAD_REGISTER") && ran.stderr.contains("libnone.so.0"));
}

/// Nothing can be done for it, and nothing is done to it.
#[test]
fn a_program_that_cannot_be_reached() {
    for build in [Build::Static, Build::Exported] {
        let place = Place::new();
        let said = place.run(built(build), &USE).quiet().to_owned();
        assert!(said.contains("open 0\nrows|0|"), "{said}");
        assert!(place.is_database("app"), "{build:?}");
    }
}
