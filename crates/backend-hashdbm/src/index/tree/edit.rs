//! Changes inside one node.

use std::ops::Range;

use super::super::page::BODY_BYTES;
use super::node::{COUNT, DEAD, FIRST, HEAD, HEAP, NEWEST, Node, RUN, SLOT, get_u16};
use super::pages::Body;
use super::run::{KeyRun, entry_bytes, put_entry, put_marks, put_u16};

/// So much a page must have left after its dead bytes were swept together;
/// otherwise it is split, or it would be swept again at the next insertion.
const SLACK_BYTES: usize = BODY_BYTES / 32;

/// Puts a key at the place that `search` named, if it fits.
pub(super) fn insert(page: &mut Body, at: usize, key: &[u8], value: u64) -> bool {
    let Some(node) = Node::of(page) else { return false };
    let newest = newest_after(&node, at);
    let suffix = key.strip_prefix(node.prefix()).filter(|_| node.count() > 0);
    match suffix {
        Some(suffix) if entry_bytes(suffix.len()) <= node.gap() => {
            let end = node.slots_end();
            let slot = end - (node.count() - at) * SLOT;
            let (count, heap) = (node.count(), get_u16(page, HEAP));
            page.copy_within(slot..end, slot + SLOT);
            let heap = put_entry(page, slot, heap, suffix, value);
            put_u16(page, HEAP, heap);
            put_u16(page, COUNT, count + 1);
            put_u16(page, NEWEST, newest.0);
            page[RUN] = newest.1;
            put_marks(page);
            true
        }
        _ => {
            let run = KeyRun::with(node, at, key, value);
            let slack = if node.dead() > 0 { SLACK_BYTES } else { 0 };
            if run.bytes(0..run.len()) + slack > BODY_BYTES {
                return false;
            }
            let first = if node.level() == 0 { 0 } else { node.child(0) };
            run.build(0..run.len(), first).newest(newest).put(page);
            true
        }
    }
}

/// What [`Node::newest`] is after an insertion there.
pub(super) fn newest_after(node: &Node<'_>, at: usize) -> (usize, u8) {
    let (newest, run) = node.newest();
    let follows = node.count() > 0 && at == newest + 1;
    (at, if follows { run.saturating_add(1) } else { 0 })
}

/// Takes keys out, with their values.
pub(super) fn remove(page: &mut Body, range: Range<usize>) {
    let Some(node) = Node::of(page) else { return };
    let (count, end) = (node.count(), node.slots_end());
    let dead = node.dead() + range.clone().map(|i| node.rest(i).len()).sum::<usize>();
    let (newest, run) = node.newest();
    let slots = end - count * SLOT;
    page.copy_within(slots + range.end * SLOT..end, slots + range.start * SLOT);
    put_u16(page, COUNT, count - range.len());
    put_u16(page, DEAD, dead);
    if range.len() == count {
        put_u16(page, DEAD, 0);
        put_u16(page, HEAP, BODY_BYTES);
    }
    if range.end <= newest {
        put_u16(page, NEWEST, newest - range.len());
        page[RUN] = run;
    } else if range.start <= newest {
        put_u16(page, NEWEST, 0);
        page[RUN] = 0;
    }
    put_marks(page);
}

/// Replaces a value, in an inner node the child at or above key `i`.
pub(super) fn set_value(page: &mut Body, i: usize, value: u64) {
    let Some(node) = Node::of(page) else { return };
    let at = node.slots_end() - (node.count() - i) * SLOT + HEAD;
    page[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Replaces child `i` of an inner node.
pub(super) fn set_child(page: &mut Body, i: usize, no: u32) {
    if i == 0 {
        page[FIRST..FIRST + 4].copy_from_slice(&no.to_le_bytes());
    } else {
        set_value(page, i - 1, u64::from(no));
    }
}

/// Takes child `i` out of an inner node that has others, with the key that
/// separated it from one of them.
pub(super) fn remove_child(page: &mut Body, i: usize) {
    if i > 0 {
        return remove(page, i - 1..i);
    }
    let Some(second) = Node::of(page).filter(|node| node.count() > 0).map(|node| node.child(1))
    else {
        return;
    };
    set_child(page, 0, second);
    remove(page, 0..1);
}
