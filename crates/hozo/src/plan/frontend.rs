//! Frontends.

use std::ops::Range;
use std::path::Path;

use hozo_traits::Claim;

use crate::problem::listed;
use crate::registry::{BuiltFrontend, Kind, Registry, VFS, read_vfs};
use crate::section::{Places, Section};
use crate::text::Report;

/// A frontend of the config: `[[frontend]]`.
#[derive(Clone)]
pub struct FrontendPlan {
    kind: &'static str,
    served: Option<BuiltFrontend>,
}

impl FrontendPlan {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether [`Stack::serve`](crate::Stack::serve) starts it. Others belong to
    /// other processes: SQLite's VFS to what loads it, and what the
    /// [`Registry`] does not have to a process that does.
    pub fn is_served(&self) -> bool {
        self.served.is_some()
    }

    /// What it takes outside the process; nothing if this process does not start
    /// it.
    pub fn claims(&self) -> Vec<Claim> {
        self.served.as_ref().map(|built| built.frontend.claims()).unwrap_or_default()
    }

    /// What is to be started.
    pub(crate) fn served(&self) -> Option<&BuiltFrontend> {
        self.served.as_ref()
    }
}

impl std::fmt::Debug for FrontendPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The frontend's own settings stay out: some may be secret.
        f.debug_struct("FrontendPlan")
            .field("kind", &self.kind)
            .field("claims", &self.claims())
            .finish_non_exhaustive()
    }
}

/// Reads `[[frontend]]` sections one after the other.
pub(super) struct Reader<'r> {
    base: &'r Path,
    registry: &'r Registry,
    has_dbms: bool,
    plans: Vec<FrontendPlan>,
    /// What is taken, by which kind, on which line.
    claims: Vec<(Claim, &'static str, usize)>,
    /// The line of the VFS.
    vfs: Option<usize>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(base: &'r Path, registry: &'r Registry, has_dbms: bool) -> Self {
        Reader { base, registry, has_dbms, plans: Vec::new(), claims: Vec::new(), vfs: None }
    }

    /// The frontends, in the order of the config.
    pub(super) fn plans(self) -> Vec<FrontendPlan> {
        self.plans
    }

    /// Reads a section; reports what is wrong with it, alone or beside those
    /// that were read before.
    pub(super) fn check(&mut self, mut section: Section<'_>, report: &mut Report<'_>) {
        let registry = self.registry;
        let such_as = format!("kinds: {}", listed(registry.known_kinds()));
        let Some(kind) = section.take_string("kind", &such_as, report) else { return };
        let (span, places) = (section.span.clone(), section.places());
        match registry.frontend(kind.get_ref()) {
            Kind::Vfs => {
                if read_vfs(section, report).is_some() {
                    self.vfs(span, report);
                }
            }
            Kind::Served(kind, build) => {
                if let Some(built) = build(section, self.base, report) {
                    self.served(kind, built, &places, report);
                }
            }
            Kind::Elsewhere(kind) => self.plans.push(FrontendPlan { kind, served: None }),
            Kind::Unknown => registry.tell_unknown_kind(kind.get_ref(), kind.span(), report),
        }
    }

    fn vfs(&mut self, span: Range<usize>, report: &mut Report<'_>) {
        let line = report.line_of(&span);
        match self.vfs {
            Some(first) => {
                report
                    .add(span, "a config has one frontend of kind `vfs`")
                    .note(format!("the first one is on line {first}"));
            }
            None => {
                self.vfs = Some(line);
                self.plans.push(FrontendPlan { kind: VFS, served: None });
            }
        }
    }

    fn served(
        &mut self,
        kind: &'static str,
        built: BuiltFrontend,
        places: &Places,
        report: &mut Report<'_>,
    ) {
        let frontend = &built.frontend;
        if frontend.needs().dbms && !self.has_dbms {
            report
                .missing(places.of(None), format!("frontend `{kind}` has no DBM to serve"))
                .note("such as:  [[dbm]]  name = \"casket\"");
        }
        let at = places.of(Some("listen"));
        let line = report.line_of(&at);
        for claim in frontend.claims() {
            if let Some((other, by, there)) = self.claims.iter().find(|(c, ..)| c.clashes(&claim)) {
                report
                    .add(at.clone(), format!("{claim} is taken already"))
                    .note(format!("by frontend `{by}` on line {there}, as {other}"));
            }
            self.claims.push((claim, kind, line));
        }
        self.plans.push(FrontendPlan { kind, served: Some(built) });
    }
}
