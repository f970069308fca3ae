//! What a user of Tkrzw's utilities types, and what that prints: each command of
//! `transcript.txt`, as it is there but for what is said here.

use super::place::Place;

/// Commands with what Tkrzw's utilities print, and end with.
const TRANSCRIPT: &str = include_str!("transcript.txt");

/// Tkrzw's utilities end with 1 whatever went wrong. Ours say by it what did; what is not
/// here is 1. The text is Tkrzw's without `Get failed: ` before it, which is `Remove
/// failed: ` there for clear, rebuild and sync as well.
const EXIT_CODES: [(&str, i32); 4] = [
    ("NOT_FOUND_ERROR", 3),
    ("DUPLICATION_ERROR", 4),
    ("INFEASIBLE_ERROR", 4),
    ("APPLICATION_ERROR", 2),
];

/// What ours do instead.
enum Ours {
    /// The same lines in whatever order the store has.
    AnyOrder,
    /// So many of the DBM's keys.
    SomeKeys,
    /// Records of the DBM, the same one first.
    FirstSame,
    /// Rows of the same names, but for these.
    RowsBut(&'static [&'static str]),
    /// Takes one record out: of an ordered store the first one.
    Popped,
    /// This.
    Prints(&'static str),
    /// Ends with this code, saying this.
    Refuses(i32, &'static str),
}

use Ours::{AnyOrder, FirstSame, Popped, Prints, Refuses, RowsBut, SomeKeys};

/// A command of the transcript that does not do the same here, where that is, and why.
struct Difference {
    command: &'static str,
    at: fn(&Place) -> bool,
    ours: Ours,
    why: &'static str,
}

const fn differs(
    command: &'static str,
    at: fn(&Place) -> bool,
    ours: Ours,
    why: &'static str,
) -> Difference {
    Difference { command, at, ours, why }
}

fn always(_: &Place) -> bool {
    true
}

const ORDER: &str = "the order of records is the backend's";
const WAYS: &str = "an ordered store goes both ways and begins anywhere";
const REPLICATION: &str = "that is `hozo repl`";
const NO_REPLICATION: &str = "this server has no replication";
const HERE: &str = "without a server the config says which DBMs there are";
const USAGE: &str = "a wrong command line is explained, and is exit code 2";

/// All that is different on purpose.
const DIFFERENCES: &[Difference] = &[
    differs("list", always, AnyOrder, ORDER),
    differs("list --escape", always, AnyOrder, ORDER),
    differs("list --keys --items 2", always, SomeKeys, ORDER),
    differs("list --move jump --jump_key three", always, FirstSame, ORDER),
    differs("list --move jump --jump_key China", always, FirstSame, ORDER),
    differs(
        "list --move jump --jump_key nothere",
        Place::is_ordered,
        Prints("num\t       n\none\tfirst:ichi\nthree\tthird\n"),
        WAYS,
    ),
    differs(
        "list --move jumplower --jump_key three",
        Place::is_ordered,
        Prints("one\tfirst:ichi\nthree\tthird\n"),
        WAYS,
    ),
    differs(
        "list --move jumpupper --jump_key China",
        Place::is_ordered,
        Prints("SouthKorea\tSeoul\nChina\tBeijing\n"),
        WAYS,
    ),
    differs("search --mode upper t", Place::is_ordered, Prints("three\tthird\n"), WAYS),
    differs(
        "inspect",
        always,
        RowsBut(&["num_buckets"]),
        "a DBM of ours has another class and no buckets",
    ),
    differs("inspect --index -1", always, RowsBut(&[]), "the values are this server's"),
    differs("inspect --index 7", Place::is_direct, Refuses(3, "no [[dbm]] at 7"), HERE),
    differs("get --index 7 one", Place::is_direct, Refuses(3, "no [[dbm]] at 7"), HERE),
    differs(
        "sync make_backup=",
        Place::is_on_disk,
        Refuses(1, "NOT_IMPLEMENTED_ERROR: make_backup"),
        "no copy is made of a store with files; one without answers as Tkrzw",
    ),
    differs("queue --key", always, Popped, ORDER),
    differs("replicate --wait 0 --items 0", always, Refuses(2, "replicate"), REPLICATION),
    differs(
        "changemaster --ts_skew -10000 localhost:1979",
        always,
        Refuses(2, "changemaster"),
        REPLICATION,
    ),
    differs("inspect --index -1 repl_max_timestamp", always, Prints("0\n"), NO_REPLICATION),
    differs(
        "get --address localhost:1 --timeout 2 one",
        always,
        Refuses(1, "NETWORK_ERROR"),
        "the text says what the system says",
    ),
    differs("get", always, Refuses(2, "KEY"), USAGE),
    differs("bogus", always, Refuses(2, "bogus"), USAGE),
];

/// A command of the transcript.
struct Step {
    command: &'static str,
    printed: String,
    code: i32,
    /// Whether a part of the transcript begins with it, with an empty DBM.
    first: bool,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut first = true;
    for line in TRANSCRIPT.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command, printed: String::new(), code: 0, first });
            first = false;
        } else if line.starts_with('#') || line.is_empty() {
            first = true;
        } else {
            let step = steps.last_mut().expect("a command comes first");
            match line.strip_prefix("[rc=").and_then(|rest| rest.strip_suffix(']')) {
                Some(code) => step.code = code.parse().expect("an exit code"),
                None => step.printed.push_str(&format!("{line}\n")),
            }
        }
    }
    steps
}

