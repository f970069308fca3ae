use std::collections::HashSet;

use super::*;

#[test]
fn every_status_has_a_kind() {
    for code in StatusCode::ALL {
        let checked = check(Some(code.with("why")));
        let Some((kind, retry)) = kind_of_status(code) else {
            assert_eq!(code, StatusCode::Success);
            checked.expect("success is no error");
            continue;
        };
        let error = checked.expect_err("it is no success");
        assert_eq!((error.kind(), error.retry(), error.message()), (kind, retry, "why"));
        assert_eq!(error.context(), [("status", code.name().to_owned())]);
        let error = check(Some(code.with(""))).expect_err("it is no success");
        assert_eq!(error.message(), code.name());
    }
    check(None).expect("none is success");
}

#[test]
fn kinds_are_those_that_were_meant() {
    let kinds = [
        (StatusCode::UnknownError, ErrorKind::Internal),
        (StatusCode::SystemError, ErrorKind::Unavailable),
        (StatusCode::NotImplementedError, ErrorKind::Unsupported),
        (StatusCode::PreconditionError, ErrorKind::Unavailable),
        (StatusCode::InvalidArgumentError, ErrorKind::Invalid),
        (StatusCode::CanceledError, ErrorKind::TimedOut),
        (StatusCode::NotFoundError, ErrorKind::NotFound),
        (StatusCode::PermissionError, ErrorKind::Denied),
        (StatusCode::InfeasibleError, ErrorKind::Conflict),
        (StatusCode::DuplicationError, ErrorKind::Exists),
        (StatusCode::BrokenDataError, ErrorKind::Corrupt),
        (StatusCode::NetworkError, ErrorKind::Unavailable),
        (StatusCode::ApplicationError, ErrorKind::Internal),
    ];
    for (code, kind) in kinds {
        assert_eq!(check(Some(code.with("why"))).expect_err("an error").kind(), kind, "{code}");
    }
    let large = StatusCode::InvalidArgumentError.with("too large: the value");
    assert_eq!(check(Some(large)).expect_err("an error").kind(), ErrorKind::TooLarge);
}

#[test]
fn a_status_that_there_is_not_is_an_error() {
    for code in [-1, 14, i32::MAX] {
        let status = StatusProto { code, message: String::new() };
        let error = check(Some(status)).expect_err("nobody knows it");
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }
}

#[test]
fn missing_and_existing_records_are_outcomes() {
    assert_eq!(outcome(None).expect("success"), Outcome::Done);
    for code in StatusCode::ALL {
        let outcome = outcome(Some(code.with("")));
        match code {
            StatusCode::Success => assert_eq!(outcome.expect("success"), Outcome::Done),
            StatusCode::NotFoundError => assert_eq!(outcome.expect("one"), Outcome::Missing),
            StatusCode::DuplicationError => assert_eq!(outcome.expect("one"), Outcome::Exists),
            _ => drop(outcome.expect_err("an error")),
        }
    }
}

const CODES: [Code; 17] = [
    Code::Ok,
    Code::Cancelled,
    Code::Unknown,
    Code::InvalidArgument,
    Code::DeadlineExceeded,
    Code::NotFound,
    Code::AlreadyExists,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::OutOfRange,
    Code::Unimplemented,
    Code::Internal,
    Code::Unavailable,
    Code::DataLoss,
    Code::Unauthenticated,
];

#[test]
fn every_grpc_code_has_a_kind() {
    let names: HashSet<&str> = CODES.into_iter().map(name_of_code).collect();
    assert_eq!(names.len(), CODES.len());
    for code in CODES {
        let (error, reached) = from_grpc(code, "why");
        assert_eq!((error.kind(), error.retry()), kind_of_code(code), "{code:?}");
        assert_eq!(error.message(), "why");
        assert_eq!(error.context(), [("grpc", name_of_code(code).to_owned())]);
        let again = code == Code::Unavailable;
        assert_eq!(reached, if again { Reached::Unavailable } else { Reached::Answered });
        let (error, _) = from_grpc(code, "");
        assert_eq!(error.message(), name_of_code(code));
    }
    let kinds = [
        (Code::Unauthenticated, ErrorKind::Unauthenticated),
        (Code::PermissionDenied, ErrorKind::Denied),
        (Code::InvalidArgument, ErrorKind::Invalid),
        (Code::DeadlineExceeded, ErrorKind::TimedOut),
        (Code::ResourceExhausted, ErrorKind::Busy),
        (Code::OutOfRange, ErrorKind::TooLarge),
        (Code::Unimplemented, ErrorKind::Unsupported),
        (Code::Unavailable, ErrorKind::Unavailable),
    ];
    for (code, kind) in kinds {
        assert_eq!(from_grpc(code, "why").0.kind(), kind, "{code:?}");
    }
}

#[test]
fn messages_that_are_too_large_are_no_rush() {
    let words = [
        "the answer is too large (message_bytes_max 10)",
        "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        "Received message larger than max (5 vs. 4)",
    ];
    for words in words {
        let (error, _) = from_grpc(Code::ResourceExhausted, words);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::TooLarge, Retry::Never), "{words}");
    }
}

#[test]
fn an_error_can_be_told_twice() {
    let error = Error::new(ErrorKind::Busy, "held")
        .retrying(Retry::Transaction)
        .with("server", 7)
        .caused_by("by another");
    let copy = again(&error);
    assert_eq!(copy.to_string(), error.to_string());
    assert_eq!((copy.kind(), copy.retry()), (error.kind(), error.retry()));
}
