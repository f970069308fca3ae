//! What a user of tkrzw_dbm_remote_util types, and what that prints.

use super::place::Place;

/// What a command prints and how it ends.
enum Prints {
    /// This, with exit code 0.
    Text(&'static str),
    /// These lines in the store's order, with exit code 0.
    Lines(&'static [&'static str]),
    /// So many lines.
    Count(usize),
    /// An error with these words, and this exit code.
    Error(i32, &'static str),
}

use Prints::{Count, Error, Lines, Text};

/// A session against a server of Tkrzw's, with the answers that do not depend on
/// what keeps the records.
const SESSION: &[(&[&str], Prints)] = &[
    (&["echo", "hello", "world"], Text("hello world\n")),
    (&["set", "one", "first"], Text("")),
    (&["set", "two", "second"], Text("")),
    (&["set", "three", "third"], Text("")),
    (&["get", "one"], Text("first\n")),
    (&["get", "zzz"], Error(3, "NOT_FOUND_ERROR")),
    (&["set", "--no_overwrite", "one", "FIRST"], Error(4, "DUPLICATION_ERROR")),
    (&["set", "--append", ":", "one", "ichi"], Text("")),
    (&["get", "one"], Text("first:ichi\n")),
    (&["set", "--incr", "100", "num", "5"], Text("105\n")),
    (&["set", "--incr", "100", "num", "5"], Text("110\n")),
    (&["set", "--multi", "1", "hop", "2", "step", "3", "jump"], Text("")),
    (&["set", "--append", ":", "--multi", "1", "hop", "2", "step"], Text("")),
    (&["get", "--multi", "1", "2", "3", "nothere"], Text("1\thop:hop\n2\tstep:step\n3\tjump\n")),
    (&["remove", "--multi", "1", "2", "nothere"], Text("")),
    (&["remove", "two"], Text("")),
    (&["remove", "two"], Error(3, "NOT_FOUND_ERROR")),
    (&["list"], Lines(&["3\tjump", "num\t       n", "one\tfirst:ichi", "three\tthird"])),
    (
        &["list", "--escape"],
        Lines(&["3\tjump", "num\t\\0\\0\\0\\0\\0\\0\\0n", "one\tfirst:ichi", "three\tthird"]),
    ),
    (&["list", "--keys", "--items", "2"], Count(2)),
    (&["list", "--move", "jump", "--jump_key", "three", "--items", "1"], Text("three\tthird\n")),
    (&["search", "t"], Text("three\tthird\n")),
    (&["search", "--mode", "regex", "--keys", "^t"], Text("three\n")),
    (&["search", "--mode", "bogus", "t"], Error(1, "INVALID_ARGUMENT_ERROR: unknown mode")),
    (&["inspect", "num_records"], Text("4\n")),
    (&["sync"], Text("")),
    (&["rebuild"], Text("")),
    (&["rebuild", "bogus=1"], Error(1, "INVALID_ARGUMENT_ERROR: unsupported parameter: bogus")),
    (&["count"], Text("4\n")),
    (&["clear"], Text("")),
    (&["queue", "alpha", "beta"], Text("")),
    (&["queue", "--key"], Count(1)),
    (&["queue"], Count(1)),
    (&["list"], Text("")),
    (&["queue"], Error(3, "NOT_FOUND_ERROR")),
    (&["get"], Error(2, "KEY")),
    (&["bogus"], Error(2, "bogus")),
];

/// The same, which depends on whether the records have an order.
const UNORDERED: &[(&[&str], Prints)] = &[
    (&["set", "three", "third"], Text("")),
    (&["list", "--move", "jump", "--jump_key", "nothere"], Error(3, "NOT_FOUND_ERROR")),
    (&["list", "--move", "jumplower", "--jump_key", "three"], Error(1, "NOT_IMPLEMENTED_ERROR")),
    (&["search", "--mode", "upper", "t"], Error(1, "NOT_IMPLEMENTED_ERROR")),
];

/// The same, with an index that there is not, at a server.
const REMOTE: &[(&[&str], Prints)] = &[
    (
        &["inspect", "--index", "7"],
        Error(1, "NETWORK_ERROR: INVALID_ARGUMENT: dbm_index is out of range"),
    ),
    (
        &["get", "--index", "7", "one"],
        Error(1, "NETWORK_ERROR: INVALID_ARGUMENT: dbm_index is out of range"),
    ),
];

pub(super) fn transcript() {
    Place::each(|place| {
        replay(place, SESSION);
        if !place.is_ordered() {
            replay(place, UNORDERED);
        }
        if !place.is_direct() {
            replay(place, REMOTE);
        }
        server(place);
    });
    let place = Place::direct();
    let nobody = ["get", "--address", "localhost:1", "--timeout", "2", "one"];
    place.fails(&nobody, 1, &["NETWORK_ERROR"]);
}

#[track_caller]
fn replay(place: &Place, session: &[(&[&str], Prints)]) {
    for (args, prints) in session {
        match prints {
            Text(text) => assert_eq!(place.ok(args), *text, "{args:?}"),
            Lines(lines) => assert_eq!(place.sorted(args), *lines, "{args:?}"),
            Count(count) => assert_eq!(place.ok(args).lines().count(), *count, "{args:?}"),
            Error(code, words) => place.fails(args, *code, &[words]),
        }
    }
}

/// The properties that clients of Tkrzw look at.
fn server(place: &Place) {
    for args in [&["inspect", "--index", "-1"][..], &["inspect", "--server"]] {
        let rows = place.ok(args);
        let names: Vec<&str> =
            rows.lines().filter_map(|row| row.split_once('=')).map(|(name, _)| name).collect();
        for wanted in
            ["version", "process_id", "num_dbms", "dbm_0_path", "dbm_0_count", "dbm_0_class"]
        {
            assert!(names.contains(&wanted), "{wanted} is not in {rows}");
        }
        assert!(rows.contains("num_dbms=3\n"), "{rows}");
        assert!(rows.contains("dbm_1_name=log\n"), "{rows}");
    }
    assert_eq!(place.ok(&["inspect", "--server", "num_dbms"]), "3\n");
    place.fails(&["inspect", "nonsense"], 3, &["NOT_FOUND_ERROR", "num_records"]);
}