pub(super) fn transcript() {
    let steps = steps();
    assert!(steps.len() > 70, "the transcript has all of its commands: {}", steps.len());
    for known in DIFFERENCES {
        let command = known.command;
        assert!(steps.iter().any(|step| step.command == command), "{command} is not replayed");
    }
    // What the transcript has of stores with an order is replayed whatever the backend.
    Place::each(replay_all);
    replay_all(&Place::ordered());
}

fn replay_all(place: &Place) {
    for step in steps() {
        if step.first {
            place.ok(&["clear"]);
        }
        replay(place, &step);
    }
    server(place);
}

fn replay(place: &Place, step: &Step) {
    let different = DIFFERENCES.iter().find(|d| d.command == step.command && (d.at)(place));
    let args: Vec<&str> = step.command.split(' ').map(|arg| arg.trim_matches('\'')).collect();
    println!("$ {}", step.command);
    let Some(Difference { ours, why, .. }) = different else {
        return same(place, step, &args);
    };
    println!("  ({why})");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    match ours {
        AnyOrder => assert_eq!(place.sorted(&args), sorted(&step.printed), "{why}"),
        SomeKeys => {
            let (some, all) = (place.ok(&args), place.sorted(&["list", "--keys", "--items", "0"]));
            assert_eq!(some.lines().count(), step.printed.lines().count(), "{some}");
            assert!(some.lines().all(|key| all.iter().any(|known| known == key)), "{some}");
        }
        FirstSame => {
            let (some, all) = (place.ok(&args), place.sorted(&["list", "--items", "0"]));
            assert_eq!(some.lines().next(), step.printed.lines().next());
            assert!(some.lines().all(|line| all.iter().any(|known| known == line)), "{some}");
        }
        RowsBut(without) => {
            let rows = place.ok(&args);
            let names = step.printed.lines().filter_map(|row| row.split_once('='));
            for (name, _) in names.filter(|(name, _)| !without.contains(name)) {
                let has = rows.lines().any(|row| row.starts_with(&format!("{name}=")));
                assert!(has, "{name} is not in {rows}");
            }
        }
        Popped => {
            let before = place.sorted(&["list", "--items", "0"]).len();
            let popped = place.ok(&args);
            assert_eq!(place.sorted(&["list", "--items", "0"]).len(), before - 1);
            let (time, value) = popped.split_once('\t').expect("a key and a value");
            if place.is_ordered() {
                // Times as keys begin with bytes below those of letters and digits.
                assert_eq!((time.len(), value), (17, "alpha\n"), "{popped}");
            }
        }
        Prints(text) => assert_eq!(place.ok(&args), *text, "{why}"),
        Refuses(code, words) => place.fails(&args, *code, &[words]),
    }
}

/// As Tkrzw's utility does it.
fn same(place: &Place, step: &Step, args: &[&str]) {
    if step.code == 0 {
        assert_eq!(place.ok(args), step.printed, "{}", step.command);
        return;
    }
    let said = step.printed.trim_end();
    let said = said.split_once(" failed: ").map_or(said, |(_, said)| said);
    let name = said.split(':').next().unwrap_or_default();
    let known = EXIT_CODES.iter().find(|(known, _)| *known == name);
    place.fails(args, known.map_or(1, |(_, code)| *code), &[said]);
}

/// The properties that clients of Tkrzw look at.
fn server(place: &Place) {
    for args in [&["inspect", "--index", "-1"][..], &["inspect", "--server"]] {
        let rows = place.ok(args);
        assert!(rows.contains("num_dbms=3\n"), "{rows}");
        assert!(rows.contains("dbm_1_name=log\n"), "{rows}");
    }
    assert_eq!(place.ok(&["inspect", "--server", "num_dbms"]), "3\n");
    place.fails(&["inspect", "nonsense"], 3, &["NOT_FOUND_ERROR", "num_records"]);
}
