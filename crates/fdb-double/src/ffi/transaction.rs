//! Transactions.

use std::ffi::{CString, c_int};
use std::sync::Arc;

use super::{bytes, code, give, number, share, take};
use crate::codes::{self, Code};
use crate::future::{Answer, Future, Keys, Strings};
use crate::mutation::Mutation;
use crate::range::{Request, Selector};
use crate::transaction::{Options, Transaction};

pub(super) fn set_option(options: &mut Options, option: c_int, value: &[u8]) -> Result<(), Code> {
    let wanted = number(value).ok_or(codes::INVALID_OPTION_VALUE);
    match option {
        30 => options.next_write_unnoticed = true,
        51 => options.blind_reads = true,
        301..=303 => options.system_keys = true,
        500 => options.timeout_ms = wanted?,
        501 => options.retries_left = Some(wanted?).filter(|retries| *retries >= 0),
        502 => drop(wanted?),
        503 => {
            let bytes =
                usize::try_from(wanted?).ok().filter(|bytes| (32..=10_000_000).contains(bytes));
            options.size_limit = Some(bytes.ok_or(codes::INVALID_OPTION_VALUE)?);
        }
        10 | 20 | 21 | 23 | 52 | 200 | 201 | 401..=406 | 504..=511 | 600 | 601 | 700..=714 => {}
        800 | 801 | 900 | 1000 | 1100..=1102 | 2000 => {}
        _ => return Err(codes::INVALID_OPTION),
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_destroy(tr: *mut Transaction) {
    // SAFETY: the caller's handle, which it gives up.
    drop(unsafe { take(tr) });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_cancel(tr: *mut Transaction) {
    // SAFETY: the caller's handle.
    unsafe { share(tr) }.cancel();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_reset(tr: *mut Transaction) {
    // SAFETY: the caller's handle.
    unsafe { share(tr) }.reset();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_set_option(
    tr: *mut Transaction,
    option: c_int,
    value: *const u8,
    length: c_int,
) -> c_int {
    // SAFETY: the caller's handle and bytes.
    let (transaction, value) = unsafe { (share(tr), bytes(value, length)) };
    let mut state = transaction.state();
    code(set_option(&mut state.options, option, &value))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_set_read_version(tr: *mut Transaction, version: i64) {
    // SAFETY: the caller's handle.
    unsafe { share(tr) }.state().read_version.get_or_insert(version);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_read_version(tr: *mut Transaction) -> *mut Future {
    // SAFETY: the caller's handle.
    let transaction = unsafe { share(tr) };
    give(transaction.ask(|tr, state| Ok(Answer::Number(state.version(&tr.cluster)?))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get(
    tr: *mut Transaction,
    key: *const u8,
    length: c_int,
    snapshot: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (transaction, key) = unsafe { (share(tr), bytes(key, length)) };
    give(
        transaction
            .ask(move |tr, state| Ok(Answer::Value(state.get(&tr.cluster, key, snapshot != 0)?))),
    )
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_key(
    tr: *mut Transaction,
    key: *const u8,
    length: c_int,
    or_equal: c_int,
    offset: c_int,
    snapshot: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (transaction, key) = unsafe { (share(tr), bytes(key, length)) };
    let selector = Selector { key, or_equal: or_equal != 0, offset };
    give(transaction.ask(move |tr, state| {
        Ok(Answer::Key(state.get_key(&tr.cluster, &selector, snapshot != 0)?))
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_range(
    tr: *mut Transaction,
    begin: *const u8,
    begin_length: c_int,
    begin_or_equal: c_int,
    begin_offset: c_int,
    end: *const u8,
    end_length: c_int,
    end_or_equal: c_int,
    end_offset: c_int,
    limit: c_int,
    target_bytes: c_int,
    mode: c_int,
    iteration: c_int,
    snapshot: c_int,
    reverse: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (transaction, begin, end) =
        unsafe { (share(tr), bytes(begin, begin_length), bytes(end, end_length)) };
    let selector = |key, or_equal, offset| Selector { key, or_equal: or_equal != 0, offset };
    let request = Request {
        begin: selector(begin, begin_or_equal, begin_offset),
        end: selector(end, end_or_equal, end_offset),
        limit,
        target_bytes,
        mode,
        iteration,
        reverse: reverse != 0,
    };
    give(transaction.ask(move |tr, state| state.get_range(&tr.cluster, &request, snapshot != 0)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_addresses_for_key(
    tr: *mut Transaction,
    _: *const u8,
    _: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle.
    let transaction = unsafe { share(tr) };
    let address = || CString::from(c"127.0.0.1:4500");
    give(transaction.ask(move |_, _| Ok(Answer::Strings(Strings::new(vec![address()])))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_set(
    tr: *mut Transaction,
    key: *const u8,
    key_length: c_int,
    value: *const u8,
    value_length: c_int,
) {
    // SAFETY: the caller's handle and bytes.
    let (tr, key, value) =
        unsafe { (share(tr), bytes(key, key_length), bytes(value, value_length)) };
    tr.state().change(Ok(Mutation::Set(key, value)));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_atomic_op(
    tr: *mut Transaction,
    key: *const u8,
    key_length: c_int,
    operand: *const u8,
    operand_length: c_int,
    operation: c_int,
) {
    // SAFETY: the caller's handle and bytes.
    let (tr, key, operand) =
        unsafe { (share(tr), bytes(key, key_length), bytes(operand, operand_length)) };
    tr.state().change(Mutation::atomic(operation.cast_unsigned(), &key, &operand));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_clear(
    tr: *mut Transaction,
    key: *const u8,
    length: c_int,
) {
    // SAFETY: the caller's handle and bytes.
    let (tr, key) = unsafe { (share(tr), bytes(key, length)) };
    tr.state().change(Ok(Mutation::Clear(crate::mutation::single(&key))));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_clear_range(
    tr: *mut Transaction,
    begin: *const u8,
    begin_length: c_int,
    end: *const u8,
    end_length: c_int,
) {
    // SAFETY: the caller's handle and bytes.
    let (tr, begin, end) =
        unsafe { (share(tr), bytes(begin, begin_length), bytes(end, end_length)) };
    tr.state().change(Ok(Mutation::Clear((begin, end))));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_watch(
    tr: *mut Transaction,
    key: *const u8,
    length: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (transaction, key) = unsafe { (share(tr), bytes(key, length)) };
    // It begins at once, though the real one waits for the transaction's commit.
    let future = Arc::new(Future::default());
    let (watching, watched) = (Arc::clone(&future), key.clone());
    let seen = transaction.ask(move |tr, state| {
        let seen = state.get(&tr.cluster, watched.clone(), true)?;
        tr.cluster.watch(watched, seen.map(Arc::from), watching);
        Ok(Answer::Nothing)
    });
    drop(seen);
    give(future)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_commit(tr: *mut Transaction) -> *mut Future {
    // SAFETY: the caller's handle.
    give(unsafe { share(tr) }.commit())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_committed_version(
    tr: *mut Transaction,
    out: *mut i64,
) -> c_int {
    // SAFETY: the caller's handle.
    let committed = unsafe { share(tr) }.state().committed;
    let Some(version) = committed else { return codes::NO_COMMIT_VERSION };
    // SAFETY: a place for it, from the caller.
    unsafe { *out = version };
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_approximate_size(tr: *mut Transaction) -> *mut Future {
    // SAFETY: the caller's handle.
    let transaction = unsafe { share(tr) };
    give(
        transaction
            .ask(|_, state| Ok(Answer::Number(i64::try_from(state.bytes()).unwrap_or(i64::MAX)))),
    )
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_versionstamp(tr: *mut Transaction) -> *mut Future {
    // SAFETY: the caller's handle.
    give(unsafe { share(tr) }.versionstamp())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_on_error(
    tr: *mut Transaction,
    error: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle.
    give(unsafe { share(tr) }.on_error(error))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_add_conflict_range(
    tr: *mut Transaction,
    begin: *const u8,
    begin_length: c_int,
    end: *const u8,
    end_length: c_int,
    kind: c_int,
) -> c_int {
    // SAFETY: the caller's handle and bytes.
    let (tr, begin, end) =
        unsafe { (share(tr), bytes(begin, begin_length), bytes(end, end_length)) };
    let mut state = tr.state();
    code(state.add_conflict((begin, end), kind == 1))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_estimated_range_size_bytes(
    tr: *mut Transaction,
    begin: *const u8,
    begin_length: c_int,
    end: *const u8,
    end_length: c_int,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (tr, begin, end) =
        unsafe { (share(tr), bytes(begin, begin_length), bytes(end, end_length)) };
    give(tr.ask(move |tr, state| {
        let bytes = state.range_bytes(&tr.cluster, &(begin, end))?;
        Ok(Answer::Number(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdb_transaction_get_range_split_points(
    tr: *mut Transaction,
    begin: *const u8,
    begin_length: c_int,
    end: *const u8,
    end_length: c_int,
    _: i64,
) -> *mut Future {
    // SAFETY: the caller's handle and bytes.
    let (tr, begin, end) =
        unsafe { (share(tr), bytes(begin, begin_length), bytes(end, end_length)) };
    // All of it is in one shard, as in a small cluster.
    give(tr.ask(move |_, _| Ok(Answer::Keys(Keys::new(vec![begin, end])))))
}
