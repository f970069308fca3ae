//! What the facts that the preload library reports mean.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is to be said about a program.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Whether the library stands before the program's SQLite.
    pub(super) reached: bool,
    /// A word for programs; it stays the same.
    pub(super) kind: &'static str,
    /// A sentence for people.
    pub(super) found: String,
    /// Where the process has an SQLite.
    pub(super) copies: Vec<String>,
    /// What was opened, and as what.
    pub(super) opens: Vec<String>,
    /// What to do.
    pub(super) advice: Vec<String>,
}

/// Opens that are told one by one at most.
const OPENS_MAX: usize = 20;

const EXTENSION: &str = "load the extension libhozo_sqlite_ext.so in it, if it can load extensions";
const EXPORT: &str =
    "or give it a plain file: `hozo export` makes one, `hozo import` takes it back";

/// Judges in the order that the library's documentation gives.
pub(super) fn judge(facts: &[Value]) -> Verdict {
    let of = |kind: &'static str| facts.iter().filter(move |fact| fact["fact"] == kind);
    let with = |outcome: &'static str| of("open").filter(move |fact| fact["outcome"] == outcome);
    let verdict = |reached, kind, found: &str| Verdict {
        reached,
        kind,
        found: found.to_owned(),
        copies: copies(facts),
        opens: opens(facts),
        advice: Vec::new(),
    };
    if of("loaded").next().is_none() {
        let found = "the library was not loaded: the program is statically linked, or has more \
                     rights than you (setuid)";
        return verdict(false, "not-loaded", found).advise(EXPORT);
    }
    if with("ours").next().is_some() {
        return verdict(true, "works", "it opens namespaces; nothing else is needed");
    }
    if let Some(refused) = with("refused").next() {
        let why = refused["why"].as_str().unwrap_or("for a reason that it did not say");
        let mut verdict = verdict(true, "refused", "a namespace could not be opened");
        verdict.found = format!("a namespace could not be opened: {why}");
        return verdict;
    }
    if with("plain").next().is_some() {
        let found = "its SQLite is reached; what it opened is not the name of a namespace";
        return verdict(true, "plain", found)
            .advise("give it a namespace's name instead of a path; `hozo ns list` shows them");
    }
    let passed: Vec<&Value> = of("sqlite").filter(|fact| fact["reached"] == false).collect();
    if passed.is_empty() {
        return verdict(false, "no-sqlite", "it did not open a database with SQLite")
            .advise("run it so that it opens one, any will do");
    }
    if passed.iter().any(|fact| fact["exports"] == true) {
        let found = "it calls its SQLite past the library";
        return verdict(false, "past", found).advise(
            "set HOZO_PRELOAD_REGISTER=1, and name databases file:NAME?vfs=hozo in the program",
        );
    }
    verdict(false, "hidden", "its SQLite is linked into it, and its functions cannot be found")
        .advise(EXTENSION)
        .advise(EXPORT)
}

impl Verdict {
    fn advise(mut self, advice: &str) -> Self {
        self.advice.push(advice.to_owned());
        self
    }
}

fn copies(facts: &[Value]) -> Vec<String> {
    let objects = facts.iter().filter(|fact| fact["fact"] == "sqlite");
    let objects: BTreeSet<&str> = objects.filter_map(|fact| fact["object"].as_str()).collect();
    objects.into_iter().map(ToOwned::to_owned).collect()
}

fn opens(facts: &[Value]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for open in facts.iter().filter(|fact| fact["fact"] == "open") {
        let name = open["name"].as_str().unwrap_or("a database");
        let what = match open["outcome"].as_str() {
            Some("ours") => "a namespace",
            Some("refused") => "refused",
            _ => "a plain file",
        };
        let version = open["sqlite_version"].as_str().unwrap_or("?");
        let line = format!("{name}: {what} (SQLite {version})");
        if told.len() < OPENS_MAX && !told.contains(&line) {
            told.push(line);
        }
    }
    told
}

#[cfg(test)]
mod tests;
