//! The facts for `hozo doctor`.

use serde_json::Value;

use crate::support::{Build, Place, Preloaded as _, built};

/// The facts that a run of a program reports.
fn facts(place: &Place, program: Build, args: &[&str]) -> Vec<Value> {
    let (config, report) = (place.path("hozo.toml"), place.path("report"));
    let variables = [("HOZO_CONFIG", config.as_path()), ("HOZO_DOCTOR_REPORT", report.as_path())];
    let ran = place.run_with(&variables, built(program), args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = std::fs::read_to_string(report).expect("a report");
    let facts: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(facts[0]["fact"], "loaded");
    assert_eq!(facts[0]["program"], built(program).to_str().expect("text"));
    assert_eq!(facts[0]["config"], config.to_str().expect("text"));
    assert_eq!(facts.last().expect("facts")["fact"], "ended");
    assert!(facts.iter().all(|fact| fact["pid"] == facts[0]["pid"]));
    facts
}

fn of<'a>(facts: &'a [Value], kind: &str) -> Vec<&'a Value> {
    facts.iter().filter(|fact| fact["fact"] == kind).collect()
}

#[test]
fn a_program_that_is_reached() {
    let place = Place::new();
    let facts = facts(
        &place,
        Build::System,
        &["version", "open", "app", "open", "./plain.db", "open", "app@never"],
    );
    let opens = of(&facts, "open");
    let outcomes: Vec<_> =
        opens.iter().map(|o| (o["name"].as_str(), o["outcome"].as_str())).collect();
    assert_eq!(
        outcomes,
        [
            (Some("app"), Some("ours")),
            (Some("./plain.db"), Some("plain")),
            (Some("app@never"), Some("refused"))
        ]
    );
    assert_eq!(opens[2]["code"], 14);
    assert!(opens[2]["why"].as_str().is_some_and(|why| !why.is_empty()));
    for open in opens {
        assert!(open["sqlite"].as_str().expect("text").contains("libsqlite3.so"), "{open}");
        assert!(open["sqlite_version"].as_str().expect("text").starts_with("3."), "{open}");
        assert_eq!(open["caller"], "the main program");
    }
    // Before anything was opened, and at the end.
    let copies = of(&facts, "sqlite");
    let reached: Vec<_> = copies.iter().map(|copy| (&copy["exports"], &copy["reached"])).collect();
    assert_eq!(
        reached,
        [(&Value::Bool(true), &Value::Bool(false)), (&Value::Bool(true), &Value::Bool(true))]
    );
}

#[test]
fn a_program_with_sqlite_inside() {
    for (build, exports) in [(Build::Static, false), (Build::Exported, true)] {
        let place = Place::new();
        let facts = facts(&place, build, &["open", "app"]);
        assert_eq!(of(&facts, "open").len(), 0, "{build:?}: {facts:?}");
        for copy in of(&facts, "sqlite") {
            assert_eq!(copy["object"], "the main program", "{copy}");
            assert_eq!(copy["reached"], false, "{copy}");
            assert_eq!(copy["exports"], exports, "{copy}");
        }
        assert_eq!(of(&facts, "sqlite").len(), 2);
    }
}

/// PHP frees its environment before it ends.
#[test]
fn a_program_that_clears_its_environment() {
    let place = Place::new();
    let facts = facts(&place, Build::System, &["open", "./plain.db", "clearenv"]);
    assert_eq!(of(&facts, "sqlite").len(), 2, "{facts:?}");
}

/// Opens of an attached database do not come through the library, but its VFS
/// is asked.
#[test]
fn what_the_vfs_is_asked_for() {
    let place = Place::new();
    let attach = [("app", "a"), ("app/none@-5m", "b")]
        .map(|(name, schema)| format!("ATTACH 'file:{name}?vfs=hozo' AS {schema}"));
    let facts =
        facts(&place, Build::System, &["open", ":memory:", "sql", &attach[0], "sql", &attach[1]]);
    let opens = of(&facts, "open");
    let outcomes: Vec<_> =
        opens.iter().map(|o| (o["name"].as_str(), o["outcome"].as_str())).collect();
    assert_eq!(
        outcomes,
        [
            (Some(":memory:"), Some("plain")),
            (Some("app"), Some("ours")),
            (Some("app/none@-5m"), Some("refused"))
        ]
    );
}

#[test]
fn a_plug_in_is_named() {
    let place = Place::new();
    let plugin = built(Build::BundledPlugin).display().to_string();
    let facts = facts(&place, Build::Host, &[&plugin, "open", "app"]);
    let opens = of(&facts, "open");
    assert_eq!(
        (&opens[0]["caller"], &opens[0]["sqlite"]),
        (&Value::from(&*plugin), &Value::from(&*plugin))
    );
}

#[test]
fn a_program_without_sqlite() {
    let place = Place::new();
    let report = place.path("report");
    let variables = [("HOZO_DOCTOR_REPORT", report.as_path())];
    place.run_with(&variables, "true", &[] as &[&str]).quiet();
    let text = std::fs::read_to_string(report).expect("a report");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains("\"sqlite\""), "{text}");
}
