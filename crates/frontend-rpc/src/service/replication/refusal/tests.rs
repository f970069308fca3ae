use std::collections::HashSet;

use super::*;

#[test]
fn every_kind_has_a_code_and_says_which_kind_it_is() {
    let mut kinds = HashSet::new();
    for kind in ErrorKind::ALL {
        let error = Error::new(kind, "the plane slipped")
            .with("server", 2)
            .caused_by(std::io::Error::other("the bench shook"));
        let status = refusal(&error);
        assert!(!matches!(status.code(), Code::Ok | Code::Unknown | Code::Cancelled), "{kind:?}");
        assert_eq!(status.message(), "the plane slipped (server 2): the bench shook");
        let said = status.metadata().get(KIND).expect("a kind").to_str().expect("text");
        assert_eq!(said, kind.as_str());
        kinds.insert(said.to_owned());
    }
    assert_eq!(kinds.len(), ErrorKind::ALL.len());
}

#[test]
fn what_a_follower_does_something_else_at_has_a_code_of_its_own() {
    for (kind, expected) in [
        (ErrorKind::VersionGone, Code::OutOfRange),
        (ErrorKind::Conflict, Code::Aborted),
        (ErrorKind::ReadOnly, Code::FailedPrecondition),
    ] {
        assert_eq!(code(kind), expected);
        let others = ErrorKind::ALL.into_iter().filter(|other| code(*other) == expected);
        assert_eq!(others.collect::<Vec<_>>(), [kind]);
    }
}
