//! Hozo as a user meets it: the built programs, in scratch directories, run as
//! the README says. Every test here runs real processes.

mod bench_rpc;
mod case;
mod cli;
mod config;
mod crash;
mod dbm;
mod django;
mod extension;
mod faults;
mod install;
mod linked;
mod names;
mod python;
mod readme;
mod replication;
mod setup;
mod shell;
mod unnoticed;

use libtest_mimic::Arguments;

/// Groups of tests that choose a store themselves, or have none.
const WITHOUT_STORE: [&str; 7] =
    ["bench_rpc", "config", "install", "linked", "readme", "replication", "setup"];

fn main() {
    let groups = [
        ("bench_rpc", bench_rpc::CASES),
        ("cli", cli::CASES),
        ("config", config::CASES),
        ("crash", crash::CASES),
        ("dbm", dbm::CASES),
        ("django", django::CASES),
        ("extension", extension::CASES),
        ("faults", faults::CASES),
        ("install", install::CASES),
        ("linked", linked::CASES),
        ("names", names::CASES),
        ("python", python::CASES),
        ("readme", readme::CASES),
        ("replication", replication::CASES),
        ("setup", setup::CASES),
        ("shell", shell::CASES),
        ("unnoticed", unnoticed::CASES),
    ];
    // Over another store than the default one, only what uses it.
    let again = std::env::var_os("HOZO_TEST_STORE").is_some();
    let trials = groups
        .iter()
        .filter(|(group, _)| !again || !WITHOUT_STORE.contains(group))
        .flat_map(|(group, cases)| cases.iter().map(|case| case.trial(group)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
