//! Backends by name.

use std::sync::Arc;

use hozo_traits::{Ambient, Error, ErrorKind, PageStore, Result};
use serde::de::DeserializeOwned;

use crate::section::Section;
use crate::text::Report;

/// How a backend opens a store, once its settings are read.
pub type OpenStore<C> = fn(&C, Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>>;

/// Opens one store, when first needed and again after a fork.
pub(crate) type Opener = Arc<dyn Fn(Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> + Send + Sync>;

type Prepare = Box<dyn Fn(Section<'_>, &mut Report<'_>) -> Option<Opener> + Send + Sync>;

/// The backends that a config may name.
///
/// [`Registry::builtin`] has those that this build was made with. A backend of
/// your own is one more call:
///
/// ```
/// # use std::sync::Arc;
/// # use hozo::traits::{Ambient, PageStore, Result};
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct TapeConfig {
///     drive: String,
/// }
///
/// fn open_tape(config: &TapeConfig, _: Arc<dyn Ambient>) -> Result<Arc<dyn PageStore>> {
/// #    let _ = &config.drive;
///     // ...
/// #    Err(hozo::traits::Error::new(hozo::traits::ErrorKind::Unavailable, "no tape"))
/// }
///
/// let mut registry = hozo::Registry::builtin();
/// registry.register("tape", |_| Ok(()), open_tape)?;
/// # Ok::<(), hozo::traits::Error>(())
/// ```
pub struct Registry {
    backends: Vec<Backend>,
}

struct Backend {
    name: &'static str,
    prepare: Prepare,
}

/// Backends that the repository has, whether or not this build has them, and
/// what to do for one that it has not.
const FEATURES: [(&str, &str); 1] = [("rocksdb", "build with the cargo feature `rocksdb`")];

/// Backends of the design that this version has not.
const LATER: [&str; 4] = ["hashdbm", "sled", "fdb", "remote"];

impl Registry {
    /// No backends.
    pub fn empty() -> Self {
        Registry { backends: Vec::new() }
    }

    /// The backends that this build was made with.
    pub fn builtin() -> Self {
        let mut registry = Registry::empty();
        registry.add(hozo_backend_memory::NAME, |_| Ok(()), hozo_backend_memory::open);
        #[cfg(feature = "rocksdb")]
        registry.add(
            hozo_backend_rocksdb::NAME,
            hozo_backend_rocksdb::Config::check,
            hozo_backend_rocksdb::open,
        );
        registry
    }

    /// Adds a backend. `C` is what its `[store.NAME]` sections hold besides
    /// `backend`; its keys should be closed (`deny_unknown_fields`). `check`
    /// judges the values without opening anything; the place of an error that
    /// is [about](Error::with) a `"setting"` is that key's.
    ///
    /// A key `path` is a directory of the store's own: it is taken relative to
    /// the config file, checked, and given to `open` absolute.
    pub fn register<C>(
        &mut self,
        name: &'static str,
        check: fn(&C) -> Result<()>,
        open: OpenStore<C>,
    ) -> Result<()>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        if self.find(name).is_some() {
            return Err(Error::new(ErrorKind::Exists, "a backend of this name is registered")
                .with("backend", name));
        }
        self.add(name, check, open);
        Ok(())
    }

    fn add<C>(&mut self, name: &'static str, check: fn(&C) -> Result<()>, open: OpenStore<C>)
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        let prepare: Prepare = Box::new(move |section, report| {
            let places = section.places();
            let config: C = section.read(&["backend"], report)?;
            if let Err(e) = check(&config) {
                let setting = e.context().iter().find(|(about, _)| *about == "setting");
                report.add(places.of(setting.map(|(_, key)| &**key)), e.to_string());
            }
            let opener: Opener = Arc::new(move |ambient| open(&config, ambient));
            Some(opener)
        });
        self.backends.push(Backend { name, prepare });
    }

    /// The names of the backends, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.backends.iter().map(|backend| backend.name)
    }

    /// The backend's own name, and how it reads a section; `None` if there is
    /// no such backend.
    pub(crate) fn find(&self, name: &str) -> Option<(&'static str, &Prepare)> {
        self.backends.iter().find(|b| b.name == name).map(|b| (b.name, &b.prepare))
    }

    /// What to say about a backend that is not registered.
    pub(crate) fn why_not(name: &str) -> String {
        if let Some((_, how)) = FEATURES.iter().find(|(known, _)| *known == name) {
            format!("this build has no backend `{name}`: {how}")
        } else if LATER.contains(&name) {
            format!("backend `{name}` is not in this version of Hozo")
        } else {
            format!("unknown backend `{name}`")
        }
    }
}

impl Default for Registry {
    /// [`Registry::builtin`].
    fn default() -> Self {
        Registry::builtin()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
