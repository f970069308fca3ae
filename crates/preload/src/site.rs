//! Finding the SQLite that a caller is bound to.
//!
//! One process may have several: the system's, a Python wheel's own, one that
//! came with a plug-in. A connection made by one copy and used with another
//! ends in a crash, so the open must go where the caller's other calls go.

use std::ffi::{CStr, CString, c_void};

use crate::dl::{self, Address, Handle, Object};

/// Where a caller's SQLite symbols come from.
#[derive(Debug)]
pub(crate) struct Site {
    scope: Scope,
    caller: Option<Object>,
}

#[derive(Debug)]
enum Scope {
    /// The program's global scope, after this library.
    Global,
    /// The caller's own object and what that depends on, or the one object that
    /// has an SQLite at all.
    Object(Handle),
}

/// Why an open could not be passed on.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

impl Site {
    /// Finds the SQLite of the code at `caller`, an address in it, by looking
    /// for `symbol` in the order in which the linker would bind a reference to
    /// it if this library were not loaded:
    ///
    /// 1. the global scope: the program, what it was linked with, and what was
    ///    loaded with `RTLD_GLOBAL`;
    /// 2. the caller's object and its dependencies. CPython loads `_sqlite3`
    ///    with `RTLD_LOCAL`: there the global scope has none;
    /// 3. any loaded object, if all that have the symbol mean the same one: the
    ///    caller may be code made at run time (libffi), or stand behind a tail
    ///    call, and then says nothing.
    ///
    /// A caller that would not have looked into the global scope first
    /// (`RTLD_DEEPBIND`, `-Bsymbolic`) does not reach this library at all.
    pub(crate) fn find(caller: *const c_void, symbol: &CStr) -> Result<Site, Lost> {
        let caller = Object::at(caller);
        if dl::next_symbol(symbol).is_some() {
            return Ok(Site { scope: Scope::Global, caller });
        }
        let near =
            caller.as_ref().filter(|object| !object.path.is_empty()).and_then(Object::handle);
        if let Some(handle) = near
            && foreign(handle.symbol(symbol)).is_some()
        {
            return Ok(Site { scope: Scope::Object(handle), caller });
        }
        match Self::only(symbol) {
            Ok(handle) => Ok(Site { scope: Scope::Object(handle), caller }),
            Err(why) => {
                let who = caller.map_or("unknown code".to_owned(), |object| object.display());
                Err(Lost(format!("called by {who}, whose SQLite was not found: {why}")))
            }
        }
    }

    /// That of the global scope with the main program in it, before anything
    /// was called: a program may have an SQLite in itself that it exports.
    pub(crate) fn of_program() -> Option<Site> {
        let program = Object { id: 0, path: CString::default() };
        let handle = program.handle()?;
        handle.symbol(c"sqlite3_vfs_register")?;
        Some(Site { scope: Scope::Object(handle), caller: None })
    }

    /// That of a library, which is loaded if it is not yet.
    pub(crate) fn of_library(name: &CStr) -> Result<Site, Lost> {
        let handle = Handle::load(name).map_err(Lost)?;
        Ok(Site { scope: Scope::Object(handle), caller: None })
    }

    fn only(symbol: &CStr) -> Result<Handle, String> {
        let mut found: Option<(Address, Handle, CString)> = None;
        for object in dl::loaded() {
            let Some(handle) = object.handle() else { continue };
            let Some(address) = foreign(handle.symbol(symbol)) else { continue };
            match &found {
                Some((other, _, path)) if *other != address => {
                    return Err(format!(
                        "{} and {} each have one",
                        path.to_string_lossy(),
                        object.path.to_string_lossy()
                    ));
                }
                Some(_) => {}
                None => found = Some((address, handle, object.path)),
            }
        }
        match found {
            Some((_, handle, _)) => Ok(handle),
            None => Err("no loaded object has one".to_owned()),
        }
    }

    /// What the caller's reference to this symbol would have been bound to.
    pub(crate) fn symbol(&self, name: &CStr) -> Option<Address> {
        match &self.scope {
            Scope::Global => dl::next_symbol(name),
            Scope::Object(handle) => foreign(handle.symbol(name)),
        }
    }

    /// The object that called, if it is known.
    pub(crate) fn caller(&self) -> Option<&Object> {
        self.caller.as_ref()
    }
}

/// A symbol that is not one of this library's own, which the main program's
/// handle finds first.
fn foreign(address: Option<Address>) -> Option<Address> {
    address.filter(|address| {
        let object = Object::at(address.as_ptr());
        object.map(|o| o.id) != Object::own().map(|o| o.id)
    })
}
