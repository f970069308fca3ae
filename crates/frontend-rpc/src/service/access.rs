//! What the one who asks may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic::Status;

/// A right to one DBM. Each has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Right {
    /// To read records and properties.
    Read,
    /// To change records.
    Write,
    /// To rebuild files, to make copies, and to change who is followed.
    Admin,
}

impl Right {
    /// Every right.
    pub const ALL: [Right; 3] = [Right::Read, Right::Write, Right::Admin];

    /// The right as configs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        }
    }
}

/// The rights of one who asks, found by the server before the request gets
/// here: it is an extension of the request. A request without one is denied.
#[derive(Clone, Debug)]
pub enum Access {
    /// Every right to everything.
    Full,
    /// What was granted to one who shows a token.
    Rights(Arc<Grant>),
}

/// What is granted to one token, until it is taken back.
#[derive(Debug)]
pub struct Grant {
    name: String,
    rights: Box<[Option<Right>]>,
    is_over: AtomicBool,
}

impl Grant {
    /// To the token of this name: the highest right to each DBM, by its index;
    /// `None` and what is beyond the end is no right.
    pub fn new(name: impl Into<String>, rights: impl Into<Box<[Option<Right>]>>) -> Self {
        Grant { name: name.into(), rights: rights.into(), is_over: AtomicBool::new(false) }
    }

    /// What the token is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes it back. Calls that are under way with it, such as streams, end
    /// before they do anything more.
    pub fn take_back(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Whether both grant the same to the same.
    pub fn is_same(&self, other: &Grant) -> bool {
        self.name == other.name && self.rights == other.rights
    }
}

impl Access {
    /// Whether this right to the DBM of this index is there.
    pub fn allows(&self, index: usize, right: Right) -> bool {
        match self {
            Access::Full => true,
            Access::Rights(grant) => {
                let highest = grant.rights.get(index).copied().flatten();
                highest.is_some_and(|highest| highest >= right)
            }
        }
    }

    /// An error if it was taken back since the call began.
    pub(super) fn holds(&self) -> Result<(), Status> {
        match self {
            Access::Rights(grant) if grant.is_over.load(Ordering::Acquire) => {
                Err(Status::unauthenticated(
                    "the token was taken back or has other rights now: begin the call again",
                ))
            }
            Access::Full | Access::Rights(_) => Ok(()),
        }
    }
}
