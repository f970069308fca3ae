//! Putting keys in; splitting what becomes too large.

use hozo_traits::{Error, ErrorKind, Result};

use super::super::page::BODY_BYTES;
use super::node::{COUNT, KEYS, Node, get_u16};
use super::pages::TreePages;
use super::path::{LEVELS_MAX, Path};
use super::run::{Draft, Key, KeyRun, empty_leaf, entry_bytes, inner};
use super::{KEY_BYTES_MAX, Tree, edit};

/// So many keys in a row, each just after the one before it, and a leaf counts
/// as one that keys are appended to.
const IN_A_ROW: u8 = 2;

impl Tree {
    /// Puts a key in and gives the value that it had.
    pub(crate) fn insert<P: TreePages>(
        &mut self,
        pages: &P,
        key: &[u8],
        value: u64,
    ) -> Result<Option<u64>> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(bad_key(key));
        }
        if self.levels == 0 {
            let root = pages.allocate(0)?;
            empty_leaf().put(&mut pages.page_mut(root));
            (self.root, self.levels) = (root, 1);
        }
        let Some((mut path, place)) = self.descend(pages, key)? else { return Ok(None) };
        path.make_writable(self, pages)?;
        let at = match place {
            Ok(at) => {
                let mut page = pages.page_mut(path.leaf());
                let old = Node::of(&page).map(|node| node.value(at));
                edit::set_value(&mut page, at, value);
                return Ok(old);
            }
            Err(at) => at,
        };
        self.changes += 1;
        if !edit::insert(&mut pages.page_mut(path.leaf()), at, key, value) {
            self.insert_splitting(pages, &path, at, key, value)?;
        }
        self.entries += 1;
        Ok(None)
    }

    fn insert_splitting<P: TreePages>(
        &mut self,
        pages: &P,
        path: &Path,
        at: usize,
        key: &[u8],
        value: u64,
    ) -> Result<()> {
        let mut reserve = self.reserve(pages, path)?;
        let done = self.split_upwards(pages, path, (at, key, value), &mut reserve);
        for no in reserve.left() {
            pages.free(*no);
        }
        done
    }

    fn split_upwards<P: TreePages>(
        &mut self,
        pages: &P,
        path: &Path,
        (at, key, value): (usize, &[u8], u64),
        reserve: &mut Reserve,
    ) -> Result<()> {
        let no = path.leaf();
        let mut right = reserve.take()?;
        let mut between = split(pages, no, right, at, key, value)?;
        for step in path.steps().iter().rev().skip(1) {
            let at = usize::from(step.child);
            let child = u64::from(right);
            if edit::insert(&mut pages.page_mut(step.no), at, between.as_slice(), child) {
                return Ok(());
            }
            right = reserve.take()?;
            between = split(pages, step.no, right, at, between.as_slice(), child)?;
        }
        let root = reserve.take()?;
        let mut page = pages.page_mut(root);
        inner(self.levels, self.root).put(&mut page);
        edit::insert(&mut page, 0, between.as_slice(), u64::from(right));
        self.root = root;
        self.levels += 1;
        Ok(())
    }

    /// Takes as many pages as splitting this leaf can need, so that it cannot
    /// fail half-way.
    fn reserve<P: TreePages>(&self, pages: &P, path: &Path) -> Result<Reserve> {
        let mut needed = 1;
        let mut steps = path.steps().iter().rev().skip(1);
        loop {
            let Some(step) = steps.next() else {
                needed += 1;
                break;
            };
            if takes_any_key(&*pages.page(step.no)?) {
                break;
            }
            needed += 1;
        }
        if needed > path.steps().len() && path.steps().len() == LEVELS_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "the index tree has too many levels")
                .with("most levels", LEVELS_MAX));
        }
        let mut reserve = Reserve { pages: [0; LEVELS_MAX + 1], from: 0, to: 0 };
        for level in 0..needed {
            match pages.allocate(level as u8) {
                Ok(no) => reserve.put(no),
                Err(e) => {
                    for no in reserve.left() {
                        pages.free(*no);
                    }
                    return Err(e);
                }
            }
        }
        Ok(reserve)
    }
}

/// Pages for a split.
struct Reserve {
    pages: [u32; LEVELS_MAX + 1],
    from: usize,
    to: usize,
}

impl Reserve {
    fn put(&mut self, no: u32) {
        self.pages[self.to] = no;
        self.to += 1;
    }

    fn take(&mut self) -> Result<u32> {
        match self.left() {
            [] => Err(Error::new(ErrorKind::Internal, "a split needed more pages than foreseen")),
            [no, ..] => {
                let no = *no;
                self.from += 1;
                Ok(no)
            }
        }
    }

    fn left(&self) -> &[u32] {
        &self.pages[self.from..self.to]
    }
}

