//! The copies of SQLite in this process that the VFS is registered in.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hozo_frontend_vfs::{SqliteApi, Vfs, register_functions};

use crate::dl::{Address, Object};
use crate::entry::Db;
use crate::name::VFS;
use crate::site::Site;
use crate::store::Lazy;

/// [`VFS`] for C.
pub(crate) const VFS_NAME: &CStr = c"hozo";

/// One copy of SQLite with our VFS in it. It stays loaded for the rest of the
/// process, and so does this.
pub(crate) struct Copy {
    object: Object,
    api: &'static SqliteApi,
}

/// A process has one or two.
const COPIES_MAX: usize = 16;

/// All of them, in the order in which they were met; null where there is none
/// yet. Looking takes no lock, which a forked child might have inherited locked.
static COPIES: [AtomicPtr<Copy>; COPIES_MAX] =
    [const { AtomicPtr::new(ptr::null_mut()) }; COPIES_MAX];

/// Held while a copy is added.
static ADDING: Mutex<()> = Mutex::new(());

/// The copy at `site`, with the VFS registered in it.
pub(crate) fn of(site: &Site) -> Result<&'static Copy, String> {
    let lacks =
        |name: &CStr| format!("the program's SQLite does not export {}", name.to_string_lossy());
    // The copy is the object that has this function: other preloaded libraries
    // may stand before the opens, as this one does, but not before this.
    let anchor =
        site.symbol(c"sqlite3_vfs_register").ok_or_else(|| lacks(c"sqlite3_vfs_register"))?;
    let object = Object::at(anchor.as_ptr()).ok_or_else(|| lacks(c"sqlite3_vfs_register"))?;
    let initialize =
        site.symbol(c"sqlite3_initialize").ok_or_else(|| lacks(c"sqlite3_initialize"))?;
    // SQLite's initialisation may call back into opens, so it must not happen
    // first inside the registration, where the lock below is held.
    initialize_copy(initialize)?;
    if let Some(copy) = known(&object) {
        return Ok(copy);
    }
    let _adding = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(copy) = known(&object) {
        return Ok(copy);
    }
    let free = COPIES.iter().find(|slot| slot.load(Ordering::Acquire).is_null());
    let free = free.ok_or_else(|| format!("more than {COPIES_MAX} copies of SQLite"))?;
    let copy = Copy::register(object)?;
    free.store(ptr::from_ref(copy).cast_mut(), Ordering::Release);
    Ok(copy)
}

fn known(object: &Object) -> Option<&'static Copy> {
    // SAFETY: null, or a copy that is never freed and not changed any more.
    let copies = COPIES.iter().map_while(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() });
    copies.into_iter().find(|copy| copy.object.id == object.id)
}

fn initialize_copy(initialize: Address) -> Result<(), String> {
    // SAFETY: SQLite's function of this name.
    let initialize: unsafe extern "C" fn() -> c_int =
        unsafe { std::mem::transmute(initialize.as_ptr()) };
    // SAFETY: no preconditions.
    match unsafe { initialize() } {
        0 => Ok(()),
        code => Err(format!("sqlite3_initialize answered {code}")),
    }
}

impl Copy {
    fn register(object: Object) -> Result<&'static Copy, String> {
        let display = object.display();
        let handle = object.handle().ok_or_else(|| format!("{display} cannot be kept loaded"))?;
        let lookup = |name: &CStr| {
            let found = handle.symbol(name).map(Address::as_ptr);
            // A dependency's function would be another copy's.
            found
                .filter(|f| Object::at(*f).is_some_and(|owner| owner.id == object.id))
                .map_or(ptr::null(), |f| f.cast_const())
        };
        // SAFETY: the functions of these names, all of one object, which the
        // handle keeps loaded for ever.
        let api = unsafe { SqliteApi::from_lookup(&lookup) };
        let api = api.map_err(|e| format!("{display}: {e}"))?;
        // SQLite has the VFS from here on, so the object must not be unloaded:
        // another could be loaded at the same address.
        handle.keep();
        let api: &'static SqliteApi = Box::leak(Box::new(api));
        Vfs::register(api, Arc::new(Lazy), VFS).map_err(|e| format!("{display}: {e}"))?;
        Ok(Box::leak(Box::new(Copy { object, api })))
    }

    /// Adds the SQL functions to a connection of this copy.
    pub(crate) fn functions(&self, db: *mut Db) {
        // Without them the connection is as good, so a failure is not the open's.
        // SAFETY: a live connection of this copy.
        let _ = unsafe { register_functions(self.api, db.cast()) };
    }
}
