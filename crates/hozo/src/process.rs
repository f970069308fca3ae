//! Values that belong to one process and are made anew after a fork.

use std::sync::OnceLock;

/// A value that each process makes for itself when it first needs it.
///
/// After a fork the child must not use, drop or wait for what its parent made:
/// threads are gone, and a lock that one of them held stays held for ever. So
/// the parent's value stays where it is, untouched, and the child's is put
/// behind it. The list is as long as there were forks that used the value
/// before they forked again, which is a handful.
pub(crate) struct PerProcess<T> {
    first: OnceLock<Box<Generation<T>>>,
}

struct Generation<T> {
    process: u32,
    value: T,
    next: OnceLock<Box<Generation<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess { first: OnceLock::new() }
    }

    /// This process's value; `make` gives the first one. It must not wait for
    /// anything: another thread could fork meanwhile.
    pub(crate) fn get(&self, make: impl Fn() -> T) -> &T {
        self.get_in(std::process::id(), make)
    }

    fn get_in(&self, process: u32, make: impl Fn() -> T) -> &T {
        let made = || Box::new(Generation { process, value: make(), next: OnceLock::new() });
        let mut last = self.first.get_or_init(made);
        // Only the last can be this process's. An earlier one with this id was
        // made by an ancestor that ended, and whose id came round again.
        while let Some(next) = last.next.get() {
            last = next;
        }
        while last.process != process {
            last = last.next.get_or_init(made);
        }
        &last.value
    }
}

#[cfg(test)]
mod tests;
