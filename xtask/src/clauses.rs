//! Every numbered clause of a contract has a test that carries its number.

use crate::Findings;
use crate::sources::Sources;

/// Where the clauses of the storage contract stand, and where their trials do.
const CONTRACT: &str = "crates/traits/src/page_store.rs";
const TRIALS: &str = "crates/conformance/src/";

/// The table of clauses and tests for people.
const SEMANTICS: &str = "docs/semantics.md";

pub(crate) fn check(sources: &Sources, findings: &mut Findings) {
    let clauses = defined(sources.get(CONTRACT).unwrap_or(""));
    if clauses.is_empty() {
        findings.error(format!("{CONTRACT} defines no clauses"));
    }
    for (at, clause) in clauses.iter().enumerate() {
        let expected = format!("PG-{}", at + 1);
        if *clause != expected {
            findings.error(format!("{CONTRACT}: {clause} stands where {expected} should"));
            break;
        }
    }
    for clause in &clauses {
        if !has_trial(sources, clause) {
            findings.error(format!("{clause} has no trial in {TRIALS}"));
        }
    }
    check_semantics(sources, &clauses, findings);
}

/// Clauses as the contract writes them: `- **PG-7** ...`.
fn defined(contract: &str) -> Vec<String> {
    contract
        .lines()
        .filter_map(|line| line.trim_start_matches("///").trim().strip_prefix("- **"))
        .filter_map(|rest| rest.split_once("**"))
        .map(|(clause, _)| clause.to_owned())
        .filter(|clause| is_clause(clause))
        .collect()
}

fn is_clause(word: &str) -> bool {
    word.split_once('-').is_some_and(|(letters, number)| {
        letters.len() >= 2
            && letters.bytes().all(|b| b.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// A trial is named by a string that begins with the clause.
fn has_trial(sources: &Sources, clause: &str) -> bool {
    sources.below(TRIALS, ".rs").any(|source| {
        source.text.match_indices(&format!("\"{clause}")).any(|(at, found)| {
            !source.text[at + found.len()..].starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// Each row of docs/semantics.md is `| clause | what it says | tests |`. Its
/// tests, in backquotes, exist; every clause of the contract has a row.
fn check_semantics(sources: &Sources, clauses: &[String], findings: &mut Findings) {
    let Some(text) = sources.get(SEMANTICS) else {
        findings.error(format!("{SEMANTICS} is missing"));
        return;
    };
    let mut seen: Vec<&str> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{SEMANTICS}:{}", number + 1);
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, clause, _, tests, _] = cells.as_slice() else { continue };
        if !is_clause(clause) {
            continue;
        }
        if seen.contains(clause) {
            findings.error(format!("{place}: {clause} has two rows"));
        }
        seen.push(clause);
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.error(format!("{place}: {clause} names no test"));
        }
        for name in names {
            if !test_exists(sources, name) {
                findings
                    .error(format!("{place}: {clause} names the test {name}, which is nowhere"));
            }
        }
    }
    for clause in clauses {
        if !seen.contains(&clause.as_str()) {
            findings.error(format!("{SEMANTICS} has no row for {clause}"));
        }
    }
}

/// A test is a function of that name, or a trial whose name is, or begins with,
/// that string. A path's last segment is what counts.
fn test_exists(sources: &Sources, name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or(name);
    let function = format!("fn {last}(");
    let trial = format!("\"{last}");
    let files = sources.files.iter().filter(|s| s.path.ends_with(".rs"));
    files.filter(|s| !s.path.starts_with("xtask/")).any(|source| {
        source.text.contains(&function)
            || source.text.match_indices(&trial).any(|(at, found)| {
                !source.text[at + found.len()..].starts_with(|c: char| c.is_ascii_digit())
            })
    })
}
