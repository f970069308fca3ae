//! `hozo ulog`

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::run::{Home, store};

/// A home whose DBMs `casket` and `second` have their updates logged by server 7.
fn home() -> Home {
    let home = Home::empty();
    let store = store();
    let path = if store == "memory" { "" } else { "path = \"data\"\n" };
    home.write(
        "hozo.toml",
        format!(
            "[store.main]\nbackend = \"{store}\"\n{path}[[dbm]]\nname = \"casket\"\n\
             [[dbm]]\nname = \"second\"\n\
             [replication.main]\nkind = \"ulog\"\nserver_id = 7\ndir = \"log\"\n\
             segment_bytes = 65536\n"
        ),
    );
    home
}

/// The lines without their times, which ascend.
fn lines(out: &str) -> Vec<String> {
    let mut last = 0;
    let line = |line: &str| {
        let (time, rest) = line.split_once('\t').unwrap_or_else(|| panic!("{out}"));
        let time: u64 = time.parse().unwrap();
        assert!(time >= last && time > 1_700_000_000_000, "{out}");
        last = time;
        rest.to_owned()
    };
    out.lines().map(line).collect()
}

fn files(home: &Home) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(home.path("log")).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    files.sort();
    files
}

#[test]
fn updates_are_printed_as_tkrzw_does() {
    let home = home();
    home.run(["dbm", "set", "one", "a\tb"]).ok();
    home.run(["dbm", "--index", "1", "set", "two", "second"]).ok();
    home.run(["dbm", "remove", "one"]).ok();
    home.run(["dbm", "clear"]).ok();
    let before = files(&home);
    let out = home.run(["ulog", "dump"]).ok();
    // A store in memory has been cleared whenever it was opened.
    let lines = lines(&out);
    let wanted =
        ["7\t0\tSET\tone\ta\tb", "7\t1\tSET\ttwo\tsecond", "7\t0\tREMOVE\tone", "7\t0\tCLEAR"];
    if store() != "memory" {
        assert_eq!(lines, wanted);
        assert_eq!(home.run(["ulog", "dump", "--items", "2"]).ok().lines().count(), 2);
        let all = home.json(&["ulog", "dump", "log", "--items", "0"]);
        assert_eq!(all.as_array().unwrap().len(), 4);
        let first = &all[0];
        assert_eq!(
            (&first["origin"], &first["server_id"], &first["seq"]),
            (&json!(7), &json!(7), &json!(1))
        );
        assert_eq!((&first["what"], &first["dbm_index"]), (&json!("records"), &json!(0)));
        assert_eq!(first["effects"], json!([{ "op": "SET", "key": "one", "value": "a\tb" }]));
        assert_eq!(first["digest"].as_str().unwrap().len(), 8);
        assert_eq!(all[3]["effects"], json!([{ "op": "CLEAR" }]));
        // From a time on, by whichever way it is said.
        let time = all[2]["timestamp"].to_string();
        for since in [time.as_str(), all[2]["time"].as_str().unwrap()] {
            let later = home.json(&["ulog", "read", "--since", since]);
            assert!(later.as_array().unwrap().contains(&all[2]), "{later}");
            assert!(!later.as_array().unwrap().contains(&json!(null)));
        }
        let micros = all[2]["time"].as_str().unwrap();
        let later = home.json(&["ulog", "dump", "--timestamp", micros]);
        assert_eq!(later.as_array().unwrap()[..], all.as_array().unwrap()[2..]);
    }
    let escaped = home.run(["ulog", "dump", "--escape", "--dbm-index", "0"]).ok();
    assert!(escaped.contains("SET\tone\ta\\tb\n") && !escaped.contains("second"), "{escaped}");
    let second = home.run(["ulog", "dump", "log", "--index", "1"]).ok();
    assert!(second.contains("SET\ttwo\tsecond") && !second.contains("one"), "{second}");
    assert_eq!(home.run(["ulog", "dump", "--since", "+1H"]).ok(), "");
    assert_eq!(home.run(["ulog", "dump", "--server-id", "8"]).ok(), "");
    assert_eq!(home.json(&["ulog", "dump", "--server_id", "8"]), json!([]));
    assert_eq!(home.run(["ulog", "dump", "--since=-1H"]).ok(), out);
    home.run(["ulog", "dump", "--since", "yesterday"]).fails(2, &["-3D", "2026-11-21T09:30:00Z"]);
    home.run(["ulog", "dump", "--server-id", "0"]).fails(2, &["1 to 2147483647"]);
    assert_eq!(files(&home), before, "nothing has changed");
}

