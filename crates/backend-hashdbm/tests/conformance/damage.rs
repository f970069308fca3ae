//! Damaged stores: a clear error, or everything that was durable; never a wrong
//! answer, never less without a word. What a check finds, and what a repair
//! leaves.

use std::fs;
use std::path::Path;

use hozo_backend_hashdbm::{Config, Findings, repair};
use hozo_conformance::libtest_mimic::{Failed, Trial};
use hozo_traits::{ErrorKind, SystemAmbient};

use super::kit::{DBM, Missing, Sample, check, edit, open, open_all, small};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 10] = [
        ("what_is_whole_is_found_whole", what_is_whole_is_found_whole),
        ("a_long_used_store_is_found_whole", a_long_used_store_is_found_whole),
        ("a_changed_byte_anywhere", a_changed_byte_anywhere),
        ("a_changed_byte_after_a_crash", a_changed_byte_after_a_crash),
        ("a_removal_that_is_lost_stays_removed", a_removal_that_is_lost_stays_removed),
        ("damage_without_an_index", damage_without_an_index),
        ("a_file_that_is_short_or_missing", a_file_that_is_short_or_missing),
        ("files_in_each_others_place", files_in_each_others_place),
        ("a_wide_stretch", a_wide_stretch),
        ("findings_that_are_old_are_refused", findings_that_are_old_are_refused),
    ];
    all.into_iter()
        .map(|(name, trial)| {
            Trial::test(format!("damage/{name}"), move || {
                trial();
                Ok::<(), Failed>(())
            })
        })
        .collect()
}

/// What came of damage.
struct Outcome {
    findings: Findings,
    /// What could not be read before the repair.
    before: Missing,
    /// And after it.
    after: Missing,
}

/// Reads all of a store that may not open.
fn look(sample: &Sample, config: &Config) -> Missing {
    let missing = match open(config) {
        Ok(store) => sample.history.missing(&store, false),
        Err(error) => Missing { errors: vec![error], ..Missing::default() },
    };
    for error in &missing.errors {
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Invalid), "{error}");
    }
    missing
}

/// Damages a copy of a store, checks it, reads it, repairs it and reads it
/// again.
fn damaged(sample: &Sample, what: &str, damage: impl Fn(&Path)) -> Outcome {
    let (read, checked) = (sample.copy(), sample.copy());
    damage(read.path());
    damage(checked.path());
    let before = look(sample, &small(read.path()));
    let config = small(checked.path());
    let findings = check(&config).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(check(&config).unwrap(), findings, "a check changes nothing");
    if findings.is_clean() {
        assert!(before.is_nothing(), "{what}: found clean, and {before:?}");
    }
    if let Err(error) = repair(&config, &findings, &SystemAmbient, &mut |_, _| ()) {
        panic!("{what}: {error}\n{findings:#?}");
    }
    let after = if findings.volumes.iter().any(|volume| volume.hopeless.is_some()) {
        Missing::default()
    } else {
        judge(sample, what, &config, &findings)
    };
    Outcome { findings, before, after }
}

/// Whether a repaired store has all but what was said to be lost.
fn judge(sample: &Sample, what: &str, config: &Config, findings: &Findings) -> Missing {
    let again = check(config).unwrap();
    assert!(again.is_clean(), "{what}: after the repair {again:#?}");
    let store = open_all(config).unwrap_or_else(|error| panic!("{what}: {error}"));
    // Whatever no index knows.
    let undone = findings.volumes.iter().any(|volume| {
        volume.loss.pages && (volume.loss.unknown_bytes > 0 || volume.loss.dropped > 0)
    });
    let after = sample.history.missing(&store, undone);
    for volume in &findings.volumes {
        let loss = &volume.loss;
        if loss.unknown_bytes > 0 || loss.dropped > 0 {
            continue;
        }
        if volume.volume == "pages" {
            let lost = after.pages.len() as u64;
            assert!(lost <= loss.keys, "{what}: {after:?}\n{findings:#?}");
            for (page, version) in after.pages.iter().filter(|_| loss.keys <= 20) {
                let name = format!("page {page} of namespace id 7 at version {version}");
                assert!(loss.names.contains(&name), "{what}: {name} is not among {:?}", loss.names);
            }
        } else {
            let lost = after.records.len() as u64;
            assert!(lost <= loss.keys, "{what}: {after:?}\n{findings:#?}");
            if loss.keys <= 20 && loss.names.len() as u64 == loss.keys {
                for key in &after.records {
                    let name = format!("\"{}\"", key.escape_ascii());
                    assert!(loss.names.contains(&name), "{what}: {name}: {findings:#?}");
                }
            }
        }
    }
    after
}

