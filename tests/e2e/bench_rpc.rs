//! `hozo bench rpc`, so short that nothing is measured but that it works.

use hozo_tests::{Run, Scratch};
use serde_json::Value;

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("one_command_measures_fresh_servers", fresh),
    Case::new("what_replication_costs_is_measured_and_how_far_a_follower_is_behind", replicated),
    Case::new("a_server_is_left_as_it_was", existing),
    Case::new("an_open_loop_counts_what_never_began", overloaded),
    Case::new("what_cannot_be_measured_is_said", refused),
];

/// As little as there can be.
const TINY: [&str; 8] =
    ["--seconds", "0.2", "--warm-up", "0.02", "--records", "300", "--rounds", "1"];

fn bench(scratch: &Scratch, args: &[&str]) -> Run {
    scratch.hozo(&["bench", "rpc"]).args(TINY).args(args)
}

fn report(scratch: &Scratch, args: &[&str]) -> Value {
    let text = bench(scratch, args).arg("--json").ok();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The trials, each of which has right answers and nothing else.
fn flawless(report: &Value) -> &Vec<Value> {
    let trials = report["trials"].as_array().expect("trials are a list");
    for trial in trials {
        let measured = &trial["outcome"]["measured"];
        assert!(measured["answers"].as_u64().is_some_and(|n| n > 0), "{trial:#}");
        assert_eq!(measured["errors"], Value::Array(Vec::new()), "{trial:#}");
        assert_eq!(measured["lost_connections"], 0, "{trial:#}");
    }
    trials
}

/// A server over a store in memory, and where it is.
fn serve(scratch: &Scratch) -> (hozo_tests::Running, &'static str) {
    let config = "
        [store.main]
        backend = \"memory\"
        [[dbm]]
        name = \"casket\"
        store = \"main\"
        [[frontend]]
        kind = \"rpc\"
        listen = \"unix:dbm.sock\"
    ";
    scratch.write("hozo.toml", config);
    let mut server = scratch.hozo(&["serve"]).held_open();
    server.wait_for("dbm.sock");
    (server, "unix:dbm.sock")
}

fn fresh() {
    let scratch = Scratch::empty();
    let args = [
        "--backends",
        "memory,hashdbm",
        "--connections",
        "1,3",
        "--pipeline",
        "2",
        "--modes",
        "unary,stream",
        "--workloads",
        "get,set,mixed:50,increment,echo",
        "--value-bytes",
        "8,100",
        "--save",
        "report.json",
    ];
    let report = report(&scratch, &args);
    let trials = flawless(&report);
    assert_eq!(trials.len(), 2 * 2 * 2 * 5 * 2, "servers, connections, modes, workloads, sizes");
    for trial in trials {
        let cpu = &trial["outcome"]["measured"]["server_cpu_ns"];
        assert!(cpu.is_number(), "its own servers' processes are known: {trial:#}");
    }
    let saved: Value = serde_json::from_str(&scratch.read("report.json")).expect("it is JSON");
    assert_eq!(saved, report);
    assert_eq!(scratch.listing().len(), 1, "stores are gone: {:?}", scratch.listing());
}

fn replicated() {
    let scratch = Scratch::empty();
    let args = [
        "--backends",
        "memory,hashdbm",
        "--replication",
        "none,log,follower",
        "--workloads",
        "set,get",
        "--connections",
        "2",
    ];
    let told = report(&scratch, &args);
    let against = |name: &str| {
        let targets = told["targets"].as_array().expect("targets are a list");
        let target = targets.iter().find(|target| target["name"] == name);
        target.unwrap_or_else(|| panic!("no {name}: {told:#}"))["against"].clone()
    };
    for backend in ["memory", "hashdbm"] {
        assert_eq!(against(&format!("{backend} + log")), backend);
        assert_eq!(against(&format!("{backend} + follower")), backend);
    }
    assert_eq!(against("memory"), "hashdbm", "the last of those that do not replicate");
    let trials = flawless(&told);
    assert_eq!(trials.len(), 2 * 3 * 2, "backends, kinds of replication, workloads");
    for trial in trials {
        let lag = &trial["outcome"]["measured"]["lag"];
        let follows = trial["target"].as_str().is_some_and(|name| name.ends_with("+ follower"));
        assert_eq!(lag.is_object(), follows, "{trial:#}");
        if follows {
            assert!(lag["answered"]["count"].as_u64().is_some_and(|n| n > 0), "{trial:#}");
            assert!(lag["behind"].is_u64() && lag["caught_up_ns"].is_u64(), "{trial:#}");
        }
    }
    // An acknowledged write has the follower from the beginning.
    let args = ["--replication", "ack", "--workloads", "set", "--connections", "2"];
    let told = bench(&scratch, &args).ok();
    for word in ["hashdbm + ack", "lag p99", "caught up in"] {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    assert!(scratch.listing().is_empty(), "stores are gone: {:?}", scratch.listing());
}

fn existing() {
    let scratch = Scratch::empty();
    let (server, address) = serve(&scratch);
    let dbm = |args: &[&str]| scratch.hozo(&["dbm", "--address", address]).args(args).ok();
    dbm(&["set", "mine", "untouched"]);
    let id = server.id().to_string();
    let args = ["--address", address, "--server-pid", &id, "--workloads", "set,increment"];
    let told = bench(&scratch, &args).ok();
    for word in ["server CPU/op", "unary", "ops/s", address] {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    assert_eq!(dbm(&["count"]).trim(), "1");
    // The same server on both sides is as quick as itself, and that is told.
    let args = ["--address", address, "--against", address, "--keep"];
    let report = report(&scratch, &args);
    assert_eq!(flawless(&report).len(), 2 * 2 * 2);
    assert_eq!(report["targets"][1]["baseline"], true);
    assert_eq!(dbm(&["count"]).trim(), "301");
    assert_eq!(dbm(&["get", "mine"]).trim(), "untouched");
}

fn overloaded() {
    let scratch = Scratch::empty();
    let (_server, address) = serve(&scratch);
    // Nobody answers ten million requests a second. Whatever arrives in the 0.2 s
    // is counted, at either rate.
    for (rate, arrived) in [("10000000", 2_000_000), ("100", 20)] {
        let args =
            ["--address", address, "--rate", rate, "--workloads", "get", "--connections", "2"];
        let report = report(&scratch, &args);
        let measured = &flawless(&report)[0]["outcome"]["measured"];
        assert_eq!(measured["latency"]["all"]["count"], arrived, "{measured:#}");
        let unstarted = measured["unstarted"].as_u64().expect("a number");
        assert!(unstarted > 0 || arrived == 20, "{measured:#}");
    }
}

fn refused() {
    let scratch = Scratch::empty();
    bench(&scratch, &["--address", "unix:nobody.sock"]).run().fails(&["server", "reached"]);
    bench(&scratch, &["--address", "localhost:port"]).run().fails(&["HOST:PORT"]);
    bench(&scratch, &["--address", "https://localhost:1"]).run().fails(&["--tls-ca"]);
    bench(&scratch, &["--backends", "tape"]).run().fails(&["tape", "memory"]);
    bench(&scratch, &["--workloads", "guess"]).run().fails(&["guess", "increment"]);
    bench(&scratch, &["--replication", "mirror"]).run().fails(&["mirror", "follower"]);
    bench(&scratch, &["--address", "unix:nobody.sock", "--replication", "log"])
        .run()
        .fails(&["--replication", "--address"]);
    bench(&scratch, &["--load", "open"]).run().fails(&["--rate"]);
    bench(&scratch, &["--load", "closed", "--rate", "5"]).run().fails(&["--rate"]);
    assert!(scratch.listing().is_empty(), "{:?}", scratch.listing());
}
