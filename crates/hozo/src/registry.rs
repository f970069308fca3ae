//! Backends and frontends by name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hozo_traits::{Ambient, Error, ErrorKind, Frontend, Result, Store};
use serde::de::DeserializeOwned;

use crate::checkup::{self, CheckStore};
use crate::section::Places;
use crate::text::Report;

mod backend;
mod frontend;

use backend::Backend;
pub(crate) use backend::{Opener, Prepared};
use frontend::FrontendKind;
pub(crate) use frontend::{Kind, VFS, read_vfs};

/// How a backend opens a store, once its settings are read. One that has pages
/// only answers [`PagesOnly`](hozo_traits::PagesOnly).
pub type OpenStore<C> = fn(&C, Arc<dyn Ambient>) -> Result<Arc<dyn Store>>;

/// How a frontend is built, once its settings are read: not started, and without
/// taking anything. Relative paths in the settings are relative to the directory
/// that it is given, the config file's.
pub type BuildFrontend<C> = fn(&C, &Path) -> Result<BuiltFrontend>;

/// A frontend that can be started.
#[derive(Clone)]
pub struct BuiltFrontend {
    /// The frontend.
    pub frontend: Arc<dyn Frontend>,
    /// How long it may take to finish what was accepted when it is stopped.
    pub stop_within: Duration,
}

impl BuiltFrontend {
    /// How long a frontend may take to stop that does not say.
    pub const STOP_WITHIN: Duration = Duration::from_secs(10);
}

impl<F: Frontend + 'static> From<F> for BuiltFrontend {
    fn from(frontend: F) -> Self {
        BuiltFrontend { frontend: Arc::new(frontend), stop_within: Self::STOP_WITHIN }
    }
}

/// The backends and frontends that a config may name.
///
/// [`Registry::builtin`] has the backends that this build was made with. A
/// backend of your own is one more call, and so is a frontend
/// ([`register_frontend`](Self::register_frontend)):
///
/// ```
/// # use std::sync::Arc;
/// # use hozo::traits::{Ambient, Result, Store};
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct TapeConfig {
///     drive: String,
/// }
///
/// fn open_tape(config: &TapeConfig, _: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
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
    frontends: Vec<FrontendKind>,
    /// Whether it is the serving process's: then a frontend that it has not is
    /// nobody's.
    serves: bool,
}

/// The backend for who has no reason to choose another: what `hozo init` writes.
pub const DEFAULT_BACKEND: &str = hozo_backend_hashdbm::NAME;

impl Registry {
    /// No backends and no frontends.
    pub fn empty() -> Self {
        Registry { backends: Vec::new(), frontends: Vec::new(), serves: false }
    }

    /// The backends that this build was made with, and no frontends but SQLite's:
    /// for processes that take part in a stack and do not serve it. Sections about
    /// network frontends are left to the process that does.
    pub fn builtin() -> Self {
        let mut registry = Registry::empty();
        registry.add(
            hozo_backend_hashdbm::NAME,
            hozo_backend_hashdbm::Config::check,
            hozo_backend_hashdbm::open,
            Some(checkup::hashdbm),
        );
        registry.add(hozo_backend_memory::NAME, |_| Ok(()), hozo_backend_memory::open, None);
        #[cfg(feature = "rocksdb")]
        registry.add(
            hozo_backend_rocksdb::NAME,
            hozo_backend_rocksdb::Config::check,
            hozo_backend_rocksdb::open,
            None,
        );
        #[cfg(feature = "fdb")]
        registry.add(
            hozo_backend_fdb::NAME,
            hozo_backend_fdb::Config::check,
            hozo_backend_fdb::open,
            None,
        );
        #[cfg(feature = "sled")]
        registry.add(
            hozo_backend_sled::NAME,
            hozo_backend_sled::Config::check,
            hozo_backend_sled::open,
            None,
        );
        registry
    }

    /// [`builtin`](Self::builtin) with the frontends that this build was made with:
    /// for the process that serves a stack, and for who checks a whole config.
    /// What it does not know is an error, and left to no other process.
    pub fn serving() -> Self {
        let mut registry = Registry::builtin();
        registry.serves = true;
        #[cfg(feature = "rpc")]
        registry.add_frontend(
            hozo_frontend_rpc::NAME,
            hozo_frontend_rpc::check,
            |config: &hozo_frontend_rpc::Config, base| {
                let stop_within = config.stop_timeout();
                let rpc = hozo_frontend_rpc::Rpc::new(config.clone(), base)?;
                Ok(BuiltFrontend { stop_within, ..rpc.into() })
            },
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
        self.register_with_check(name, check, open, None)
    }

    /// The same for a backend that can say whether a store's files are whole,
    /// and repair them.
    pub fn register_with_check<C>(
        &mut self,
        name: &'static str,
        check: fn(&C) -> Result<()>,
        open: OpenStore<C>,
        check_store: Option<CheckStore<C>>,
    ) -> Result<()>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        if self.find(name).is_some() {
            return Err(Error::new(ErrorKind::Exists, "a backend of this name is registered")
                .with("backend", name));
        }
        self.add(name, check, open, check_store);
        Ok(())
    }

    /// Adds a frontend. `C` is what its `[[frontend]]` sections hold besides
    /// `kind`; its keys should be closed (`deny_unknown_fields`). `check` judges
    /// the values without looking at anything outside the process, and `build`
    /// makes a frontend of them; the place of an error that is
    /// [about](Error::with) a `"setting"` is that key's.
    ///
    /// Where two frontends [claim](Frontend::claims) the same, the place of the
    /// error is the key `listen` of the second, if it has one.
    pub fn register_frontend<C>(
        &mut self,
        kind: &'static str,
        check: fn(&C) -> Result<()>,
        build: BuildFrontend<C>,
    ) -> Result<()>
    where
        C: DeserializeOwned + Send + Sync + 'static,
    {
        if kind == VFS || self.frontends.iter().any(|known| known.kind == kind) {
            return Err(Error::new(ErrorKind::Exists, "a frontend of this kind is registered")
                .with("kind", kind));
        }
        self.add_frontend(kind, check, build);
        Ok(())
    }

    /// The names of the backends, in the order of registration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.backends.iter().map(|backend| backend.name)
    }

    /// The kinds of frontends, in the order of registration; SQLite's is not
    /// registered and always there.
    pub fn frontend_kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.frontends.iter().map(|frontend| frontend.kind)
    }
}

/// Reports an error about a section's values where the value is that it is about.
fn tell(error: &Error, places: &Places, report: &mut Report<'_>) {
    let setting = error.context().iter().find(|(about, _)| *about == "setting");
    report.add(places.of(setting.map(|(_, key)| &**key)), error.to_string());
}

impl Default for Registry {
    /// [`Registry::builtin`].
    fn default() -> Self {
        Registry::builtin()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names().chain(self.frontend_kinds())).finish()
    }
}