fn what_is_whole_is_found_whole() {
    for sample in [Sample::closed(), Sample::killed()] {
        let outcome = damaged(&sample, "nothing", |_| ());
        assert!(outcome.findings.is_clean(), "{:#?}", outcome.findings);
        assert!(outcome.before.is_nothing() && outcome.after.is_nothing());
    }
    let findings = check(&small(Sample::closed().dir.path())).unwrap();
    assert!(findings.volumes.iter().all(|volume| volume.keys.is_some()), "{findings:#?}");
    assert!(check(&small(Sample::cleared().dir.path())).unwrap().is_clean());
}

/// After cleaning, purges and clears.
fn a_long_used_store_is_found_whole() {
    let mut sample = Sample::closed();
    let config = small(sample.dir.path());
    for round in 0..4 {
        let store = open(&config).unwrap();
        sample.history.records(&store, 4000);
        sample.history.commits(&store, 60);
        sample.history.purge(&store, 40);
        if round == 1 {
            store.dbm(DBM).unwrap().rebuild().unwrap();
        }
        if round == 2 {
            sample.history.clear(&store);
            sample.history.records(&store, 500);
        }
        drop(store);
        let findings = check(&config).unwrap();
        assert!(findings.is_clean(), "round {round}: {findings:#?}");
        assert!(sample.history.missing(&open(&config).unwrap(), false).is_nothing());
    }
    // And damaged, like others.
    flip_everywhere(&sample, false, 2, |_| ());
}

/// So many places in each file, more in the small ones for their size.
fn places(length: u64, count: u64) -> impl Iterator<Item = usize> {
    let step = (length / count).max(1) | 1;
    (0..length).step_by(step as usize).map(|at| at as usize)
}

fn flip_everywhere(
    sample: &Sample,
    killed: bool,
    count: u64,
    and: impl Fn(&Path),
) -> (usize, usize) {
    let (mut noticed, mut tried) = (0, 0);
    for file in sample.files() {
        let mut length = fs::metadata(sample.dir.path().join(&file)).unwrap().len();
        if killed && file.extension().is_some_and(|extension| extension == "seg") {
            // What comes behind the last mark may have been torn.
            let bytes = fs::read(sample.dir.path().join(&file)).unwrap();
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            length = (end as u64).saturating_sub(12_000);
        }
        for at in places(length, count) {
            let what = format!("byte {at} of {}", file.display());
            let outcome = damaged(sample, &what, |dir| {
                if dir.join(&file).exists() {
                    edit(&dir.join(&file), |bytes| bytes[at] ^= 0x40);
                }
                and(dir);
            });
            let is_log = file.extension().is_some_and(|extension| extension == "seg");
            tried += usize::from(is_log);
            let clean = outcome.findings.is_clean();
            noticed += usize::from(is_log && !clean);
            if !is_log && !clean && !outcome.findings.loses() {
                assert!(outcome.after.is_nothing(), "{what}: {:?}", outcome.after);
            }
        }
    }
    (noticed, tried)
}

fn a_changed_byte_anywhere() {
    let (noticed, tried) = flip_everywhere(&Sample::closed(), false, 12, |_| ());
    // All but padding, and the last segments' empty ends.
    assert!(noticed * 10 > tried * 7, "{noticed} of {tried} noticed");
}

fn a_changed_byte_after_a_crash() {
    flip_everywhere(&Sample::killed(), true, 6, |_| ());
}

