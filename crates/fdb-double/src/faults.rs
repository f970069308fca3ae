//! Calls that are to fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::codes::{self, Code};

/// How a call is to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) done: Done,
}

/// Whether what was asked for is done nevertheless. Only a commit can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    Never,
    /// Before the answer.
    Yes,
    /// It is on its way when the answer is given, and is judged after so many other
    /// things.
    Late(u32),
}

impl Done {
    /// 0, 1, or one more than how many things come before it.
    pub(crate) fn from_code(code: i32) -> Done {
        match code {
            0 => Done::Never,
            1 => Done::Yes,
            n => Done::Late(n.unsigned_abs() - 1),
        }
    }
}

/// Which calls are to fail, and how many there were.
#[derive(Default)]
struct Faults {
    calls: u64,
    planned: BTreeMap<u64, Fault>,
    cut: bool,
}

static FAULTS: Mutex<Faults> =
    Mutex::new(Faults { calls: 0, planned: BTreeMap::new(), cut: false });

fn faults() -> MutexGuard<'static, Faults> {
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a call, and says whether it is to fail.
pub(crate) fn call() -> Option<Fault> {
    let mut faults = faults();
    let number = faults.calls;
    faults.calls += 1;
    faults.planned.remove(&number)
}

/// How many calls there were.
pub(crate) fn calls() -> u64 {
    faults().calls
}

/// Makes the call fail that comes after so many others.
pub(crate) fn plan(after: u64, fault: Fault) {
    let mut faults = faults();
    let number = faults.calls.saturating_add(after);
    faults.planned.insert(number, fault);
}

/// Forgets what was planned, and answers how much of it there was.
pub(crate) fn clear() -> u64 {
    std::mem::take(&mut faults().planned).len() as u64
}

/// Cuts the network, or joins it again.
pub(crate) fn cut(cut: bool) {
    faults().cut = cut;
}

/// How a call ends that the network does not carry: a transaction with a timeout
/// sees it at once, as no clock runs here; others wait.
pub(crate) fn unreachable(has_timeout: bool) -> Option<Result<(), Code>> {
    if !faults().cut {
        return None;
    }
    Some(if has_timeout { Err(codes::TRANSACTION_TIMED_OUT) } else { Ok(()) })
}
