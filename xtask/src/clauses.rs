//! Every numbered clause of a contract has a test that carries its number.

use crate::Findings;
use crate::sources::Sources;

/// A contract: how its clauses begin, and where they stand.
struct Contract {
    letters: &'static str,
    file: &'static str,
}

/// That of pages, then that of records.
const CONTRACTS: [Contract; 2] = [
    Contract { letters: "PG", file: "crates/traits/src/page_store.rs" },
    Contract { letters: "KV", file: "crates/traits/src/kv_store.rs" },
];

/// Where the trials of the clauses are; those of records in a directory of their own.
const TRIALS: &str = "crates/conformance/src/";
const RECORDS: &str = "crates/conformance/src/records/";

/// The table of clauses and tests for people.
const SEMANTICS: &str = "docs/semantics.md";

pub(crate) fn check(sources: &Sources, findings: &mut Findings) {
    let mut clauses = Vec::new();
    for Contract { letters, file } in CONTRACTS {
        let defined = defined(sources.get(file).unwrap_or(""));
        if defined.is_empty() {
            findings.error(format!("{file} defines no clauses"));
        }
        for (at, clause) in defined.iter().enumerate() {
            let expected = format!("{letters}-{}", at + 1);
            if *clause != expected {
                findings.error(format!("{file}: {clause} stands where {expected} should"));
                break;
            }
        }
        clauses.extend(defined);
    }
    let trials = trials(sources);
    for clause in &clauses {
        if !trials.iter().any(|trial| trial.split('/').next() == Some(clause)) {
            findings.error(format!("{clause} has no trial in {TRIALS}"));
        }
    }
    for trial in &trials {
        let clause = trial.split('/').next().unwrap_or(trial);
        if !clauses.iter().any(|known| known == clause) {
            findings.error(format!("the trial {trial} is of a clause that no contract has"));
        }
    }
    check_semantics(sources, &clauses, &trials, findings);
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

/// The trials of the suite, each as it is called when it runs: the source has
/// `case!(10, names_the_newest)` for `PG-10/names_the_newest`, or `KV-10/...` where
/// the trials of records are.
fn trials(sources: &Sources) -> Vec<String> {
    let mut trials = Vec::new();
    for source in sources.below(TRIALS, ".rs") {
        let [pages, records] = CONTRACTS.map(|contract| contract.letters);
        let letters = if source.path.starts_with(RECORDS) { records } else { pages };
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let code = source.text.lines().filter(code).collect::<Vec<_>>().join("\n");
        for rest in code.split("case!(").skip(1) {
            let words: Vec<&str> = rest.split([',', ')']).take(2).map(str::trim).collect();
            let [clause, name] = words.as_slice() else { continue };
            let is_number = !clause.is_empty() && clause.bytes().all(|b| b.is_ascii_digit());
            if is_number && !name.starts_with('$') {
                trials.push(format!("{letters}-{clause}/{name}"));
            }
        }
    }
    trials
}

/// Each row of docs/semantics.md is `| clause | what it says | tests |`. Its
/// tests, in backquotes, exist; every clause of the contract has a row.
fn check_semantics(
    sources: &Sources,
    clauses: &[String],
    trials: &[String],
    findings: &mut Findings,
) {
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
            let exists = match name.split_once('/') {
                Some((first, _)) if is_clause(first) => trials.iter().any(|trial| trial == name),
                _ => test_exists(sources, name),
            };
            if !exists {
                findings
                    .error(format!("{place}: {clause} names the test {name}, which is nowhere"));
            }
        }
    }
    for trial in trials.iter().filter(|trial| !text.contains(&format!("`{trial}`"))) {
        findings.error(format!("{SEMANTICS} does not name the trial {trial}"));
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
