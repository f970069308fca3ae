//! Backends: how a section becomes a store that can be opened, and what to say
//! where there is no such backend.

use std::ops::Range;
use std::sync::Arc;

use hozo_traits::{Ambient, Result, Store};
use serde::de::DeserializeOwned;

use super::{OpenStore, Registry, tell};
use crate::checkup::{CheckStore, Checker};
use crate::problem::{Problem, nearest};
use crate::section::Section;
use crate::text::Report;

/// Opens one store, when first needed and again after a fork.
pub(crate) type Opener = Arc<dyn Fn(Arc<dyn Ambient>) -> Result<Arc<dyn Store>> + Send + Sync>;

/// What can be done with one store.
pub(crate) struct Prepared {
    pub(crate) open: Opener,
    /// If the backend has a check of its own.
    pub(crate) check: Option<Checker>,
}

type Prepare = Box<dyn Fn(Section<'_>, &mut Report<'_>) -> Option<Prepared> + Send + Sync>;

/// A backend that is registered.
pub(super) struct Backend {
    pub(super) name: &'static str,
    prepare: Prepare,
}

/// Backends that are in a build only if it was made with the cargo feature of
/// their name.
const FEATURES: [&str; 3] = ["fdb", "rocksdb", "sled"];

/// Where the source is.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Backends of the design that this version has not.
const LATER: [&str; 1] = ["remote"];

impl Registry {
    pub(super) fn add<C>(
        &mut self,
        name: &'static str,
        check: fn(&C) -> Result<()>,
        open: OpenStore<C>,
        check_store: Option<CheckStore<C>>,
    ) where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let prepare: Prepare = Box::new(move |section, report| {
            let places = section.places();
            let config: C = section.read(&["backend"], report)?;
            if let Err(e) = check(&config) {
                tell(&e, &places, report);
            }
            let config = Arc::new(config);
            let checker = check_store.map(|check_store| -> Checker {
                let config = Arc::clone(&config);
                Arc::new(move |progress| check_store(&config, progress))
            });
            let open: Opener = Arc::new(move |ambient| open(&config, ambient));
            Some(Prepared { open, check: checker })
        });
        self.backends.push(Backend { name, prepare });
    }

    /// The backend's own name, and how it reads a section; `None` if there is
    /// no such backend.
    pub(crate) fn find(&self, name: &str) -> Option<(&'static str, &Prepare)> {
        self.backends.iter().find(|b| b.name == name).map(|b| (b.name, &b.prepare))
    }

    /// What to say about a backend that is not registered.
    pub(crate) fn tell_missing<'r>(
        &self,
        name: &str,
        span: Range<usize>,
        report: &'r mut Report<'_>,
    ) -> &'r mut Problem {
        if FEATURES.contains(&name) {
            return report
                .add(span, format!("this build has no backend `{name}`"))
                .label("left out when this was built")
                .note("with every backend: `make install` in a checkout of Hozo")
                .note(format!(
                    "the command alone: cargo install --git {REPOSITORY} hozo-cli --features {name}"
                ))
                .note(format!("in a Rust program: the feature `{name}` of the crate `hozo`"));
        }
        if LATER.contains(&name) {
            return report.add(span, format!("backend `{name}` is not in this version of Hozo"));
        }
        let problem = report.add(span, format!("unknown backend `{name}`"));
        if let Some(meant) = nearest(name, self.names().chain(FEATURES)) {
            problem.label(format!("did you mean `{meant}`?"));
        }
        problem
    }
}
