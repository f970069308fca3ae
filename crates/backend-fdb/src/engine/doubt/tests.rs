//! Marks: none is taken for another's.

use std::sync::Arc;
use std::time::Duration;

use hozo_conformance::TestAmbient;

use super::*;

fn stored(mark: &Mark<'_>, version: Version) -> Vec<u8> {
    let (mut value, at) = mark.value();
    value[at..].copy_from_slice(version.as_bytes());
    value
}

#[test]
fn a_mark_is_told_from_every_other() {
    let marks = Marks::new(Arc::new(TestAmbient::new(1)));
    let version = Version::from_seq(7);
    let (one, two) = (marks.take().unwrap(), marks.take().unwrap());
    assert_ne!(one.place(), two.place());
    assert_eq!(one.read(&stored(&one, version)), Some(version));
    assert_eq!(two.read(&stored(&one, version)), None);
    let (place, left) = ((*one.place().0, one.place().1), stored(&one, version));
    drop(one);
    // The slot again, and not the mark.
    let again = marks.take().unwrap();
    assert_eq!((*again.place().0, again.place().1), place);
    assert_eq!(again.read(&left), None);
    for damaged in [&b""[..], b"short", &left[..17]] {
        assert_eq!(again.read(damaged), None);
    }
}

#[test]
fn slots_are_used_again_and_end() {
    let marks = Marks::new(Arc::new(TestAmbient::new(1)));
    let all: Vec<_> = (0..u16::MAX).map(|_| marks.take().unwrap()).collect();
    assert!(marks.take().is_err_and(|e| e.kind() == ErrorKind::Busy));
    drop(all);
    assert!(marks.take().is_ok());
}

#[test]
fn names_last_a_day_and_are_forgotten_long_after() {
    let ambient = Arc::new(TestAmbient::new(1));
    let marks = Marks::new(ambient.clone());
    let name = |marks: &Marks| *marks.take().unwrap().place().0;
    let first = name(&marks);
    ambient.advance(Duration::from_secs(23 * 60 * 60));
    assert_eq!(name(&marks), first);
    assert!(marks.forgotten_before() < first);
    ambient.advance(Duration::from_secs(2 * 60 * 60));
    let second = name(&marks);
    assert!(second > first);
    ambient.advance(Duration::from_secs(8 * 24 * 60 * 60 + 1));
    let oldest = marks.forgotten_before();
    assert!(oldest > first && oldest > second);
}