fn a_removal_that_is_lost_stays_removed() {
    let dir = tempfile::TempDir::with_prefix("hozo-removed-").unwrap();
    let config = small(dir.path());
    let store = open(&config).unwrap();
    let dbm = store.dbm(DBM).unwrap();
    for key in [&b"removed"[..], b"kept"] {
        dbm.set(key, b"value").unwrap();
    }
    dbm.remove(b"removed").unwrap();
    dbm.set(b"later", b"value").unwrap();
    drop((dbm, store));
    edit(&dir.path().join("records/words/0000000000000000.seg"), |bytes| {
        let last = bytes.windows(7).rposition(|bytes| bytes == b"removed").unwrap();
        bytes[last] ^= 1;
    });
    let findings = check(&config).unwrap();
    assert!(!findings.is_clean() && !findings.loses(), "{findings:#?}");
    assert_eq!(findings.volumes[0].loss.removed_again, 1);
    repair(&config, &findings, &SystemAmbient, &mut |_, _| ()).unwrap();
    let dbm = open(&config).unwrap().dbm(DBM).unwrap();
    assert_eq!(dbm.get(b"removed", <[u8]>::to_vec).unwrap(), None);
    assert_eq!(dbm.get(b"kept", <[u8]>::to_vec).unwrap(), Some(b"value".to_vec()));
    assert_eq!(dbm.count(), 2);
}

fn damage_without_an_index() {
    let gone = |dir: &Path| {
        for roots in ["pages/roots", "records/words/roots"] {
            let _ = fs::remove_file(dir.join(roots));
        }
    };
    flip_everywhere(&Sample::closed(), false, 5, gone);
}

fn a_file_that_is_short_or_missing() {
    let sample = Sample::closed();
    for file in sample.files() {
        let name = file.display().to_string();
        damaged(&sample, &format!("without {name}"), |dir| {
            fs::remove_file(dir.join(&file)).unwrap();
        });
        let length = fs::metadata(sample.dir.path().join(&file)).unwrap().len();
        for keep in [0, 1, 63, 100, length / 2, length - 1] {
            damaged(&sample, &format!("{name} cut to {keep}"), |dir| {
                edit(&dir.join(&file), |bytes| bytes.truncate(keep as usize));
            });
        }
    }
}

fn files_in_each_others_place() {
    let sample = Sample::closed();
    let files = sample.files();
    let other = Sample::closed();
    for (i, file) in files.iter().enumerate() {
        // With the next one of the same kind...
        let same = |other: &&std::path::PathBuf| other.extension() == file.extension();
        if let Some(next) = files[i + 1..].iter().find(same) {
            damaged(&sample, &format!("{} and {}", file.display(), next.display()), |dir| {
                let between = dir.join("between");
                fs::rename(dir.join(file), &between).unwrap();
                fs::rename(dir.join(next), dir.join(file)).unwrap();
                fs::rename(&between, dir.join(next)).unwrap();
            });
        }
        // ...and one from another store.
        if other.dir.path().join(file).exists() {
            damaged(&sample, &format!("{} of another store", file.display()), |dir| {
                fs::copy(other.dir.path().join(file), dir.join(file)).unwrap();
            });
        }
    }
}

fn a_wide_stretch() {
    let sample = Sample::closed();
    for file in sample.files() {
        let length = fs::metadata(sample.dir.path().join(&file)).unwrap().len() as usize;
        for (from, bytes, with) in [(500, 9000, 0), (20_000, 4096, 0xff), (64, 60_000, 0x55)] {
            let what = format!("{bytes} bytes {with:#x} at {from} of {}", file.display());
            let outcome = damaged(&sample, &what, |dir| {
                edit(&dir.join(&file), |content| {
                    let to = (from + bytes).min(length);
                    content[from.min(length)..to].fill(with);
                });
            });
            if file.starts_with("pages") && outcome.findings.loses() {
                // An image that is lost is an error, and nothing else is.
                let loss = outcome.findings.volumes[0].loss.keys;
                assert!(outcome.after.pages.len() as u64 <= loss, "{what}");
            }
        }
    }
}

fn findings_that_are_old_are_refused() {
    let sample = Sample::closed();
    let dir = sample.copy();
    let config = small(dir.path());
    let roots = dir.path().join("pages/roots");
    edit(&roots, |bytes| bytes[30] ^= 1);
    let findings = check(&config).unwrap();
    assert!(!findings.is_clean() && !findings.loses());
    edit(&roots, |bytes| bytes[30] ^= 1);
    let error = repair(&config, &findings, &SystemAmbient, &mut |_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}
