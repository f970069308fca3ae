//! What the C functions answer with: something that will be there.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::codes::{self, Code};

/// What a future can become.
#[derive(Debug)]
pub(crate) enum Answer {
    Nothing,
    Number(i64),
    Key(Vec<u8>),
    Value(Option<Vec<u8>>),
    Pairs(Pairs),
    Keys(Keys),
    Strings(Strings),
}

/// Pairs, laid out as C wants them.
#[derive(Debug)]
pub(crate) struct Pairs {
    /// What the entries of `laid_out` point into.
    _owned: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) laid_out: Vec<RawPair>,
    pub(crate) more: bool,
}

/// A key and its value.
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct RawPair {
    key: *const u8,
    key_length: i32,
    value: *const u8,
    value_length: i32,
}

impl std::fmt::Debug for RawPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawPair")
    }
}

impl Pairs {
    pub(crate) fn new(owned: Vec<(Vec<u8>, Vec<u8>)>, more: bool) -> Self {
        let laid_out = owned.iter().map(|(key, value)| RawPair {
            key: key.as_ptr(),
            key_length: key.len() as i32,
            value: value.as_ptr(),
            value_length: value.len() as i32,
        });
        Pairs { laid_out: laid_out.collect(), _owned: owned, more }
    }
}

/// Keys, laid out as C wants them.
#[derive(Debug)]
pub(crate) struct Keys {
    _owned: Vec<Vec<u8>>,
    pub(crate) laid_out: Vec<RawKey>,
}

/// A key.
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct RawKey {
    key: *const u8,
    key_length: i32,
}

impl std::fmt::Debug for RawKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawKey")
    }
}

impl Keys {
    pub(crate) fn new(owned: Vec<Vec<u8>>) -> Self {
        let raw =
            owned.iter().map(|key| RawKey { key: key.as_ptr(), key_length: key.len() as i32 });
        Keys { laid_out: raw.collect(), _owned: owned }
    }
}

/// Strings, laid out as C wants them.
#[derive(Debug)]
pub(crate) struct Strings {
    _owned: Vec<CString>,
    pub(crate) laid_out: Vec<*const c_char>,
}

impl Strings {
    pub(crate) fn new(owned: Vec<CString>) -> Self {
        Strings { laid_out: owned.iter().map(|s| s.as_ptr()).collect(), _owned: owned }
    }
}

/// A function to call once a future is ready, and what to call it with.
type Callback = (unsafe extern "C" fn(*mut Future, *mut c_void), *mut c_void);

#[derive(Default)]
struct State {
    answer: Option<Result<Answer, Code>>,
    callback: Option<Callback>,
}

/// A future.
#[derive(Default)]
pub struct Future {
    state: Mutex<State>,
    ready: Condvar,
}

// SAFETY: the pointers inside point into memory that the future owns and never
// moves, or are a callback's parameter, which the C API says may be handed to
// another thread.
unsafe impl Send for Future {}
// SAFETY: as above; all of it is behind the mutex.
unsafe impl Sync for Future {}

impl Future {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state().answer.is_some()
    }

    /// Makes it ready, unless it is.
    pub(crate) fn set(&self, answer: Result<Answer, Code>) {
        let mut state = self.state();
        if state.answer.is_some() {
            return;
        }
        state.answer = Some(answer);
        let callback = state.callback.take();
        drop(state);
        self.ready.notify_all();
        if let Some(callback) = callback {
            self.call(callback);
        }
    }

    pub(crate) fn set_callback(&self, callback: Callback) -> Code {
        let mut state = self.state();
        if state.callback.is_some() {
            return codes::INVALID_OPERATION;
        }
        if state.answer.is_none() {
            state.callback = Some(callback);
            return 0;
        }
        drop(state);
        self.call(callback);
        0
    }

    fn call(&self, (function, parameter): Callback) {
        // SAFETY: who set the callback promised that it may be called with this
        // parameter, from any thread, once.
        unsafe { function(std::ptr::from_ref(self).cast_mut(), parameter) };
    }

    pub(crate) fn wait(&self) {
        let mut state = self.state();
        while state.answer.is_none() {
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn error(&self) -> Code {
        match &self.state().answer {
            None => codes::FUTURE_NOT_SET,
            Some(Ok(_)) => 0,
            Some(Err(code)) => *code,
        }
    }

    /// Looks at the answer, which stays where it is until the future goes.
    pub(crate) fn look(&self, with: impl FnOnce(&Answer) -> Option<()>) -> Code {
        match &self.state().answer {
            None => codes::FUTURE_NOT_SET,
            Some(Err(code)) => *code,
            Some(Ok(answer)) if with(answer).is_some() => 0,
            Some(Ok(_)) => codes::INVALID_OPERATION,
        }
    }
}
