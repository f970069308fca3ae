//! Step three: a config that was checked against the backends that exist and
//! the directories that it names. Nothing is opened yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hozo_pages::{Concurrency, CreateOptions};
use hozo_traits::PageSize;
use toml::Spanned;

use crate::pattern::Pattern;
use crate::problem::{Problem, Problems, listed, nearest};
use crate::registry::{Opener, Registry};
use crate::settings::{Settings, StoreSettings};
use crate::text::{Report, Text};

mod path;
mod rule;

/// What a config asks for, checked: ready to be opened as a [`Stack`](crate::Stack).
#[derive(Clone, Debug)]
pub struct Plan {
    stores: Vec<StorePlan>,
    rules: Vec<NamespaceRule>,
    cache_bytes: Option<u64>,
}

/// A store of the config: `[store.NAME]`.
#[derive(Clone)]
pub struct StorePlan {
    name: String,
    backend: &'static str,
    path: Option<PathBuf>,
    pub(crate) open: Opener,
}

/// What the config says about some names: `[[namespace]]`.
#[derive(Clone, Debug)]
pub struct NamespaceRule {
    pattern: Pattern,
    store: usize,
    concurrency: Option<Concurrency>,
    page_size: Option<PageSize>,
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
            report
                .missing(0..0, "the config has no store")
                .note("such as:  [store.main]  backend = \"rocksdb\"  path = \"data/main\"");
        }
        let mut paths: BTreeMap<PathBuf, (String, usize)> = BTreeMap::new();
        let mut stores = Vec::new();
        for store in settings.stores {
            check_store_name(&store.name, report);
            stores.extend(store_plan(store, base, registry, &mut paths, report));
        }
        let mut rules: Vec<(NamespaceRule, usize)> = Vec::new();
        for (span, namespace) in settings.namespaces {
            if let Some(rule) = rule::check(span, namespace, &names, &rules, report) {
                rules.push(rule);
            }
        }
        let cache_bytes = settings.cache.bytes.map(Spanned::into_inner);
        Plan { stores, rules: rules.into_iter().map(|(rule, _)| rule).collect(), cache_bytes }
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

    /// How many bytes the process-wide page cache may have, if the config says.
    pub fn cache_bytes(&self) -> Option<u64> {
        self.cache_bytes
    }

    /// The first rule whose pattern `name` is of. Such a name is a namespace
    /// whether or not it exists yet; see [`Stack::find`](crate::Stack::find).
    pub fn maps(&self, name: &str) -> Option<&NamespaceRule> {
        self.rules.iter().find(|rule| rule.pattern.matches(name))
    }

    /// The one store in which a namespace of this name is: its rule's, or the
    /// default store.
    pub fn store_of(&self, name: &str) -> &StorePlan {
        let index = self.maps(name).map_or(0, |rule| rule.store);
        &self.stores[index]
    }

    /// What a new namespace of this name starts with.
    pub fn create_options(&self, name: &str) -> CreateOptions {
        let mut options = CreateOptions::default();
        if let Some(rule) = self.maps(name) {
            options.page_size = rule.page_size.unwrap_or(options.page_size);
            options.concurrency = rule.concurrency.unwrap_or(options.concurrency);
        }
        options
    }
}

impl StorePlan {
    /// Its name in the config.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The backend's name.
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// Its directory, absolute, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it is plain that nothing was ever stored: its directory is not
    /// there, or is empty.
    pub fn is_untouched(&self) -> bool {
        let Some(path) = &self.path else { return false };
        match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

impl std::fmt::Debug for StorePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The backend's own settings stay out: some may be secret.
        f.debug_struct("StorePlan")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl NamespaceRule {
    /// The store that its namespaces are in; `plan` is the one that has this rule.
    pub fn store<'p>(&self, plan: &'p Plan) -> &'p StorePlan {
        &plan.stores[self.store]
    }

    /// The names that it is about.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// How writers share the namespaces, if the rule says; otherwise each has
    /// what it was created with.
    pub fn concurrency(&self) -> Option<Concurrency> {
        self.concurrency
    }

    /// The page size that new namespaces start with, if the rule says.
    pub fn page_size(&self) -> Option<PageSize> {
        self.page_size
    }
}

fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    // One byte more than allowed shows that there is more.
    fs::File::open(file)?.take(Text::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_store_name(name: &Spanned<String>, report: &mut Report<'_>) {
    let text = name.get_ref();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        report
            .add(name.span(), format!("{text:?} cannot be the name of a store"))
            .note("a store's name is 1 to 64 of A-Z a-z 0-9 - _");
    }
}

fn store_plan(
    store: StoreSettings<'_>,
    base: &Path,
    registry: &Registry,
    paths: &mut BTreeMap<PathBuf, (String, usize)>,
    report: &mut Report<'_>,
) -> Option<StorePlan> {
    let StoreSettings { name, backend, mut section } = store;
    let name = name.into_inner();
    let path = section.string("path").map(|path| path::absolute(base, path));
    if let (Some(path), Some(span)) = (&path, section.span_of("path")) {
        path::check(path, &span, report);
        let line = report.line_of(&span);
        if let Some((other, line)) = paths.get(path) {
            report
                .add(span, format!("[store.{name}] and [store.{other}] have the same path"))
                .note(format!(
                    "the other is on line {line}; each store has a directory of its own"
                ));
        } else {
            paths.insert(path.clone(), (name.clone(), line));
        }
        if let Some(path) = path.to_str() {
            section.replace_string("path", path.to_owned());
        }
    }
    let backend = backend?;
    let (span, wanted) = (backend.span(), backend.into_inner());
    let Some((backend, prepare)) = registry.find(&wanted) else {
        let problem = report.add(span, Registry::why_not(&wanted));
        if let Some(meant) = nearest(&wanted, registry.names()) {
            problem.label(format!("did you mean `{meant}`?"));
        }
        problem.note(format!("backends here: {}", listed(registry.names())));
        return None;
    };
    let open = prepare(section, report)?;
    Some(StorePlan { name, backend, path, open })
}
