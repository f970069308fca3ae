//! FoundationDB's error codes, as far as they are answered here.

use std::ffi::CStr;

/// An error, by its number.
pub(crate) type Code = i32;

macro_rules! codes {
    ($($name:ident = $code:literal, $message:literal;)*) => {
        $(pub(crate) const $name: Code = $code;)*

        /// What the error means.
        pub(crate) fn message(code: Code) -> &'static CStr {
            match code {
                0 => c"Success",
                $($code => $message,)*
                _ => c"An error of the test double without words",
            }
        }
    };
}

codes! {
    TRANSACTION_TOO_OLD = 1007, c"Transaction is too old to perform reads or be committed";
    FUTURE_VERSION = 1009, c"Request for future version";
    NOT_COMMITTED = 1020, c"Transaction not committed due to conflict with another transaction";
    COMMIT_UNKNOWN_RESULT = 1021, c"Transaction may or may not have committed";
    TRANSACTION_CANCELLED = 1025, c"Operation aborted because the transaction was cancelled";
    TRANSACTION_TIMED_OUT = 1031, c"Operation aborted because the transaction timed out";
    ACCESSED_UNREADABLE = 1036, c"Read or wrote an unreadable key";
    PROCESS_BEHIND = 1037, c"Storage process does not have recent mutations";
    DATABASE_LOCKED = 1038, c"Database is locked";
    CLUSTER_VERSION_CHANGED = 1039, c"The protocol version of the cluster has changed";
    COMMIT_PROXY_MEMORY = 1042, c"CommitProxy commit memory limit exceeded";
    BATCH_THROTTLED = 1051, c"Batch GRV request rate limit exceeded";
    GRV_PROXY_MEMORY = 1078, c"GetReadVersion proxy memory limit exceeded";
    OPERATION_CANCELLED = 1101, c"Asynchronous operation cancelled";
    TAG_THROTTLED = 1213, c"Transaction tag is being throttled";
    HOT_SHARD = 1235, c"Transaction throttled due to hot shard";
    RANGE_LOCKED = 1242, c"Transaction rejected due to range lock";
    NO_CLUSTER_FILE = 1515, c"No cluster file found in current directory or default location";
    INVALID_OPERATION = 2000, c"Invalid API call";
    OUTSIDE_LEGAL_RANGE = 2004, c"Key outside legal range";
    INVERTED_RANGE = 2005, c"Range begin key larger than end key";
    INVALID_OPTION_VALUE = 2006, c"Option set with an invalid value";
    INVALID_OPTION = 2007, c"Option not valid in this context";
    NETWORK_NOT_SETUP = 2008, c"Action not possible before the network is configured";
    NETWORK_ALREADY_SETUP = 2009, c"Network can be configured only once";
    RANGE_LIMITS_INVALID = 2012, c"Range limits not valid";
    FUTURE_NOT_SET = 2015, c"Future not ready";
    USED_DURING_COMMIT = 2017, c"Operation issued while a commit was outstanding";
    INVALID_MUTATION_TYPE = 2018, c"Unrecognized atomic mutation type";
    NO_COMMIT_VERSION = 2021, c"Transaction is read-only and therefore does not have a commit version";
    NETWORK_CANNOT_RESTART = 2025, c"Network can only be started once";
    TRANSACTION_TOO_LARGE = 2101, c"Transaction exceeds byte limit";
    KEY_TOO_LARGE = 2102, c"Key length exceeds limit";
    VALUE_TOO_LARGE = 2103, c"Value length exceeds limit";
    CONNECTION_STRING_INVALID = 2104, c"Connection string invalid";
    API_VERSION_UNSET = 2200, c"API version is not set";
    API_VERSION_ALREADY_SET = 2201, c"API version may be set only once";
    API_VERSION_INVALID = 2202, c"API version not valid";
    API_VERSION_NOT_SUPPORTED = 2203, c"API version not supported";
    EXACT_WITHOUT_LIMITS = 2210, c"EXACT streaming mode requires limits, but none were given";
}

/// The predicates of `fdb_error_predicate`, by their numbers.
pub(crate) fn predicate(test: i32, code: Code) -> bool {
    const RETRYABLE: i32 = 50_000;
    const MAYBE_COMMITTED: i32 = 50_001;
    const RETRYABLE_NOT_COMMITTED: i32 = 50_002;
    match test {
        RETRYABLE => predicate(MAYBE_COMMITTED, code) || predicate(RETRYABLE_NOT_COMMITTED, code),
        MAYBE_COMMITTED => matches!(code, COMMIT_UNKNOWN_RESULT | CLUSTER_VERSION_CHANGED),
        RETRYABLE_NOT_COMMITTED => matches!(
            code,
            NOT_COMMITTED
                | TRANSACTION_TOO_OLD
                | FUTURE_VERSION
                | DATABASE_LOCKED
                | GRV_PROXY_MEMORY
                | COMMIT_PROXY_MEMORY
                | HOT_SHARD
                | BATCH_THROTTLED
                | PROCESS_BEHIND
                | TAG_THROTTLED
                | RANGE_LOCKED
        ),
        _ => false,
    }
}
