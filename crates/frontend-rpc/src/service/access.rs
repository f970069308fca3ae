//! What the one who asks may do.

use std::sync::Arc;

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
    /// The highest right to each DBM, by its index; `None` and what is beyond
    /// the end is no right.
    Rights(Arc<[Option<Right>]>),
}

impl Access {
    /// Whether this right to the DBM of this index is there.
    pub fn allows(&self, index: usize, right: Right) -> bool {
        match self {
            Access::Full => true,
            Access::Rights(rights) => {
                rights.get(index).copied().flatten().is_some_and(|highest| highest >= right)
            }
        }
    }
}
