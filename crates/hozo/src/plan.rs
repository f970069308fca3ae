//! Step three: a config that was checked against the backends that exist and
//! the directories that it names. Nothing is opened yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hozo_pages::CreateOptions;
use toml::Spanned;

use crate::problem::{Problem, Problems};
use crate::registry::{DEFAULT_BACKEND, Registry};
use crate::settings::Settings;
use crate::text::{Report, Text};

mod dbm;
mod frontend;
mod path;
mod replication;
mod rule;
mod store;

pub use dbm::DbmPlan;
pub use frontend::FrontendPlan;
pub use replication::ReplicationPlan;
pub use rule::NamespaceRule;
pub use store::StorePlan;

/// What a config asks for, checked: ready to be opened as a [`Stack`](crate::Stack).
#[derive(Clone, Debug)]
pub struct Plan {
    stores: Vec<StorePlan>,
    rules: Vec<NamespaceRule>,
    dbms: Vec<DbmPlan>,
    replication: Option<ReplicationPlan>,
    frontends: Vec<FrontendPlan>,
    cache_bytes: Option<u64>,
}

impl Plan {
    /// Reads and checks a config file. Relative paths in it are relative to it.
    pub fn from_file(file: impl AsRef<Path>, registry: &Registry) -> Result<Self, Problems> {
        let file = file.as_ref();
        let name = file.display().to_string();
        let fail = |name: String, what: &str, e: std::io::Error| {
            let mut problem = Problem::new(name, None, format!("{what}: {e}"));
            if e.kind() == std::io::ErrorKind::NotFound {
                problem.note("`hozo init` writes one to begin with");
            }
            Problems::one(problem)
        };
        let bytes =
            read_bounded(file).map_err(|e| fail(name.clone(), "the config cannot be read", e))?;
        let absolute = std::path::absolute(file)
            .map_err(|e| fail(name.clone(), "the config's directory is not known", e))?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        Self::check(&Text::new(name, bytes)?, base, registry)
    }

    /// Checks a config that is in memory; `base` is what its relative paths are
    /// relative to, and `name` is what problems call it.
    pub fn from_text(
        name: &str,
        text: &str,
        base: impl AsRef<Path>,
        registry: &Registry,
    ) -> Result<Self, Problems> {
        Self::check(&Text::new(name, text.as_bytes().to_vec())?, base.as_ref(), registry)
    }

    fn check(text: &Text, base: &Path, registry: &Registry) -> Result<Self, Problems> {
        let mut report = Report::new(text);
        let table = text.parse(&mut report);
        let settings = Settings::read(table, &mut report);
        let plan = Plan::of(settings, base, registry, &mut report);
        report.finish()?;
        Ok(plan)
    }

    fn of(
        settings: Settings<'_>,
        base: &Path,
        registry: &Registry,
        report: &mut Report<'_>,
    ) -> Self {
        let names: Vec<String> = settings.stores.iter().map(|s| s.name.get_ref().clone()).collect();
        if !settings.names_store {
            report.missing(0..0, "the config has no store").note(format!(
                "such as:  [store.main]  backend = \"{DEFAULT_BACKEND}\"  path = \"data/main\""
            ));
        }
        let mut paths: BTreeMap<PathBuf, (String, usize)> = BTreeMap::new();
        let mut stores = Vec::new();
        for store in settings.stores {
            stores.extend(store::check(store, base, registry, &mut paths, report));
        }
        let mut rules: Vec<(NamespaceRule, usize)> = Vec::new();
        for (span, namespace) in settings.namespaces {
            if let Some(rule) = rule::check(span, namespace, &names, &rules, report) {
                rules.push(rule);
            }
        }
        let rules: Vec<NamespaceRule> = rules.into_iter().map(|(rule, _)| rule).collect();
        let mut dbms: Vec<(DbmPlan, usize)> = Vec::new();
        for (span, dbm) in settings.dbms {
            if let Some(dbm) = dbm::check(span, dbm, &names, &dbms, report) {
                dbms.push(dbm);
            }
        }
        let dbms = dbms.into_iter().map(|(dbm, _)| dbm).collect();
        let replication = settings.replication.and_then(|section| {
            let mapped = rules.iter().filter_map(|rule| rule.store_name(&names)).collect();
            let has_dbms = settings.names_dbm;
            let rest = replication::Rest { directories: &paths, stores: &names, mapped, has_dbms };
            replication::check(section, base, &rest, report)
        });
        let mut frontends = frontend::Reader::new(base, registry, settings.names_dbm);
        for section in settings.frontends {
            frontends.check(section, report);
        }
        let cache_bytes = settings.cache.bytes.map(Spanned::into_inner);
        Plan { stores, rules, dbms, replication, frontends: frontends.plans(), cache_bytes }
    }

    /// The stores, in the order of the config. The first is the default: names
    /// that no rule maps are looked up there.
    pub fn stores(&self) -> &[StorePlan] {
        &self.stores
    }

    /// The rules about namespaces, in the order of the config.
    pub fn rules(&self) -> &[NamespaceRule] {
        &self.rules
    }

    /// The DBMs, in the order of the config: the place of one is its index on
    /// the wire.
    pub fn dbms(&self) -> &[DbmPlan] {
        &self.dbms
    }

    /// This server's part in replication, if the config has one.
    pub fn replication(&self) -> Option<&ReplicationPlan> {
        self.replication.as_ref()
    }

    /// The frontends, in the order of the config: those that this process can
    /// start, and those that are other processes'.
    pub fn frontends(&self) -> &[FrontendPlan] {
        &self.frontends
    }

    /// How many bytes the process-wide page cache may have, if the config says.
    pub fn cache_bytes(&self) -> Option<u64> {
        self.cache_bytes
    }

    /// The first rule whose pattern `name` is of. Such a name is a namespace
    /// whether or not it exists yet; see [`Stack::find`](crate::Stack::find).
    pub fn maps(&self, name: &str) -> Option<&NamespaceRule> {
        self.rules.iter().find(|rule| rule.pattern().matches(name))
    }

    /// The one store in which a namespace of this name is: its rule's, or the
    /// default store.
    pub fn store_of(&self, name: &str) -> &StorePlan {
        self.maps(name).map_or(&self.stores[0], |rule| rule.store(self))
    }

    /// What a new namespace of this name starts with.
    pub fn create_options(&self, name: &str) -> CreateOptions {
        let mut options = CreateOptions::default();
        if let Some(rule) = self.maps(name) {
            options.page_size = rule.page_size().unwrap_or(options.page_size);
            options.concurrency = rule.concurrency().unwrap_or(options.concurrency);
        }
        options
    }
}

fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    fs::File::open(file)?.take(Text::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
