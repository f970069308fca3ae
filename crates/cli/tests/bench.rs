//! `hozo bench`, with sizes so small that nothing is measured but that it works.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A directory to run `hozo` in.
struct Home(TempDir);

/// How a run ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Home {
    fn empty() -> Self {
        Home(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hozo"));
        command.args(args).current_dir(self.0.path()).env_remove("HOZO_CONFIG");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args.iter().copied().chain(["--json"]));
        serde_json::from_str(&ran.ok()).unwrap()
    }
}

impl Ran {
    /// What it wrote, which must have gone well.
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Fails with this code and says all of these words, and nothing on
    /// standard output.
    #[track_caller]
    fn fails(self, code: i32, words: &[&str]) {
        assert_eq!((self.code, &*self.out), (Some(code), ""), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

/// A run that takes as little time as it can.
const TINY: [&str; 10] = [
    "--seconds",
    "0.02",
    "--warm-up",
    "0",
    "--records",
    "200",
    "--depth",
    "20",
    "--value-bytes",
    "20",
];

fn bench(home: &Home, args: &[&str]) -> Ran {
    home.run(["bench"].into_iter().chain(TINY).chain(args.iter().copied()))
}

/// What a directory holds.
fn files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path(".")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_run_ends_in_a_table_a_file_and_a_page() {
    let home = Home::empty();
    let args =
        ["--backends", "memory", "--workloads", "sqlite-point,sqlite-mixed", "--repeat", "5"];
    let more = ["--save", "a.json", "--html", "a.html"];
    let ran = bench(&home, &[&args[..], &more].concat());
    assert!(ran.err.contains("seed 1"), "{ran:?}");
    let table = ran.ok();
    for word in
        ["sqlite-point", "sqlite-mixed", "memory", "sqlite", "p99.9", "CPU/op", "5 repetitions"]
    {
        assert!(table.contains(word), "no {word} in {table}");
    }
    assert_eq!(files(&home), ["a.html", "a.json"], "stores are removed");
    let page = home.read("a.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    let report: Value = serde_json::from_str(&home.read("a.json")).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["trials"].as_array().unwrap().len(), 2 * 2 * 5);

    // Shown again it is the same; compared with itself nothing changed.
    assert_eq!(home.run(["bench", "show", "a.json"]).ok(), table);
    assert_eq!(home.json(&["bench", "show", "a.json"]), report);
    let same = home.run(["bench", "compare", "a.json", "a.json", "--fail-over", "0"]).ok();
    assert!(same.contains("sqlite-point on memory: no difference beyond noise"), "{same}");
    assert!(!same.contains("worse") && !same.contains("better"), "{same}");
}

#[test]
fn json_is_the_report_alone() {
    let home = Home::empty();
    let args = ["--backends", "memory", "--workloads", "travel", "--repeat", "1", "--json"];
    let ran = bench(&home, &args);
    assert_eq!(ran.err, "");
    let report: Value = serde_json::from_str(&ran.ok()).unwrap();
    let trials = report["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 3, "a plain file does not travel");
    assert!(trials.iter().all(|trial| trial["outcome"]["measured"]["ops"].as_u64() > Some(0)));
}

#[test]
fn records_are_measured_too() {
    let home = Home::empty();
    let args = ["--backends", "memory", "--workloads", "ycsb", "--repeat", "1", "--durable"];
    let table = bench(&home, &args).ok();
    for letter in ["a", "b", "c", "d", "e", "f"] {
        assert!(table.contains(&format!("ycsb-{letter}  ")), "{table}");
    }
    assert!(table.contains("200 records of 20 B") && table.contains("durable updates"), "{table}");
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let home = Home::empty();
    let args = ["--backends", "memory", "--workloads", "sqlite-point", "--no-yardstick"];
    let ran = bench(&home, &[&args[..], &["--rate", "500", "--repeat", "1", "--json"]].concat());
    let report: Value = serde_json::from_str(&ran.ok()).unwrap();
    let measured = &report["trials"][0]["outcome"]["measured"];
    let arrived = measured["ops"].as_u64().unwrap() + measured["unstarted"].as_u64().unwrap();
    assert_eq!(arrived, 10, "as many as arrive in 0.02 s");
}

#[test]
fn a_slower_build_fails_where_that_was_asked_for() {
    let home = Home::empty();
    let args = ["--backends", "memory", "--workloads", "sqlite-point", "--no-yardstick"];
    bench(&home, &[&args[..], &["--repeat", "5", "--save", "a.json"]].concat()).ok();
    let text = home.read("a.json");
    let mut slower: Value = serde_json::from_str(&text).unwrap();
    for trial in slower["trials"].as_array_mut().unwrap() {
        let measured = &mut trial["outcome"]["measured"];
        measured["throughput"] = (measured["throughput"].as_f64().unwrap() / 1000.0).into();
    }
    home.write("b.json", slower.to_string());
    let compared = home.run(["bench", "compare", "a.json", "b.json"]).ok();
    assert!(compared.contains("throughput") && compared.contains("worse"), "{compared}");
    let failing = ["bench", "compare", "a.json", "b.json", "--fail-over", "50"];
    let ran = home.run(failing);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("throughput of sqlite-point on memory"), "{ran:?}");
    home.run(["bench", "compare", "b.json", "a.json", "--fail-over", "0"]).ok();
    let rows = home.json(&["bench", "compare", "a.json", "b.json"]);
    assert_eq!(rows["rows"][0]["verdict"], "worse");

    slower["workloads"][0]["parameters"]["records"] = 7.into();
    home.write("b.json", slower.to_string());
    home.run(["bench", "compare", "a.json", "b.json"])
        .fails(1, &["sqlite-point was run with 200 records in the first and 7"]);
    slower["schema"] = 2.into();
    home.write("b.json", slower.to_string());
    home.run(["bench", "compare", "a.json", "b.json"]).fails(1, &["form 2", "b.json"]);
    home.run(["bench", "compare", "a.json", "c.json"]).fails(3, &["c.json"]);
}

#[test]
fn the_stores_of_a_config_are_measured_beside_themselves() {
    let home = Home::empty();
    home.write(
        "hozo.toml",
        "[store.swift]\nbackend = \"memory\"\n[store.other]\nbackend = \"memory\"\n",
    );
    let tiny = ["--workloads", "sqlite-commit-1", "--repeat", "1", "--no-yardstick"];
    let table = bench(&home, &tiny).ok();
    assert!(table.contains("swift") && table.contains("other"), "{table}");
    let table = bench(&home, &[&tiny[..], &["--stores", "other"]].concat()).ok();
    assert!(!table.contains("swift"), "{table}");
    bench(&home, &[&tiny[..], &["--in-place"]].concat()).ok();
    let left_out =
        bench(&home, &["--in-place", "--workloads", "ycsb-a,sqlite-point", "--repeat", "1"]);
    assert!(left_out.err.contains("ycsb-a is left out"), "{left_out:?}");
    left_out.ok();
    bench(&home, &[&tiny[..], &["--stores", "slow"]].concat())
        .fails(3, &["no store `slow`", "swift, other"]);
    assert_eq!(files(&home), ["hozo.toml"]);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_measured() {
    let home = Home::empty();
    let wrong = |args: &[&str], code, words: &[&str]| bench(&home, args).fails(code, words);
    wrong(&["--backends", "memroy"], 2, &["unknown backend `memroy`", "memory"]);
    wrong(&["--backends", "memory,memory"], 2, &["named twice"]);
    wrong(
        &["--backends", "memory", "--workloads", "ycsb-x"],
        2,
        &["no workload `ycsb-x`", "--list"],
    );
    wrong(&["--backends", "memory", "--in-place"], 2, &["--in-place", "--backends"]);
    wrong(&["--backends", "memory", "--save", "no/such/dir.json"], 3, &["no/such/dir.json"]);
    wrong(&[], 5, &["no hozo.toml here", "--backends memory"]);
    let wrong = |args: &[&str], word: &str| {
        home.run(["bench", "--backends", "memory"].into_iter().chain(args.iter().copied()))
            .fails(2, &[word]);
    };
    wrong(&["--seconds", "0"], "above 0");
    wrong(&["--rate", "-1"], "--rate");
    wrong(&["--rate", "none"], "operations a second");
    wrong(&["--repeat", "0"], "--repeat");
    wrong(&["--threads", "0"], "--threads");
    wrong(&["--records", "0"], "--records");
    assert_eq!(files(&home), Vec::<String>::new());
}

#[test]
fn workloads_are_listed() {
    let home = Home::empty();
    let listed = home.run(["bench", "--list"]).ok();
    assert!(listed.contains("ycsb-f") && listed.contains("travel-deep"), "{listed}");
    assert_eq!(home.json(&["bench", "--list"]).as_array().unwrap().len(), 14);
}
