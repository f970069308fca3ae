//! Stores.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo_traits::{Ambient, Error, ErrorKind, Store};
use toml::Spanned;

use super::path;
use crate::checkup::{CheckProgress, Checker, Checkup};
use crate::problem::{listed, nearest};
use crate::registry::{Opener, Prepared, Registry};
use crate::settings::StoreSettings;
use crate::text::Report;

/// A store of the config: `[store.NAME]`.
#[derive(Clone)]
pub struct StorePlan {
    name: String,
    backend: &'static str,
    path: Option<PathBuf>,
    open: Opener,
    check: Option<Checker>,
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

    /// Opens the store, past every [`Stack`](crate::Stack): what a stack does when it first needs it.
    pub fn open(&self, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>, Error> {
        (self.open)(ambient).map_err(|e| e.with("store", &self.name))
    }

    /// Whether the backend can say if the store's files are whole.
    pub fn has_check(&self) -> bool {
        self.check.is_some()
    }

    /// Reads all of the store's files, and says whether they are whole; changes
    /// nothing. Nobody else may have the store open.
    /// [`Unsupported`](ErrorKind::Unsupported) if the backend has no check of
    /// its own.
    pub fn check(&self, progress: CheckProgress<'_>) -> Result<Box<dyn Checkup>, Error> {
        let Some(check) = &self.check else {
            return Err(Error::new(ErrorKind::Unsupported, "this backend has no check of its own")
                .with("store", &self.name)
                .with("backend", self.backend));
        };
        check(progress).map_err(|e| e.with("store", &self.name))
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

/// The place of the store that a section names, among those of the config; the
/// first unless given.
pub(super) fn place(
    wanted: Option<&Spanned<String>>,
    stores: &[String],
    report: &mut Report<'_>,
) -> Option<usize> {
    let Some(wanted) = wanted else { return Some(0) };
    let found = stores.iter().position(|name| name == wanted.get_ref());
    if found.is_none() {
        let text = wanted.get_ref();
        let problem = report.add(wanted.span(), format!("there is no store `{text}`"));
        if let Some(meant) = nearest(text, stores.iter().map(|s| &**s)) {
            problem.label(format!("did you mean `{meant}`?"));
        }
        problem.note(format!("stores: {}", listed(stores.iter().map(|s| &**s))));
    }
    found
}

/// Reports a name that a section of a kind of `what` cannot have.
pub(super) fn check_name(what: &str, name: &Spanned<String>, report: &mut Report<'_>) {
    let text = name.get_ref();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        report
            .add(name.span(), format!("{text:?} cannot be the name of a {what}"))
            .note(format!("a {what}'s name is 1 to 64 of A-Z a-z 0-9 - _"));
    }
}

/// The plan of a `[store.NAME]`; reports what is wrong with it. `paths` are
/// those of the stores above it, with their names and lines.
pub(super) fn check(
    store: StoreSettings<'_>,
    base: &Path,
    registry: &Registry,
    paths: &mut BTreeMap<PathBuf, (String, usize)>,
    report: &mut Report<'_>,
) -> Option<StorePlan> {
    check_name("store", &store.name, report);
    let StoreSettings { name, backend, mut section } = store;
    let name = name.into_inner();
    let path = section.string("path").map(|path| path::absolute(base, path));
    if let (Some(path), Some(span)) = (&path, section.span_of("path")) {
        path::check(path, &path::STORE, &span, report);
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
        registry
            .tell_missing(&wanted, span, report)
            .note(format!("backends here: {}", listed(registry.names())));
        return None;
    };
    let Prepared { open, check } = prepare(section, report)?;
    Some(StorePlan { name, backend, path, open, check })
}
