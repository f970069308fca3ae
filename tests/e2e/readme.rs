//! The demo, and the commands of the README, run as they stand there.

use std::env;

use hozo_tests::{Run, Scratch, blocks, built, python_environment, repository, with_free_ports};

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] = &[
    Case::new("the_demo_runs_twice", demo).needing(&[Need::Program("sqlite3")]),
    Case::new("the_commands_of_the_readme_work", commands).needing(&[
        Need::Program("make"),
        Need::Program("sqlite3"),
        Need::Program("python3"),
    ]),
];

fn demo() {
    let scratch = Scratch::empty();
    for _ in 0..2 {
        let run = scratch.run(repository().join("demo/run.sh")).arg(&built().dir);
        let said = run.env("TMPDIR", scratch.dir()).ok();
        for word in ["3376", "McCarran International", "Harry Reid International"] {
            assert!(said.contains(word), "{word:?} is not in the demo's output:\n{said}");
        }
        assert_eq!(scratch.listing(), Vec::new(), "the demo cleans up after itself");
    }
}

/// Runs every `sh` block of the README in order, in one shell and one directory:
/// what one block makes, the next may use. A block marked `sh setup` is what a
/// reader does once, in the checkout; here it is `make install`.
fn commands() {
    let scratch = Scratch::empty();
    let home = scratch.path("home");
    let local = home.join(".local");
    let target = built().dir.parent().expect("a profile lies in a target directory");
    let install = Run::new("make").dir(repository()).env("CARGO_TARGET_DIR", target);
    install.args(["install", &format!("PREFIX={}", local.display())]).ok();

    let readme = std::fs::read_to_string(repository().join("README.md")).expect("a README");
    let mut script = String::from("set -euo pipefail\nmkdir here\ncd here\n");
    script.push_str("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    let mut count = 0;
    for block in blocks(&readme).iter().filter(|b| b.language() == "sh" && b.info != "sh setup") {
        script.push_str(&format!("echo '== README.md:{}'\n{}", block.line, block.text));
        count += 1;
    }
    assert!(count > 0, "the README has no commands");
    script.push_str("echo '== all done'\n");
    let python = python_environment().parent().expect("python lies in a directory");
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [local.join("bin"), python.to_path_buf()];
    let path = env::join_paths(dirs.into_iter().chain(env::split_paths(&path)));
    let path = path.expect("a path of directories");
    let run = scratch.run("bash").env("PATH", path).env("HOME", &home);
    let script = with_free_ports(&script, &[1978, 1979]);
    let ran = run.input(script).arg("-s").run();
    assert!(ran.code == Some(0) && ran.stdout.ends_with("== all done\n"), "{ran}");
}
