//! Hozo as a user meets it: the built programs, in scratch directories, run as
//! the README says. Every test here runs real processes.

mod case;
mod cli;
mod config;
mod crash;
mod django;
mod extension;
mod faults;
mod install;
mod names;
mod python;
mod readme;
mod setup;
mod shell;
mod unnoticed;

use libtest_mimic::Arguments;

fn main() {
    let groups = [
        ("cli", cli::CASES),
        ("config", config::CASES),
        ("crash", crash::CASES),
        ("django", django::CASES),
        ("extension", extension::CASES),
        ("faults", faults::CASES),
        ("install", install::CASES),
        ("names", names::CASES),
        ("python", python::CASES),
        ("readme", readme::CASES),
        ("setup", setup::CASES),
        ("shell", shell::CASES),
        ("unnoticed", unnoticed::CASES),
    ];
    let trials = groups
        .iter()
        .flat_map(|(group, cases)| cases.iter().map(|case| case.trial(group)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
