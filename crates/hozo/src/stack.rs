//! Step four: a plan, running.

use std::sync::{Arc, Mutex, PoisonError};

use hozo_frontend_vfs::{Open, Opened, Resolver};
use hozo_pages::{NamespaceInfo, NamespaceName, Namespaces, Target};
#[cfg(feature = "rpc")]
use hozo_repl::HomedPages;
use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, Error, ErrorKind, KvStore, PageStore, Result, Store, SystemAmbient};

use crate::homes::Homes;
#[cfg(feature = "rpc")]
use crate::plan::DbmPlan;
use crate::plan::{Plan, StorePlan};
use crate::process::PerProcess;
#[cfg(feature = "rpc")]
use crate::replication::Replication;

/// The parts of a [`Plan`], opened as they are needed.
///
/// # Which names are namespaces
///
/// A name, without `@` and what follows it, is looked up in one store only:
///
/// 1. If a `[[namespace]]` rule matches it, the first such rule in the file
///    says which store. The name is a namespace whether or not it exists, and
///    opening it for writing makes it.
/// 2. Otherwise it is looked up in the default store, the first of the file. If
///    it exists there it is a namespace; if not, it is a name like any other,
///    such as that of a plain file.
///
/// What cannot be the name of a namespace (`/tmp/x.db`, `./x.db`) never is one.
pub struct Stack {
    plan: Plan,
    ambient: Arc<dyn Ambient>,
    opened: PerProcess<Vec<Mutex<Option<Slot>>>>,
    homes: Homes,
    #[cfg(feature = "rpc")]
    replication: PerProcess<Mutex<Option<Replication>>>,
}

/// A store that is open.
struct Slot {
    store: Arc<dyn Store>,
    pages: Option<Pages>,
    namespaces: Option<Arc<Namespaces>>,
}

/// A store's pages, and what refuses commits if they are replicated.
#[derive(Clone)]
struct Pages {
    pages: Arc<dyn PageStore>,
    #[cfg(feature = "rpc")]
    homed: Option<Arc<HomedPages>>,
}

impl Stack {
    /// A stack as planned. Opens nothing yet.
    pub fn open(plan: Plan) -> Arc<Self> {
        Self::open_with(plan, Arc::new(SystemAmbient))
    }

    /// The same, with a clock and random numbers of the caller's.
    pub fn open_with(plan: Plan, ambient: Arc<dyn Ambient>) -> Arc<Self> {
        Arc::new(Stack {
            plan,
            ambient,
            opened: PerProcess::new(),
            homes: Homes::new(),
            #[cfg(feature = "rpc")]
            replication: PerProcess::new(),
        })
    }

