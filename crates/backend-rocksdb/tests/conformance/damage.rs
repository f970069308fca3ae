//! Damaged stores: a clear error, or everything that was durable; never a
//! panic, never less without a word.

use std::fs;

use hozo_backend_rocksdb::Config;
use hozo_conformance::libtest_mimic::{Failed, Trial};
use hozo_traits::{Error, ErrorKind};

use super::kit::{Sample, edit, open, refused};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 11] = [
        ("an_undamaged_copy_is_whole", an_undamaged_copy_is_whole),
        ("a_changed_byte_in_a_table", a_changed_byte_in_a_table),
        ("a_short_or_missing_table", a_short_or_missing_table),
        ("a_short_or_missing_manifest", a_short_or_missing_manifest),
        ("a_changed_byte_in_the_manifest", a_changed_byte_in_the_manifest),
        ("no_current_file", no_current_file),
        ("a_wrong_current_file", a_wrong_current_file),
        ("a_changed_byte_in_the_log", a_changed_byte_in_the_log),
        ("a_torn_end_of_the_log", a_torn_end_of_the_log),
        ("a_missing_log", a_missing_log),
        ("our_own_files", our_own_files),
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

/// What became of a damaged copy.
#[derive(Debug)]
enum Outcome {
    Whole,
    Refused(Error),
    /// It opened, and reading found the damage.
    Unreadable(Error),
}

/// Damages a copy of the store and looks at what is left.
fn damaged(sample: &Sample, damage: impl FnOnce(&std::path::Path)) -> Outcome {
    let dir = sample.copy();
    damage(dir.path());
    let outcome = match open(&Config::new(dir.path())) {
        Err(error) => Outcome::Refused(error),
        Ok(store) => match sample.history.check(&store) {
            Ok(()) => Outcome::Whole,
            Err(error) => Outcome::Unreadable(error),
        },
    };
    if let Outcome::Refused(error) | Outcome::Unreadable(error) = &outcome {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    outcome
}

fn an_undamaged_copy_is_whole() {
    for sample in [Sample::closed(), Sample::killed()] {
        assert!(matches!(damaged(&sample, |_| ()), Outcome::Whole));
    }
}

fn a_changed_byte_in_a_table() {
    let sample = Sample::closed();
    let (mut noticed, mut tried) = (0, 0);
    for table in largest_tables(&sample).into_iter().take(1) {
        let length = fs::metadata(sample.dir.path().join(&table)).unwrap().len();
        for at in (0..length).step_by(usize::try_from(length / 25 + 1).unwrap()) {
            let outcome = damaged(&sample, |dir| {
                edit(&dir.join(&table), |b| b[usize::try_from(at).unwrap()] ^= 0x40);
            });
            tried += 1;
            noticed += usize::from(!matches!(outcome, Outcome::Whole));
        }
    }
    // Nearly all of it is pages, which are read; a few bytes of a
    // table matter to nobody.
    assert!(noticed * 10 > tried * 8, "{noticed} of {tried} noticed");
}

/// The tables in which most of the data is.
fn largest_tables(sample: &Sample) -> Vec<String> {
    let length = |table: &String| fs::metadata(sample.dir.path().join(table)).unwrap().len();
    let mut tables = sample.files(".sst");
    tables.sort_by_key(|table| std::cmp::Reverse(length(table)));
    tables.truncate(6);
    tables
}

fn a_short_or_missing_table() {
    let sample = Sample::closed();
    for table in largest_tables(&sample) {
        for keep in [0, 100] {
            let outcome = damaged(&sample, |dir| edit(&dir.join(&table), |b| b.truncate(keep)));
            assert!(matches!(outcome, Outcome::Refused(_)), "{table} cut to {keep}: {outcome:?}");
        }
        let outcome = damaged(&sample, |dir| edit(&dir.join(&table), |b| b.truncate(b.len() - 1)));
        assert!(matches!(outcome, Outcome::Refused(_)), "{table} less a byte: {outcome:?}");
        let outcome = damaged(&sample, |dir| fs::remove_file(dir.join(&table)).unwrap());
        assert!(matches!(outcome, Outcome::Refused(_)), "{table} is missing: {outcome:?}");
    }
}

fn a_short_or_missing_manifest() {
    let sample = Sample::closed();
    let manifest = sample.files("MANIFEST-").pop().unwrap();
    let length = usize::try_from(fs::metadata(sample.dir.path().join(&manifest)).unwrap().len());
    for keep in (0..length.unwrap()).step_by(length.unwrap() / 40 + 1) {
        let outcome = damaged(&sample, |dir| edit(&dir.join(&manifest), |b| b.truncate(keep)));
        assert!(matches!(outcome, Outcome::Refused(_)), "cut to {keep}: {outcome:?}");
    }
    // An end that was never finished is no damage.
    for unfinished in [&b"\0\0\0\0\x64\0\x01half a record"[..], b"\x11\x12\x13"] {
        let outcome = damaged(&sample, |dir| edit(&dir.join(&manifest), |b| b.extend(unfinished)));
        assert!(matches!(outcome, Outcome::Whole), "{outcome:?}");
    }
    let outcome = damaged(&sample, |dir| fs::remove_file(dir.join(&manifest)).unwrap());
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
}

fn a_changed_byte_in_the_manifest() {
    let sample = Sample::closed();
    let manifest = sample.files("MANIFEST-").pop().unwrap();
    let length = usize::try_from(fs::metadata(sample.dir.path().join(&manifest)).unwrap().len());
    for at in (0..length.unwrap()).step_by(length.unwrap() / 40 + 1) {
        let outcome = damaged(&sample, |dir| edit(&dir.join(&manifest), |b| b[at] ^= 0x04));
        assert!(matches!(outcome, Outcome::Refused(_)), "byte {at}: {outcome:?}");
    }
}

fn no_current_file() {
    let sample = Sample::closed();
    let dir = sample.copy();
    fs::remove_file(dir.path().join("CURRENT")).unwrap();
    let before = names(dir.path());
    let error = refused(&Config::new(dir.path()));
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("CURRENT"), "{error}");
    assert_eq!(names(dir.path()), before, "nothing was changed");
    // Not even without the seal it is taken for a new store.
    fs::remove_file(dir.path().join("SEAL")).unwrap();
    assert_eq!(refused(&Config::new(dir.path())).kind(), ErrorKind::Corrupt);
    // Put back, the store is whole.
    let current = "CURRENT";
    fs::copy(sample.dir.path().join(current), dir.path().join(current)).unwrap();
    sample.history.check(&open(&Config::new(dir.path())).unwrap()).unwrap();
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn a_wrong_current_file() {
    let sample = Sample::closed();
    for text in ["", "\n", "MANIFEST-999999\n", "nonsense", "MANIFEST-", "../x\n"] {
        let outcome = damaged(&sample, |dir| fs::write(dir.join("CURRENT"), text).unwrap());
        assert!(matches!(outcome, Outcome::Refused(_)), "{text:?}: {outcome:?}");
    }
}

fn a_changed_byte_in_the_log() {
    // After a clean close the seal covers the whole log.
    let sample = Sample::closed();
    for log in sample.files(".log") {
        let length = usize::try_from(fs::metadata(sample.dir.path().join(&log)).unwrap().len());
        for at in (0..length.unwrap()).step_by(997) {
            let outcome = damaged(&sample, |dir| edit(&dir.join(&log), |b| b[at] ^= 1));
            assert!(matches!(outcome, Outcome::Refused(_)), "{log} byte {at}: {outcome:?}");
        }
    }
    // After a crash the marks cover all but the last commit; what the file has
    // behind that was never a commit.
    let sample = Sample::killed();
    let log = sample.files(".log").pop().unwrap();
    let path = sample.dir.path().join(&log);
    let bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|b| *b != 0).unwrap();
    let last_commit = end - 5000;
    for at in (0..last_commit).step_by(4999) {
        let outcome = damaged(&sample, |dir| edit(&dir.join(&log), |b| b[at] ^= 1));
        assert!(matches!(outcome, Outcome::Refused(_)), "byte {at}: {outcome:?}");
    }
    // Refusing changes nothing: with the byte put right, all is there.
    let dir = sample.copy();
    edit(&dir.path().join(&log), |b| b[3000] ^= 1);
    refused(&Config::new(dir.path()));
    edit(&dir.path().join(&log), |b| b[3000] ^= 1);
    sample.history.check(&open(&Config::new(dir.path())).unwrap()).unwrap();
}

fn a_torn_end_of_the_log() {
    let mut sample = Sample::killed();
    let log = sample.files(".log").pop().unwrap();
    let end = fs::read(sample.dir.path().join(&log)).unwrap();
    // The last commit may end with zeros itself, but not with so many.
    let end = end.iter().rposition(|b| *b != 0).unwrap() + 16;
    // Half a commit behind the last, as a process leaves that dies writing it.
    for garbage in [1, 6, 7, 100, 5000] {
        let outcome = damaged(&sample, |dir| {
            edit(&dir.join(&log), |b| {
                b.truncate(end);
                b.extend(vec![0x77; garbage]);
            });
        });
        assert!(matches!(outcome, Outcome::Whole), "{garbage} bytes: {outcome:?}");
    }
    // And the store goes on from there.
    let dir = sample.copy();
    edit(&dir.path().join(&log), |b| b.extend([0x77; 50]));
    for _ in 0..12 {
        let store = open(&Config::new(dir.path())).unwrap();
        sample.history.check(&store).unwrap();
        sample.history.commits(&store, 2);
    }
    sample.history.check(&open(&Config::new(dir.path())).unwrap()).unwrap();
}

fn a_missing_log() {
    for sample in [Sample::closed(), Sample::killed()] {
        let log = sample.files(".log").pop().unwrap();
        let outcome = damaged(&sample, |dir| fs::remove_file(dir.join(&log)).unwrap());
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    // One that is empty has no flaw, but the seal knows of more.
    let sample = Sample::closed();
    let log = sample.files(".log").pop().unwrap();
    let outcome = damaged(&sample, |dir| fs::write(dir.join(&log), "").unwrap());
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
}

fn our_own_files() {
    let sample = Sample::closed();
    for (file, text) in [
        ("HOZO", ""),
        ("HOZO", "hozo store\n"),
        ("HOZO", "hozo store\nbackend rocksdb\nformat 0\n"),
        ("HOZO", "hozo store\nbackend rocksdb\nformat one\n"),
        ("HOZO", "\0\u{fffd}"),
        ("SEAL", ""),
        ("SEAL", "sequence 1\nmanifest MANIFEST-000001 1\ncheck 00000000\n"),
        ("SEAL", "check "),
    ] {
        let outcome = damaged(&sample, |dir| fs::write(dir.join(file), text).unwrap());
        assert!(matches!(outcome, Outcome::Refused(_)), "{file} {text:?}: {outcome:?}");
    }
    let outcome = damaged(&sample, |dir| fs::write(dir.join("SEAL"), vec![b'x'; 9999]).unwrap());
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    // What only helps is not needed.
    for file in ["SEAL", "IDENTITY", "LOCK", "LOG"] {
        let outcome = damaged(&sample, |dir| fs::remove_file(dir.join(file)).unwrap());
        assert!(matches!(outcome, Outcome::Whole), "{file}: {outcome:?}");
    }
}
