//! A test, and what it needs of the machine.

use hozo_tests::{can_mount, have};
use libtest_mimic::Trial;

/// One end-to-end test.
pub(crate) struct Case {
    name: &'static str,
    run: fn(),
    needs: &'static [Need],
}

/// What not every machine has. A test without what it needs is skipped, and its
/// line says why.
pub(crate) enum Need {
    /// The right to mount a small disk in memory.
    Tmpfs,
    /// A program on the path.
    Program(&'static str),
    /// A FoundationDB cluster, and its client library.
    FoundationDb,
    /// The store that is taken unless another is named.
    DefaultStore,
}

impl Case {
    pub(crate) const fn new(name: &'static str, run: fn()) -> Case {
        Case { name, run, needs: &[] }
    }

    pub(crate) const fn needing(self, needs: &'static [Need]) -> Case {
        Case { needs, ..self }
    }

    pub(crate) fn trial(&self, group: &str) -> Trial {
        let name = format!("{group}::{}", self.name);
        let run = self.run;
        let trial = Trial::test(name, move || {
            run();
            Ok(())
        });
        match self.needs.iter().find_map(Need::missing) {
            Some(reason) => trial.with_kind(format!("skipped: {reason}")).with_ignored_flag(true),
            None => trial,
        }
    }
}

impl Need {
    fn missing(&self) -> Option<String> {
        match self {
            Need::Tmpfs => (!can_mount()).then(|| "needs the right to mount a tmpfs".to_owned()),
            Need::DefaultStore => std::env::var("HOZO_TEST_STORE")
                .is_ok()
                .then(|| "promised of the default store only".to_owned()),
            Need::FoundationDb => std::env::var_os("FDB_CLUSTER_FILE")
                .is_none()
                .then(|| "FDB_CLUSTER_FILE names no cluster".to_owned()),
            Need::Program(name) => (!have(name)).then(|| format!("{name} is not installed")),
        }
    }
}