/// Fills some segments: what is imported at once is one update.
fn fill(home: &Home) {
    for part in 0..8 {
        let record = |i: u32| format!("k{i}\t{}\n", "x".repeat(1000));
        let tsv: String = (part * 50..(part + 1) * 50).map(record).collect();
        home.write("records.tsv", tsv);
        home.run(["dbm", "import", "--tsv", "records.tsv"]).ok();
    }
}

#[test]
fn files_are_listed_and_removed_when_they_are_old() {
    let home = home();
    fill(&home);
    let out = home.run(["ulog", "list"]).ok();
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.len() > 3, "{out}");
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), 5, "{out}");
        assert!(fs::metadata(row[0]).unwrap().len().to_string() == row[4], "{out}");
        assert_eq!(row[1], i.to_string());
        assert!(row[2].parse::<u64>().unwrap() > 1_700_000_000_000, "{out}");
        assert!(row[3].ends_with("seconds"), "{out}");
    }
    let listed = home.json(&["ulog", "listfiles", "log"]);
    assert_eq!(listed.as_array().unwrap().len(), rows.len());
    assert_eq!((&listed[0]["first"], &listed[0]["damaged"]), (&json!(64), &json!(false)));
    assert!(listed[0]["updates"].as_u64().unwrap() > 0 && listed[0]["oldest"].is_string());
    assert_eq!(home.run(["ulog", "list", "--since", "+1H"]).ok(), "");

    // Nothing is older than a week.
    let pruned = home.json(&["ulog", "prune"]);
    assert_eq!((&pruned["removed"], &pruned["left"]), (&json!([]), &json!(rows.len())));
    home.run(["ulog", "prune", "--before", "+1H"]).fails(2, &["--yes", "--dry-run"]);
    let dry = home.run(["ulog", "prune", "--before", "+1H", "--dry-run", "--keep-latest=3"]);
    assert!(dry.err.contains("would remove"), "{dry:?}");
    let would: Vec<String> = dry.ok().lines().map(str::to_owned).collect();
    assert_eq!(would, rows[..rows.len() - 3].iter().map(|row| row[0]).collect::<Vec<_>>());
    assert_eq!(home.run(["ulog", "list"]).ok().lines().count(), rows.len());
    let args = ["ulog", "prune", "--before", "+1H", "--keep-latest=3", "--yes"];
    let pruned = home.json(&args);
    assert_eq!(pruned["removed"], json!(would));
    assert_eq!((&pruned["left"], &pruned["dry_run"]), (&json!(3), &json!(false)));
    assert!(pruned["bytes"].as_u64().unwrap() >= 65536);
    assert_eq!(home.run(["ulog", "list"]).ok().lines().count(), 3);
    assert!(home.run(["ulog", "verify"]).ok().contains("whole"));
    // And it goes on.
    home.run(["dbm", "set", "one", "more"]).ok();
    assert!(home.run(["ulog", "dump", "--items", "0"]).ok().contains("SET\tone\tmore"));
}

#[test]
fn damage_is_found_and_said() {
    let home = home();
    fill(&home);
    let found = home.json(&["ulog", "verify"]);
    assert_eq!((&found["whole"], &found["problems"]), (&json!(true), &json!([])));
    assert_eq!(found["dbms"], json!(["casket", "second"]));
    assert!(found["position"]["7"]["seq"].as_u64() >= Some(1), "{found}");
    let file = home.path("log/0000000000000001.seg");
    let mut bytes = fs::read(&file).unwrap();
    bytes[30_000] ^= 0x40;
    fs::write(&file, bytes).unwrap();
    let said = home.run(["ulog", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("0000000000000001.seg at ") && said.out.contains("damaged"),
        "{said:?}"
    );
    let said = home.run(["ulog", "verify", "log", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let said: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&said["whole"], &said["problem_count"]), (&json!(false), &json!(1)));
    assert_eq!(said["problems"][0]["file"], "0000000000000001.seg");
    assert!(said["problems"][0]["offset"].as_u64().unwrap() <= 30_000, "{said}");
    let listed = home.run(["ulog", "list"]).ok();
    assert!(listed.lines().nth(1).unwrap().ends_with("\tdamaged"), "{listed}");
    let dumped = home.run(["ulog", "dump", "--items", "0"]);
    assert_eq!(dumped.code, 1, "{dumped:?}");
    assert!(dumped.out.contains("SET\tk0\t"), "{dumped:?}");
    assert!(dumped.err.contains("hozo ulog verify"), "{dumped:?}");
}

#[test]
fn where_there_is_no_log_it_says_so() {
    let home = Home::new();
    for command in ["list", "dump", "verify", "prune"] {
        home.run(["ulog", command]).fails(5, &["[replication.NAME]"]);
        home.run(["ulog", command, "nothing"]).fails(3, &["no update log", "nothing"]);
    }
    assert!(!home.path("nothing").exists());
}
