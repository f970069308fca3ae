//! `make install`, and the installed files used from where they are.

use hozo_tests::{Run, Scratch, built, init_args, repository};

use crate::case::{Case, Need};

pub(crate) const CASES: &[Case] = &[Case::new("installed_files_work", installed)
    .needing(&[Need::Program("make"), Need::Program("sqlite3")])];

fn installed() {
    let scratch = Scratch::empty();
    let prefix = scratch.path("usr");
    let make = |target: &str| {
        let prefix = format!("PREFIX={}", prefix.display());
        let target_dir = built().dir.parent().expect("a profile lies in a target directory");
        Run::new("make")
            .dir(repository())
            .env("CARGO_TARGET_DIR", target_dir)
            .args([target, &prefix])
    };
    make("install").ok();
    let hozo = scratch.path("usr/bin/hozo");
    scratch.run(&hozo).arg("init").args(init_args()).ok();
    scratch.run(&hozo).args(["ns", "create", "app"]).ok();
    let script = format!(
        "set -e; eval \"$({} env app)\"; \
         sqlite3 app 'CREATE TABLE t(x); INSERT INTO t VALUES (3); SELECT x FROM t'; \
         unset LD_PRELOAD; \
         sqlite3 :memory: '.load usr/lib/hozo/hozo' '.open file:app?vfs=hozo' 'SELECT x + 1 FROM t'",
        hozo.display()
    );
    let said = scratch.run("bash").args(["-c", &script]).ok();
    assert_eq!(said, "3\n4\n");
    let library = scratch.run(&hozo).args(["env", "app"]).ok();
    let installed = prefix.join("lib/hozo/libhozo_preload.so");
    assert!(library.contains(&installed.display().to_string()), "{library}");
    let completions = scratch.read("usr/share/bash-completion/completions/hozo");
    assert!(completions.contains("complete -F"), "{completions}");
    make("uninstall").ok();
    assert!(!hozo.exists() && !scratch.path("usr/lib/hozo").exists());
}
