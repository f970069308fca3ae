//! What is measured: a store, or SQLite on a plain file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hozo::pages::NamespaceName;
use hozo::traits::exec::block_on;
use hozo::traits::{Ambient, Error, ErrorKind, KvStore, PageStore, Result, Store, SystemAmbient};
use hozo::{Plan, Registry, Stack};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::usage::disk_bytes;
use crate::workload::Database;

/// What the yardstick is called.
pub const YARDSTICK: &str = "sqlite";
/// What the configs of targets call their store.
const STORE: &str = "bench";
/// The directory of a store, in that of its trial.
const STORE_DIR: &str = "store";

/// Something to measure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Its name in reports.
    pub name: String,
    /// The backend; [`YARDSTICK`] for SQLite on a plain file.
    pub backend: String,
    /// How it is opened.
    pub source: Source,
}

/// How a target is opened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// SQLite on a plain file.
    PlainFile,
    /// A store of these settings, in the trial's own directory.
    Fresh {
        /// A config with this one store.
        config: String,
    },
    /// A store that exists and is used by others, too.
    Existing {
        /// A config with this one store, its path absolute.
        config: String,
    },
}

impl Target {
    /// SQLite on a plain file.
    pub fn yardstick() -> Self {
        let name = YARDSTICK.to_owned();
        Target { backend: name.clone(), name, source: Source::PlainFile }
    }

    /// A store of this backend with nothing set but a directory, if it has one.
    pub fn of_backend(backend: &str, registry: &Registry) -> Result<Self> {
        let mut section = Table::new();
        section.insert("backend".to_owned(), Value::from(backend));
        let without = config_of(section.clone(), None);
        section.insert("path".to_owned(), Value::from(STORE_DIR));
        let with = config_of(section, None);
        // Backends without a directory refuse the key, which is the only way
        // to know them.
        let config = match plan(&with, Path::new("/"), registry) {
            Ok(_) => with,
            Err(e) => match plan(&without, Path::new("/"), registry) {
                Ok(_) => without,
                Err(_) => return Err(e.with("backend", backend)),
            },
        };
        let backend = backend.to_owned();
        Ok(Target { name: backend.clone(), backend, source: Source::Fresh { config } })
    }

    /// The stores of a config, which was checked, each as it is set there. With
    /// `existing` they are the stores themselves; otherwise fresh ones with
    /// the same settings.
    pub fn of_config(text: &str, plan: &Plan, existing: bool) -> Result<Vec<Self>> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            Error::new(ErrorKind::Invalid, "the config is not TOML").caused_by(e)
        })?;
        let cache = table.get("cache");
        plan.stores()
            .iter()
            .map(|store| {
                let section = table.get("store").and_then(|stores| stores.get(store.name()));
                let mut section = section.and_then(Value::as_table).cloned().ok_or_else(|| {
                    Error::new(ErrorKind::Internal, "a store's section is not in its config")
                        .with("store", store.name())
                })?;
                if let Some(path) = store.path() {
                    let path = if existing { path } else { Path::new(STORE_DIR) };
                    section.insert("path".to_owned(), Value::from(path.display().to_string()));
                }
                let config = config_of(section, cache);
                Ok(Target {
                    name: store.name().to_owned(),
                    backend: store.backend().to_owned(),
                    source: if existing {
                        Source::Existing { config }
                    } else {
                        Source::Fresh { config }
                    },
                })
            })
            .collect()
    }

    /// Whether it is SQLite on a plain file.
    pub fn is_yardstick(&self) -> bool {
        self.source == Source::PlainFile
    }
}

/// A config with one store, in which every name that we use is a namespace.
fn config_of(section: Table, cache: Option<&Value>) -> String {
    let mut stores = Table::new();
    stores.insert(STORE.to_owned(), Value::from(section));
    let mut rule = Table::new();
    rule.insert("match".to_owned(), Value::from("bench-*"));
    let mut config = Table::new();
    config.insert("store".to_owned(), Value::from(stores));
    config.insert("namespace".to_owned(), Value::from(vec![Value::from(rule)]));
    if let Some(cache) = cache {
        config.insert("cache".to_owned(), cache.clone());
    }
    config.to_string()
}

