//! Damaged stores: never a panic, never a wrong page. sled does not notice all
//! damage, so durable commits may be gone without a word; see the crate's docs.

use std::fs;
use std::path::Path;

use hozo_backend_sled::Config;
use hozo_conformance::Rng;
use hozo_conformance::libtest_mimic::{Failed, Trial};
use hozo_traits::{Error, ErrorKind};

use super::kit::{Left, Sample, edit, open, refused, small_cache};

pub(crate) fn trials() -> Vec<Trial> {
    let all: [(&str, fn()); 5] = [
        ("an_undamaged_copy_is_whole", an_undamaged_copy_is_whole),
        ("a_changed_byte_in_the_log", a_changed_byte_in_the_log),
        ("a_short_log", a_short_log),
        ("a_missing_log", a_missing_log),
        ("a_changed_byte_in_small_files", a_changed_byte_in_small_files),
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
    /// It opened, and something durable is not there.
    Less,
    Refused(Error),
    /// It opened, and reading found the damage.
    Unreadable(Error),
}

/// Damages a copy of the store and looks at what is left.
fn damaged(sample: &Sample, damage: impl FnOnce(&Path)) -> Outcome {
    let dir = sample.copy();
    damage(dir.path());
    match open(&small_cache(dir.path())) {
        Err(error) => Outcome::Refused(error),
        Ok(store) => match sample.history.left(&store) {
            Ok(Left::All) => Outcome::Whole,
            Ok(Left::Less) => Outcome::Less,
            Err(error) => Outcome::Unreadable(error),
        },
    }
}

fn an_undamaged_copy_is_whole() {
    let outcome = damaged(&Sample::closed(), |_| ());
    assert!(matches!(outcome, Outcome::Whole), "{outcome:?}");
}

/// How often each outcome came.
#[derive(Default, Debug)]
struct Tally {
    whole: usize,
    less: usize,
    refused: usize,
    unreadable: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome, what: &str) {
        match outcome {
            Outcome::Whole => self.whole += 1,
            Outcome::Less => self.less += 1,
            Outcome::Refused(error) => {
                self.refused += 1;
                assert_is_damage(error, what);
            }
            Outcome::Unreadable(error) => {
                self.unreadable += 1;
                assert_is_damage(error, what);
            }
        }
    }
}

fn assert_is_damage(error: &Error, what: &str) {
    let damage = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
    assert!(damage, "{what}: {error}");
}

fn a_changed_byte_in_the_log() {
    let sample = Sample::closed();
    let length = fs::metadata(sample.dir.path().join("db")).unwrap().len();
    let seed = hozo_conformance::seed();
    eprintln!("{}={seed}", hozo_conformance::SEED_VARIABLE);
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    for _ in 0..60 {
        let at = rng.below(usize::try_from(length).unwrap());
        let outcome = damaged(&sample, |dir| edit(&dir.join("db"), |b| b[at] ^= 0x40));
        tally.count(&outcome, &format!("byte {at}"));
    }
    eprintln!("a byte of {length} changed: {tally:?}");
}

fn a_short_log() {
    let sample = Sample::closed();
    let length = usize::try_from(fs::metadata(sample.dir.path().join("db")).unwrap().len());
    let length = length.unwrap();
    let mut tally = Tally::default();
    for keep in (1..length).step_by(length / 30) {
        let outcome = damaged(&sample, |dir| edit(&dir.join("db"), |b| b.truncate(keep)));
        tally.count(&outcome, &format!("cut to {keep}"));
    }
    eprintln!("cut short, of {length}: {tally:?}");
}

fn a_missing_log() {
    let sample = Sample::closed();
    for damage in [(|log| fs::remove_file(log).unwrap()) as fn(&Path), |log| {
        fs::write(log, "").unwrap();
    }] {
        let dir = sample.copy();
        damage(&dir.path().join("db"));
        let error = refused(&Config::new(dir.path()));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        // Put back, the store is whole.
        fs::copy(sample.dir.path().join("db"), dir.path().join("db")).unwrap();
        sample.history.check(&open(&Config::new(dir.path())).unwrap()).unwrap();
    }
}

fn a_changed_byte_in_small_files() {
    let sample = Sample::closed();
    let snapshot = sample.files("snap.").pop().expect("sled has an index");
    for file in [snapshot.as_str(), "conf", "HOZO"] {
        let length = usize::try_from(fs::metadata(sample.dir.path().join(file)).unwrap().len());
        let length = length.unwrap();
        let mut tally = Tally::default();
        for at in (0..length).step_by(length / 20 + 1) {
            let outcome = damaged(&sample, |dir| edit(&dir.join(file), |b| b[at] ^= 0x04));
            if !matches!(&outcome, Outcome::Refused(e) if e.kind() == ErrorKind::Invalid) {
                tally.count(&outcome, &format!("{file} byte {at}"));
            }
        }
        eprintln!("{file}, a byte of {length} changed: {tally:?}");
    }
}
