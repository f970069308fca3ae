//! `make install`, and the installed files used from where they are.

use hozo_tests::{Run, Scratch, built, repository};

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
    scratch.run(&hozo).arg("init").ok();
    scratch.run(&hozo).args(["ns", "create", "app"]).ok();
    let script = format!(
        "set -e; eval \"$({} env app)\"; \
         sqlite3 app 'CREATE TABLE t(x); INSERT INTO t VALUES (3); SELECT x FROM t'; \
         grep -c usr/lib/hozo /proc/self/maps",
        hozo.display()
    );
    let said = scratch.run("bash").args(["-c", &script]).ok();
    assert!(said.starts_with("3\n"), "{said}");
    make("uninstall").ok();
    assert!(!hozo.exists() && !scratch.path("usr/lib/hozo").exists());
}
