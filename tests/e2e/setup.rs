//! `.ci/setup`, where something is missing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use hozo_tests::{Scratch, is_root, repository};

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] = &[
    Case::new("where_it_may_not_install_it_prints_the_line", prints_the_line)
        .needing(&[Need::Program("setpriv"), Need::Program("apt-get")]),
    Case::new("without_rust_it_says_so", without_rust),
];

/// A directory with these programs and no others.
fn path_of(scratch: &Scratch, programs: &[&str]) -> PathBuf {
    let dir = scratch.path("path");
    fs::create_dir(&dir).expect("a directory can be made");
    let find = |program: &&str| {
        ["/usr/bin", "/bin"].iter().map(|dir| PathBuf::from(dir).join(program)).find(|p| p.exists())
    };
    for program in programs {
        let file = find(program).unwrap_or_else(|| panic!("{program} is nowhere"));
        symlink(file, dir.join(program)).expect("a link can be made");
    }
    dir
}

fn copy_of_setup(scratch: &Scratch) -> PathBuf {
    fs::create_dir(scratch.path(".ci")).expect("a directory can be made");
    let copy = scratch.path(".ci/setup");
    fs::copy(repository().join(".ci/setup"), &copy).expect("the script can be copied");
    copy
}

fn prints_the_line() {
    let scratch = Scratch::empty();
    let setup = copy_of_setup(&scratch);
    let anyone = fs::Permissions::from_mode(0o755);
    fs::set_permissions(scratch.dir(), anyone).expect("modes can be set");
    let tools = ["env", "bash", "dirname", "id", "ls", "sort", "apt-get", "make", "setpriv"];
    let path = path_of(&scratch, &tools);
    symlink("/bin/true", path.join("cargo")).expect("a link can be made");
    let run = match is_root() {
        true => scratch.run("setpriv").args(["--reuid=65534", "--clear-groups"]).arg(&setup),
        false => scratch.run(&setup),
    };
    let ran = run.arg("demo").env("LIBCLANG_PATH", "/").env("PATH", &path).run();
    let ran = ran.fails(&["sudo sh -c", "apt-get install -y", "build-essential", "sqlite3"]);
    assert!(!ran.stderr.contains("libclang"), "what is there is not asked for: {ran}");
}

fn without_rust() {
    let scratch = Scratch::empty();
    let setup = copy_of_setup(&scratch);
    let path = path_of(&scratch, &["env", "bash", "dirname", "ls", "id", "sort"]);
    scratch.run(setup).env("PATH", path).run().fails(&["cargo", "rust"]);
}
