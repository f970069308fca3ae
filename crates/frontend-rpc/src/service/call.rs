//! A call that is being answered: who asks, and what for.

use std::sync::atomic::{AtomicU64, Ordering};

use tonic::{Extensions, Request, Status};

use super::access::{Access, Right};
use super::dbm::Served;
use super::{Inner, Service};

/// One of the calls that are being answered, as long as this is there.
pub(super) struct Active<'a>(&'a AtomicU64);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The same, for a stream, which outlives what began it.
pub(super) struct Call(Service);

impl Call {
    pub(super) fn new(service: &Service) -> Self {
        service.0.active.fetch_add(1, Ordering::Relaxed);
        Call(service.clone())
    }

    pub(super) fn service(&self) -> &Inner {
        &self.0.0
    }

    /// The service, for a part of the call that has a task of its own.
    pub(super) fn shared(&self) -> Service {
        self.0.clone()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Inner {
    pub(super) fn enter(&self) -> Active<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active(&self.active)
    }

    /// The DBM of this index, for one who has this right to it.
    pub(super) fn dbm(&self, access: &Access, index: i32, right: Right) -> Result<&Served, Status> {
        let found = usize::try_from(index).ok().and_then(|index| self.dbms.get(index));
        let dbm = found.ok_or_else(|| Status::invalid_argument("dbm_index is out of range"))?;
        access.holds()?;
        if access.allows(dbm.index, right) {
            return Ok(dbm);
        }
        Err(denied(&dbm.dbm.name, right))
    }

    /// An error unless the one who asks has this right to every DBM.
    pub(super) fn need_all(&self, access: &Access, right: Right) -> Result<(), Status> {
        match self.dbms.iter().find(|dbm| !access.allows(dbm.index, right)) {
            None => Ok(()),
            Some(dbm) => Err(denied(&dbm.dbm.name, right)),
        }
    }
}

fn denied(dbm: &str, right: Right) -> Status {
    Status::permission_denied(format!("this needs the right {} to the DBM {dbm}", right.as_str()))
}

/// What the server found out about who asks. If it found nothing, nothing is
/// allowed: a way to the service that forgets to ask must not open it.
pub(super) fn access(extensions: &Extensions) -> Result<Access, Status> {
    extensions
        .get::<Access>()
        .cloned()
        .ok_or_else(|| Status::permission_denied("nothing is known of who asks"))
}

/// Who asks, and the message.
pub(super) fn parts<T>(request: Request<T>) -> Result<(Access, T), Status> {
    let access = access(request.extensions())?;
    Ok((access, request.into_inner()))
}
