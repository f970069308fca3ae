//! Frontends: how a section becomes one that can be started, and what to say
//! where there is no such kind.

use std::ops::Range;
use std::path::Path;

use hozo_traits::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{BuildFrontend, BuiltFrontend, Registry, tell};
use crate::problem::{listed, nearest};
use crate::section::Section;
use crate::text::Report;

/// Makes a frontend of a section, in the config file's directory.
pub(crate) type Build =
    dyn Fn(Section<'_>, &Path, &mut Report<'_>) -> Option<BuiltFrontend> + Send + Sync;

/// A kind of frontend that is registered.
pub(super) struct FrontendKind {
    pub(super) kind: &'static str,
    build: Box<Build>,
}

/// SQLite's VFS. What loads it into a program starts it, not a stack.
pub(crate) const VFS: &str = "vfs";

/// `[[frontend]]` of kind `vfs`, which has no options yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VfsSettings {}

/// Frontends that are in a build only if it was made with the cargo feature of
/// their kind.
const FEATURES: [&str; 1] = ["rpc"];

/// Frontends of the design that this version has not.
const LATER: [&str; 2] = ["fuse", "admin"];

/// Whose a section is.
pub(crate) enum Kind<'r> {
    /// SQLite's.
    Vfs,
    /// Started by the stack.
    Served(&'static str, &'r Build),
    /// Another process's, which knows what its keys mean.
    Elsewhere(&'static str),
    /// Nobody's.
    Unknown,
}

/// Reads the section of a VFS; `Some` if it is right.
pub(crate) fn read_vfs(section: Section<'_>, report: &mut Report<'_>) -> Option<()> {
    section.read::<VfsSettings>(&["kind"], report).map(drop)
}

impl Registry {
    pub(super) fn add_frontend<C>(
        &mut self,
        kind: &'static str,
        check: fn(&C) -> Result<()>,
        build: BuildFrontend<C>,
    ) where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let build: Box<Build> = Box::new(move |section, base, report| {
            let places = section.places();
            let config: C = section.read(&["kind"], report)?;
            let built = check(&config).and_then(|()| build(&config, base));
            built.inspect_err(|e| tell(e, &places, report)).ok()
        });
        self.frontends.push(FrontendKind { kind, build });
    }

    /// Whose the sections of a kind are.
    pub(crate) fn frontend(&self, kind: &str) -> Kind<'_> {
        if kind == VFS {
            return Kind::Vfs;
        }
        if let Some(known) = self.frontends.iter().find(|known| known.kind == kind) {
            return Kind::Served(known.kind, &*known.build);
        }
        let elsewhere = FEATURES.into_iter().chain(LATER).find(|known| *known == kind);
        match elsewhere {
            Some(known) if !self.serves => Kind::Elsewhere(known),
            _ => Kind::Unknown,
        }
    }

    /// The kinds that a config may name, in this build or in another.
    pub(crate) fn known_kinds(&self) -> Vec<&'static str> {
        let mut kinds = vec![VFS];
        kinds.extend(FEATURES);
        kinds.extend(self.frontend_kinds().filter(|kind| !FEATURES.contains(kind)));
        kinds
    }

    /// Reports a kind that is nobody's.
    pub(crate) fn tell_unknown_kind(
        &self,
        kind: &str,
        span: Range<usize>,
        report: &mut Report<'_>,
    ) {
        if FEATURES.contains(&kind) {
            report
                .add(span, format!("this build has no frontend `{kind}`"))
                .label("left out when this was built")
                .note(format!("in a Rust program: the feature `{kind}` of the crate `hozo`"));
            return;
        }
        let later = LATER.contains(&kind);
        let message = match later {
            true => format!("frontend `{kind}` is not in this version of Hozo"),
            false => format!("unknown frontend `{kind}`"),
        };
        let problem = report.add(span, message);
        let known = self.known_kinds();
        if !later && let Some(meant) = nearest(kind, known.iter().copied()) {
            problem.label(format!("did you mean `{meant}`?"));
        }
        problem.note(format!("kinds: {}", listed(known)));
    }
}
