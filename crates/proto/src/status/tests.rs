use super::*;

/// The protocol's table, written down a second time.
const TABLE: [(i32, &str); 14] = [
    (0, "SUCCESS"),
    (1, "UNKNOWN_ERROR"),
    (2, "SYSTEM_ERROR"),
    (3, "NOT_IMPLEMENTED_ERROR"),
    (4, "PRECONDITION_ERROR"),
    (5, "INVALID_ARGUMENT_ERROR"),
    (6, "CANCELED_ERROR"),
    (7, "NOT_FOUND_ERROR"),
    (8, "PERMISSION_ERROR"),
    (9, "INFEASIBLE_ERROR"),
    (10, "DUPLICATION_ERROR"),
    (11, "BROKEN_DATA_ERROR"),
    (12, "NETWORK_ERROR"),
    (13, "APPLICATION_ERROR"),
];

#[test]
fn numbers_and_names_are_those_of_the_protocol() {
    for (number, name) in TABLE {
        let code = StatusCode::from_i32(number).expect("each number has its code");
        assert_eq!((code.as_i32(), code.name()), (number, name));
    }
    for number in [i32::MIN, -1, 14, i32::MAX] {
        assert_eq!(StatusCode::from_i32(number), None, "{number}");
    }
}

#[test]
fn a_status_reads_as_the_utilities_print_it() {
    let status = StatusCode::NotFoundError.with("");
    assert_eq!(status.text().to_string(), "NOT_FOUND_ERROR");
    let status = StatusCode::InvalidArgumentError.with("unknown mode");
    assert_eq!(status.text().to_string(), "INVALID_ARGUMENT_ERROR: unknown mode");
    let status = StatusProto { code: 99, message: "odd".into() };
    assert_eq!(status.text().to_string(), "UNKNOWN_ERROR: odd");
}