    /// What it was opened from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn ambient(&self) -> Arc<dyn Ambient> {
        Arc::clone(&self.ambient)
    }

    /// The namespaces of a store; opens the store if this process has not yet.
    pub fn store(&self, name: &str) -> Result<Arc<Namespaces>> {
        self.with_store(name, |slot| {
            if let Some(namespaces) = &slot.namespaces {
                return Ok(Arc::clone(namespaces));
            }
            let Pages { pages, .. } = self.pages(slot, name)?;
            let namespaces = Namespaces::new(pages, self.ambient.clone());
            if let Some(bytes) = self.plan.cache_bytes() {
                // The cache is the process's, like the store that was just opened.
                hozo_frontend_vfs::set_page_cache_bytes_max(
                    usize::try_from(bytes).unwrap_or(usize::MAX),
                );
            }
            slot.namespaces = Some(Arc::clone(&namespaces));
            Ok(namespaces)
        })
    }

    /// The pages of a store that is open, as its namespaces see them.
    fn pages(&self, slot: &mut Slot, name: &str) -> Result<Pages> {
        if let Some(pages) = &slot.pages {
            return Ok(pages.clone());
        }
        let inner = slot.store.pages().map_err(|e| e.with("store", name))?;
        let homed = self.homes.homed(&self.plan, name, &inner)?;
        let pages = match &homed {
            Some(homed) => Arc::clone(homed) as Arc<dyn PageStore>,
            None => inner,
        };
        let pages = Pages {
            pages,
            #[cfg(feature = "rpc")]
            homed,
        };
        Ok(slot.pages.insert(pages).clone())
    }

    /// A DBM of a store, made if there is none of this name; opens the store if
    /// this process has not yet. See [`Store::records`].
    pub fn records(&self, store: &str, dbm: &str) -> Result<Arc<dyn KvStore>> {
        self.with_store(store, |slot| slot.store.records(dbm).map_err(|e| e.with("store", store)))
    }

    fn slots(&self) -> &[Mutex<Option<Slot>>] {
        self.opened.get(|| self.plan.stores().iter().map(|_| Mutex::new(None)).collect::<Vec<_>>())
    }

    /// Does something with this server's part in replication, which is opened if
    /// this process has not yet, with all DBMs of the config; `None` if the
    /// config has none.
    #[cfg(feature = "rpc")]
    pub(crate) fn with_replication<R>(
        &self,
        with: impl FnOnce(&mut Replication) -> Result<R>,
    ) -> Result<Option<R>> {
        let Some(replication) = self.plan.replication() else { return Ok(None) };
        let slot = self.replication.get(|| Mutex::new(None));
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            let records = |dbm: &DbmPlan| {
                let records = self.records(dbm.store(&self.plan).name(), dbm.name());
                Ok((dbm.name().to_owned(), records.map_err(|e| e.with("dbm", dbm.name()))?))
            };
            let dbms = self.plan.dbms().iter().map(records).collect::<Result<_>>()?;
            let stores = replication.namespaces().iter();
            let pages = stores.map(|name| {
                let homed = self.with_store(name, |slot| Ok(self.pages(slot, name)?.homed))?;
                homed.ok_or_else(|| {
                    Error::new(ErrorKind::Internal, "a replicated store is not homed")
                })
            });
            let pages = pages.collect::<Result<_>>()?;
            *slot = Some(Replication::open(replication, dbms, pages, self.ambient.clone())?);
        }
        match &mut *slot {
            Some(replication) => with(replication).map(Some),
            None => Err(Error::new(ErrorKind::Internal, "a log that was opened is not there")),
        }
    }

    /// Closes the stores that are open, as dropping the stack does, also where
    /// something that never ends still has it, as a registered VFS has. One that
    /// is in use closes when it is not any more; one that is asked for again is
    /// opened again.
    pub fn close(&self) {
        #[cfg(feature = "rpc")]
        drop(
            self.replication
                .get(|| Mutex::new(None))
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        for slot in self.slots() {
            drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        self.homes.forget();
    }

    /// Does something with a store, which nobody else does meanwhile.
    fn with_store<R>(&self, name: &str, with: impl FnOnce(&mut Slot) -> Result<R>) -> Result<R> {
        let stores = self.plan.stores();
        let Some(index) = stores.iter().position(|store| store.name() == name) else {
            return Err(
                Error::new(ErrorKind::NotFound, "the config has no such store").with("store", name)
            );
        };
        let slots = self.slots();
        // Held while the store opens, so that two threads do not open it twice.
        // A panic in there leaves the slot as it was, so the poison says nothing.
        let mut slot = slots[index].lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            let store = stores[index].open(self.ambient.clone())?;
            *slot = Some(Slot { store, pages: None, namespaces: None });
        }
        let Some(slot) = &mut *slot else {
            return Err(Error::new(ErrorKind::Internal, "a store that was opened is not there"));
        };
        with(slot)
    }

    /// The namespaces of the store in which a namespace of this name is, or
    /// would be.
    pub fn store_of(&self, name: &NamespaceName) -> Result<Arc<Namespaces>> {
        self.store(self.plan.store_of(name.as_str()).name())
    }

    /// Makes a namespace as the config says for its name.
    pub fn create(&self, name: &NamespaceName) -> Result<NamespaceInfo> {
        let options = self.plan.create_options(name.as_str());
        block_on(self.store_of(name)?.create(name, options))
    }

    /// Looks a name up as [`Stack`] describes; `None` if it is not that of a
    /// namespace. `@` and what follows it may say when.
    pub fn find(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        // What comes before the first `@` cannot contain one, so this is the
        // whole name even if what follows is nonsense.
        let plain = name.split_once('@').map_or(name, |(plain, _)| plain);
        let Ok(base) = plain.parse::<NamespaceName>() else { return Ok(None) };
        let rule = self.plan.maps(plain);
        let store: &StorePlan = self.plan.store_of(plain);
        if rule.is_none() && store.is_untouched() {
            // Looking into a store makes its files. Nobody meant that who only
            // opened a plain file of their own.
            return Ok(None);
        }
        let namespaces = self.store(store.name())?;
        let namespace = match block_on(namespaces.open(&base)) {
            Ok(namespace) => namespace,
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            Err(_) if rule.is_none() => return Ok(None),
            Err(_) if intent.create && !intent.readonly && plain == name => {
                self.create_or_open(&namespaces, &base)?
            }
            Err(e) => return Err(e.with("store", store.name())),
        };
        let target: Target = name.parse()?;
        let snapshot = block_on(namespaces.resolve(&target))?.at;
        Ok(Some(Opened {
            namespace,
            snapshot,
            concurrency: rule.and_then(|rule| rule.concurrency()),
        }))
    }

    /// Whether [`find`](Self::find) would answer a namespace, without making one.
    /// A store that cannot be asked may have it, so the answer is yes.
    fn has(&self, name: &str) -> bool {
        let name = name.split_once('@').map_or(name, |(plain, _)| plain);
        let Ok(parsed) = name.parse::<NamespaceName>() else { return false };
        if self.plan.maps(name).is_some() {
            return true;
        }
        let store = self.plan.store_of(name);
        if store.is_untouched() {
            return false;
        }
        match self.store(store.name()).and_then(|found| block_on(found.get(&parsed))) {
            Ok(_) => true,
            Err(e) => e.kind() != ErrorKind::NotFound,
        }
    }

    fn create_or_open(
        &self,
        namespaces: &Arc<Namespaces>,
        name: &NamespaceName,
    ) -> Result<Arc<hozo_pages::Namespace>> {
        match block_on(namespaces.create(name, self.plan.create_options(name.as_str()))) {
            // Somebody else made it just now: that one will do.
            Err(e) if e.kind() != ErrorKind::Exists => Err(e),
            _ => block_on(namespaces.open(name)),
        }
    }
}

impl Resolver for Stack {
    fn resolve(&self, name: &str, intent: Open) -> Result<Option<Opened>> {
        self.find(name, intent)
    }

    fn is_ours(&self, name: &str) -> bool {
        self.has(name)
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("plan", &self.plan).finish_non_exhaustive()
    }
}