fn plan(config: &str, base: &Path, registry: &Registry) -> Result<Plan> {
    Plan::from_text("bench", config, base, registry).map_err(|problems| {
        Error::new(
            ErrorKind::Invalid,
            format!("the store cannot be made: {}", problems.in_one_line()),
        )
    })
}

/// A target, opened in a directory of its own.
pub struct Subject {
    dir: PathBuf,
    /// A name that nobody else has.
    name: String,
    opened: Opened,
}

enum Opened {
    PlainFile,
    Store { stack: Arc<Stack>, existing: bool, bytes_before: u64 },
}

impl Subject {
    /// Opens a target; what it makes is in `dir`, except of one that exists.
    pub fn open(source: &Source, dir: &Path, registry: &Registry) -> Result<Self> {
        let mut random = [0; 8];
        SystemAmbient.fill_random(&mut random);
        let name = format!("bench-{:016x}", u64::from_le_bytes(random));
        let opened = match source {
            Source::PlainFile => Opened::PlainFile,
            Source::Fresh { config } => {
                let stack = Stack::open(plan(config, dir, registry)?);
                Opened::Store { stack, existing: false, bytes_before: 0 }
            }
            Source::Existing { config } => {
                let stack = Stack::open(plan(config, dir, registry)?);
                let path = stack.plan().stores().first().and_then(|store| store.path());
                let bytes_before = path.map(bytes_of).transpose()?.unwrap_or_default();
                Opened::Store { stack, existing: true, bytes_before }
            }
        };
        Ok(Subject { dir: dir.to_owned(), name, opened })
    }

    /// An empty database in it.
    pub fn database(&self) -> Result<Database> {
        match &self.opened {
            Opened::PlainFile => Ok(Database::File(self.dir.join("plain.db"))),
            Opened::Store { stack, .. } => {
                stack.create(&self.namespace()?)?;
                Ok(Database::Namespace {
                    stack: stack.clone(),
                    store: STORE.to_owned(),
                    name: self.name.clone(),
                })
            }
        }
    }

    /// Its pages, for who needs no SQLite. To be asked for once, and nothing
    /// else then: it opens the store.
    pub fn pages(&self) -> Result<Arc<dyn PageStore>> {
        self.store()?.pages()
    }

    /// An empty DBM in it. As [`pages`](Self::pages), to be asked for once.
    pub fn records(&self) -> Result<Arc<dyn KvStore>> {
        if let Opened::Store { existing: true, .. } = self.opened {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a DBM cannot be taken out of a store again, so none is put into one that exists",
            ));
        }
        self.store()?.records(&self.name)
    }

    /// The store itself, without a stack over it.
    fn store(&self) -> Result<Arc<dyn Store>> {
        let Opened::Store { stack, .. } = &self.opened else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a plain SQLite file holds databases, and nothing else",
            ));
        };
        let stores = stack.plan().stores();
        let store = stores.first().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "the config of a target has no store")
        })?;
        store.open(Arc::new(SystemAmbient))
    }

    fn namespace(&self) -> Result<NamespaceName> {
        self.name.parse()
    }

    /// Bytes that were added on disk; `None` if it is not on a disk.
    pub fn disk_bytes(&self) -> Result<Option<u64>> {
        match &self.opened {
            Opened::PlainFile => bytes_of(&self.dir).map(Some),
            Opened::Store { stack, bytes_before, .. } => {
                let path = stack.plan().stores().first().and_then(|store| store.path());
                let bytes = path.map(bytes_of).transpose()?;
                Ok(bytes.map(|bytes| bytes.saturating_sub(*bytes_before)))
            }
        }
    }

    /// Takes out of a store that exists what was put into it. Connections are
    /// closed before.
    pub fn clean_up(&self) -> Result<()> {
        let Opened::Store { stack, existing: true, .. } = &self.opened else { return Ok(()) };
        let name = self.namespace()?;
        match block_on(stack.store_of(&name)?.delete(&name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e.with("namespace", &name)),
            _ => Ok(()),
        }
    }
}

fn bytes_of(path: &Path) -> Result<u64> {
    disk_bytes(path).map_err(|e| {
        Error::new(ErrorKind::Unavailable, "the size of a directory is not known")
            .with("directory", path.display())
            .caused_by(e)
    })
}
