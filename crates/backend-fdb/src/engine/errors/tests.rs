//! The maps of errors, as far as they ask no library.

use super::*;

#[test]
fn no_error_is_not_found_or_a_conflict() {
    // A build without a library has predicates that always say no.
    for code in (0..=7000).chain([i32::MAX, i32::MIN, -1]) {
        let error = ended(FdbError::from_code(code));
        assert!(!matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict), "{error}");
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
}

#[test]
fn kinds_say_what_to_do() {
    let kinds = [
        (1031, ErrorKind::TimedOut),
        (1038, ErrorKind::Busy),
        (1020, ErrorKind::Busy),
        (1515, ErrorKind::Invalid),
        (2101, ErrorKind::TooLarge),
        (2102, ErrorKind::TooLarge),
        (2103, ErrorKind::TooLarge),
        (2104, ErrorKind::Invalid),
        (2203, ErrorKind::Unsupported),
        (2017, ErrorKind::Internal),
        (4100, ErrorKind::Unavailable),
        (6000, ErrorKind::Denied),
    ];
    for (code, kind) in kinds {
        assert_eq!(ended(FdbError::from_code(code)).kind(), kind, "{code}");
    }
}

#[test]
fn a_commit_is_in_doubt_unless_something_says_that_it_is_not() {
    for code in [1021, 1031, 1025, 1101, 1500, 4100, 1039, 1999, 2300] {
        assert_eq!(fate(FdbError::from_code(code)), Fate::InDoubt, "{code}");
    }
    for code in [2000, 2101, 2102, 2017] {
        assert_eq!(fate(FdbError::from_code(code)), Fate::Refused, "{code}");
    }
    let doubt = in_doubt(ended(FdbError::from_code(1031)));
    assert_eq!(doubt.kind(), ErrorKind::TimedOut);
    assert!(doubt.to_string().contains("may have been"), "{doubt}");
}