/// Whether an inner node has room for any key whatever, even one that shares
/// nothing with its prefix.
fn takes_any_key(page: &super::Body) -> bool {
    let Some(node) = Node::of(page) else { return false };
    let any = entry_bytes(KEY_BYTES_MAX) + node.dead();
    // With a dense node the sum is not worth its time.
    if get_u16(page, COUNT) * entry_bytes(0) + any > BODY_BYTES {
        return false;
    }
    let without_prefix = (0..node.count()).map(|i| entry_bytes(node.key_len(i)));
    KEYS + super::node::HEAD + without_prefix.sum::<usize>() + any + BODY_BYTES / 32 <= BODY_BYTES
}

/// Divides node `no` with one more key between itself and the new page
/// `right`. Gives the key that separates the two.
fn split<P: TreePages>(
    pages: &P,
    no: u32,
    right: u32,
    at: usize,
    key: &[u8],
    value: u64,
) -> Result<Key> {
    let (left_draft, right_draft, between) = {
        let page = pages.page(no)?;
        let node = Node::of(&page).ok_or_else(|| unsplittable(no))?;
        let run = KeyRun::with(node, at, key, value);
        let cut = cut(&node, &run, at).ok_or_else(|| unsplittable(no))?;
        divide(&node, &run, cut, at)
    };
    left_draft.put(&mut pages.page_mut(no));
    right_draft.put(&mut pages.page_mut(right));
    Ok(between)
}

fn divide(node: &Node<'_>, run: &KeyRun<'_>, cut: usize, at: usize) -> (Draft, Draft, Key) {
    let newest = edit::newest_after(node, at);
    let right_from = right_from(node, cut);
    let left_newest = if at < cut { newest } else { (0, 0) };
    let right_newest = match at.checked_sub(right_from) {
        Some(0) => (0, newest.1),
        Some(at) => (at, 0),
        None => (0, 0),
    };
    let all = run.len();
    if node.level() == 0 {
        let left = run.build(0..cut, 0).newest(left_newest);
        let right = run.build(cut..all, 0).newest(right_newest);
        return (left, right, shortest_between(run.key(cut - 1), run.key(cut)));
    }
    // The key at the cut moves up; its child is the right node's first.
    let left = run.build(0..cut, node.child(0)).newest(left_newest);
    let right = run.build(right_from..all, run.value(cut) as u32).newest(right_newest);
    (left, right, run.key(cut))
}

/// The first key of the right node.
fn right_from(node: &Node<'_>, cut: usize) -> usize {
    cut + usize::from(node.level() > 0)
}

/// Where to cut: after the new key when keys are being appended there, so that
/// the left node is left full; else in the middle; and when the new key shares
/// too little with the others, beside it.
fn cut(node: &Node<'_>, run: &KeyRun<'_>, at: usize) -> Option<usize> {
    let all = run.len();
    let appended = edit::newest_after(node, at).1 >= IN_A_ROW;
    let behind = if at + 1 < all { at + 1 } else { right_edge(node, all) };
    let candidates = [
        appended.then_some(behind),
        appended.then_some(at),
        Some(middle(run)),
        Some(at),
        Some(at + 1),
    ];
    candidates.into_iter().flatten().find(|&cut| {
        let right = right_from(node, cut);
        (1..all).contains(&cut) && right <= all && run.fits(0..cut) && run.fits(right..all)
    })
}

/// The cut that leaves the fewest keys to the right, an inner node not none.
fn right_edge(node: &Node<'_>, all: usize) -> usize {
    all - 1 - usize::from(node.level() > 0)
}

/// The cut after which both sides are about equally large.
fn middle(run: &KeyRun<'_>) -> usize {
    let shared = super::run::common(run.key(0).as_slice(), run.key(run.len() - 1).as_slice());
    let bytes = |i| entry_bytes(run.key_len(i).saturating_sub(shared));
    let all = (0..run.len()).map(bytes).sum::<usize>();
    let mut left = 0;
    for i in 0..run.len() {
        // Whichever side the key in the middle makes less unequal.
        if 2 * left + bytes(i) > all {
            return i.max(1);
        }
        left += bytes(i);
    }
    run.len() - 1
}

/// The shortest key that is above the first and not above the second.
fn shortest_between(below: Key, above: Key) -> Key {
    let shared = super::run::common(below.as_slice(), above.as_slice());
    let len = (shared + 1).min(above.as_slice().len());
    Key::of([&above.as_slice()[..len], &[], &[]])
}

#[cold]
fn bad_key(key: &[u8]) -> Error {
    Error::new(ErrorKind::TooLarge, "a key of the index tree must have 1 to 1100 bytes")
        .with("key bytes", key.len())
}

#[cold]
fn unsplittable(no: u32) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "a full node of the index cannot be divided; what it says of its keys is impossible",
    )
    .with("index page", no)
}
