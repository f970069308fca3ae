//! The commands of docs/replication.md, run as they stand there.

use std::env;

use hozo_tests::{Scratch, blocks, built, repository, with_free_ports};

const PORTS: [u16; 3] = [1978, 1979, 1980];

/// What commands of the page print, in its order. Each command that gets a record is
/// here, so that none is without a check.
const PRINTED: &[(&str, &[&str])] = &[
    ("repl status --address 127.0.0.1:1978 --wait 60 --followers 1", &["role       master"]),
    (
        "repl status --address 127.0.0.1:1978 --wait 60 --followers 1",
        &["updates    1:1, ", "server 2  connected  1:1"],
    ),
    (
        "repl status --address 127.0.0.1:1979",
        &[
            "role       follower",
            "epoch      0",
            "updates    1:1, ",
            "source     127.0.0.1:1978 (server 1)",
            "state      following, has everything",
        ],
    ),
    ("dbm --address 127.0.0.1:1979 get Japan", &["Tokyo\n"]),
    ("repl promote --address 127.0.0.1:1979", &["the master of epoch 1"]),
    (
        "repl status --address 127.0.0.1:1978 --wait 60",
        &["role       follower", "epoch      1", "source     127.0.0.1:1979 (server 2)"],
    ),
    ("dbm --address 127.0.0.1:1978 get Korea", &["Seoul\n"]),
    (
        "repl status --address 127.0.0.1:1979 --wait 60 --followers 2",
        &["role       master", "server 1  connected  1:1 2:2", "server 3  connected  1:1 2:2"],
    ),
    ("dbm --address 127.0.0.1:1980 get Korea", &["Seoul\n"]),
    (
        "repl status --address 127.0.0.1:1980 --wait 60",
        &["source     127.0.0.1:1978 (server 1)", "following, has everything"],
    ),
    ("repl promote --address 127.0.0.1:1978", &["the master of epoch 2"]),
    (
        "repl status --address 127.0.0.1:1978 --wait 60 --followers 2",
        &["role       master", "epoch      2", "server 2  connected", "server 3  connected"],
    ),
    ("repl prune --address 127.0.0.1:1978 -3D", &["freed 0"]),
    ("--config backup/hozo.toml dbm get Korea", &["Seoul\n"]),
    ("--config backup/hozo.toml dbm get Korea", &["Busan\n"]),
    (
        "repl status --address 127.0.0.1:1979 --wait 60 --followers 1",
        &["role       dual master", "source     127.0.0.1:1978 (server 1)"],
    ),
    ("dbm --address 127.0.0.1:1979 get from", &["Tokyo\n"]),
    (
        "repl status --address 127.0.0.1:1979 --wait 60",
        &["role       dual master", "following, has everything", "conflicts  1"],
    ),
    ("repl conflicts --address 127.0.0.1:1978", &["both", "server 2, ", "server 1, "]),
    // It was set there a moment later.
    ("dbm --address 127.0.0.1:1978 get both", &["set in Osaka\n"]),
    ("dbm --address 127.0.0.1:1979 get both", &["set in Osaka\n"]),
];

/// A line before what a command prints.
const MARK: &str = "== command ";

/// Runs every `sh` block of the page in order, in one shell and one directory.
pub(super) fn commands() {
    let page = repository().join("docs/replication.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let mut commands: Vec<String> = Vec::new();
    let mut script = String::from("set -euo pipefail\n");
    script.push_str("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    for block in blocks(&page).iter().filter(|block| block.info == "sh") {
        for line in block.text.lines() {
            if let Some(command) = line.strip_prefix("hozo ")
                && !command.contains(" serve ")
            {
                script.push_str(&format!("echo '{MARK}{}'\n", commands.len()));
                commands.push(command.to_owned());
            }
            script.push_str(&format!("{line}\n"));
        }
    }
    script.push_str(&format!("echo '{MARK}{}'\n", commands.len()));
    // The ports once more, to find out which ones they became.
    let ports: Vec<String> = PORTS.iter().map(u16::to_string).collect();
    script.push_str(&format!("echo {}\n", ports.join(" ")));
    let script = with_free_ports(&script, &PORTS);

    let scratch = Scratch::empty();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [built().dir.clone()].into_iter().chain(env::split_paths(&path));
    let path = env::join_paths(path).expect("a path of directories");
    let ran = scratch.run("bash").env("PATH", path).input(script).arg("-s").run();
    assert_eq!(ran.code, Some(0), "{ran}");
    let mut printed: Vec<&str> = ran.stdout.split(MARK).skip(1).collect();
    let ports = printed.pop().expect("the ports are printed last");
    assert_eq!(printed.len(), commands.len(), "{ran}");

    let mut expected = PRINTED.iter().peekable();
    for (command, printed) in commands.iter().zip(&printed) {
        let Some((_, words)) = expected.next_if(|(known, _)| known == command) else {
            assert!(!command.contains(" get "), "nothing is known of what {command:?} prints");
            continue;
        };
        let printed = at_ports_of_the_page(printed, ports);
        for word in *words {
            assert!(printed.contains(word), "{command}: no {word:?} in {printed}{ran}");
        }
    }
    assert_eq!(expected.next(), None, "the page has no such command, or in another order");
}

fn at_ports_of_the_page(printed: &str, ports: &str) -> String {
    let ports = ports.split_whitespace().skip(1).zip(PORTS);
    ports.fold(printed.to_owned(), |text, (port, page)| text.replace(port, &page.to_string()))
}
