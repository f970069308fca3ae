//! Random operations on the tree and on a `BTreeMap`.

use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A key, by what makes it hard.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // Few letters: one is often the beginning of another, zeros included.
        4 => vec(prop_oneof![Just(0u8), Just(1), Just(255)], 1..14),
        // Namespace, page, version.
        4 => (0u8..3, 0u32..9, 0u64..60).prop_map(|(n, p, v)| of_version(n, p, v)),
        // Long, and alike up to far behind.
        3 => (0u8..3, 0usize..1090, vec(any::<u8>(), 1..10)).prop_map(|(byte, len, end)| {
            let mut key = vec![byte; len];
            key.extend(end);
            key
        }),
        // Long, and alike in nothing.
        2 => (any::<u8>(), 900..=KEY_BYTES_MAX).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn of_version(namespace: u8, page: u32, version: u64) -> Vec<u8> {
    let mut key = vec![namespace; 9];
    key.extend(page.to_be_bytes());
    key.extend([0, 0]);
    key.extend(version.to_be_bytes());
    key
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>, u64),
    /// Ascending, as commits do.
    InsertMany(u8, u32, u64),
    Remove(Vec<u8>),
    /// The n-th key there is, so that removals hit.
    RemoveNth(usize),
    RemoveRange(Vec<u8>, Option<Vec<u8>>),
    RemoveBetween(usize, usize),
    Update(usize, bool),
    Last(Vec<u8>, Vec<u8>),
    Step(bool, u8),
    Restart(Vec<u8>, Option<Vec<u8>>),
    Freeze,
    Release,
    Full(u32),
    /// From now on just as much space as a change is said to need.
    Enough,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (key(), any::<u64>()).prop_map(|(k, v)| Op::Insert(k, v)),
        4 => (0u8..3, 0u32..9, 0u64..60).prop_map(|(n, p, v)| Op::InsertMany(n, p, v)),
        3 => key().prop_map(Op::Remove),
        12 => any::<usize>().prop_map(Op::RemoveNth),
        1 => (key(), proptest::option::of(key())).prop_map(|(a, b)| Op::RemoveRange(a, b)),
        2 => (any::<usize>(), 0usize..40).prop_map(|(a, n)| Op::RemoveBetween(a, n)),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(n, right)| Op::Update(n, right)),
        6 => (key(), key()).prop_map(|(k, f)| Op::Last(k, f)),
        6 => (any::<bool>(), 1u8..20).prop_map(|(up, n)| Op::Step(up, n)),
        1 => (key(), proptest::option::of(key())).prop_map(|(a, b)| Op::Restart(a, b)),
        2 => Just(Op::Freeze),
        2 => Just(Op::Release),
        2 => (0u32..12).prop_map(Op::Full),
        2 => Just(Op::Enough),
    ]
}

struct World {
    pages: Pages,
    tree: Tree,
    model: Model,
    frozen: Vec<(u32, Tree, Model)>,
    cursors: [(Cursor, ModelCursor); 2],
    enough: bool,
}

/// What a cursor must do.
#[derive(Clone)]
struct ModelCursor {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
}

impl ModelCursor {
    fn next(&mut self, model: &Model, up: bool) -> Option<(Vec<u8>, u64)> {
        let mut low = Bound::Included(self.start.clone());
        let mut high = self.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        match (&self.last, up) {
            (Some(last), true) => low = Bound::Excluded(last.clone()),
            (Some(last), false) => high = Bound::Excluded(last.clone()),
            (None, _) => {}
        }
        let in_range =
            |key: &Vec<u8>| *key >= self.start && self.end.as_ref().is_none_or(|end| key < end);
        let mut all = model.iter().filter(|(key, _)| in_range(key)).filter(|(key, _)| {
            (match &low {
                Bound::Included(low) => *key >= low,
                Bound::Excluded(low) => *key > low,
                Bound::Unbounded => true,
            }) && (match &high {
                Bound::Excluded(high) => *key < high,
                _ => true,
            })
        });
        let next = if up { all.next() } else { all.next_back() };
        let next = next.map(|(k, v)| (k.clone(), *v));
        if let Some((key, _)) = &next {
            self.last = Some(key.clone());
        }
        next
    }
}

impl World {
    fn new() -> Self {
        let cursor = |direction| {
            let model = ModelCursor { start: Vec::new(), end: None, last: None };
            (Cursor::new(b"", None, direction), model)
        };
        World {
            pages: Pages::new(8000),
            tree: Tree::new(),
            model: Model::new(),
            frozen: Vec::new(),
            cursors: [cursor(Direction::Down), cursor(Direction::Up)],
            enough: false,
        }
    }

    fn nth(&self, n: usize) -> Option<Vec<u8>> {
        let n = n.checked_rem(self.model.len())?;
        self.model.keys().nth(n).cloned()
    }

    fn limit(&self) {
        if self.enough {
            self.pages.left.set(self.tree.pages_for_change() as u32);
        }
    }

    fn insert(&mut self, key: Vec<u8>, value: u64) {
        self.limit();
        match self.tree.insert(&self.pages, &key, value) {
            Ok(old) => {
                assert_eq!(self.tree.get(&self.pages, &key).unwrap(), Some(value));
                assert_eq!(old, self.model.insert(key, value));
            }
            Err(e) => self.failed(&e),
        }
    }

    fn remove(&mut self, key: &[u8]) {
        self.limit();
        match self.tree.remove(&self.pages, key) {
            Ok(old) => assert_eq!(old, self.model.remove(key)),
            Err(e) => self.failed(&e),
        }
    }

    fn remove_range(&mut self, start: &[u8], end: Option<&[u8]>) {
        self.limit();
        let mut gone = Vec::new();
        let mut show = |key: &[u8], value| gone.push((key.to_vec(), value));
        let done = self.tree.remove_range(&self.pages, start, end, &mut show);
        let in_range =
            |key: &Vec<u8>| key.as_slice() >= start && end.is_none_or(|end| key.as_slice() < end);
        let mut expected: Vec<_> = self
            .model
            .iter()
            .filter(|(key, _)| in_range(key))
            .map(|(k, v)| (k.clone(), *v))
            .collect();
        if let Err(e) = done {
            expected.truncate(gone.len());
            self.failed(&e);
        }
        assert_eq!(gone, expected);
        for (key, _) in gone {
            self.model.remove(&key);
        }
    }

    /// A failure is only ever the full disk, and it has changed nothing.
    fn failed(&self, error: &hozo_traits::Error) {
        assert!(!self.enough, "it took more pages than a change is said to need");
        assert_eq!(error.message(), "no page is left");
        self.pages.left.set(u32::MAX);
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Insert(key, value) => self.insert(key, value),
            Op::InsertMany(namespace, page, from) => {
                for version in from..from + 50 {
                    self.insert(of_version(namespace, page, version), version);
                }
            }
            Op::Remove(key) => self.remove(&key),
            Op::RemoveNth(n) => {
                if let Some(key) = self.nth(n) {
                    self.remove(&key);
                }
            }
            Op::RemoveRange(a, b) => self.remove_range(&a, b.as_deref()),
            Op::RemoveBetween(n, many) => {
                let start = self.nth(n).unwrap_or_default();
                let end = self.model.range(start.clone()..).nth(many).map(|(k, _)| k.clone());
                self.remove_range(&start, end.as_deref());
            }
            Op::Update(n, right) => {
                let Some(key) = self.nth(n) else { return };
                let value = self.model[&key];
                let old = if right { value } else { !value };
                self.limit();
                match self.tree.update(&self.pages, &key, old, value / 2) {
                    Ok(done) => assert_eq!(done, right),
                    Err(e) => return self.failed(&e),
                }
                if right {
                    self.model.insert(key, value / 2);
                }
            }
            Op::Last(key, floor) => {
                let mut found = vec![9, 9];
                let value = self.tree.last_at_or_below(&self.pages, &key, &floor, &mut found);
                let last = self.model.range(..=key).next_back().filter(|(k, _)| **k >= floor);
                assert_eq!(value.unwrap(), last.map(|(_, v)| *v));
                if let Some((key, _)) = last {
                    assert_eq!(found, *key);
                }
            }
            Op::Step(up, n) => {
                let (cursor, model) = &mut self.cursors[usize::from(up)];
                for _ in 0..n {
                    let next = cursor.next(&self.tree, &self.pages).unwrap();
                    let next = next.map(|(k, v)| (k.to_vec(), v));
                    assert_eq!(next, model.next(&self.model, up));
                }
            }
            Op::Restart(a, b) => {
                for (i, direction) in [Direction::Down, Direction::Up].into_iter().enumerate() {
                    let model = ModelCursor { start: a.clone(), end: b.clone(), last: None };
                    self.cursors[i] = (Cursor::new(&a, b.as_deref(), direction), model);
                }
            }
            Op::Freeze => {
                let bytes = self.tree.to_bytes();
                let epoch = self.pages.freeze();
                let frozen = Tree::from_bytes(&bytes).unwrap();
                self.frozen.push((epoch, frozen, self.model.clone()));
            }
            Op::Release => {
                // A tree frozen at the end of an epoch needs what was given up
                // in later ones; the oldest goes, with all that only it needs.
                if !self.frozen.is_empty() {
                    self.frozen.remove(0);
                    let epoch = self.frozen.first().map_or_else(|| self.pages.freeze(), |f| f.0);
                    self.pages.release(epoch);
                }
            }
            Op::Full(left) => {
                self.enough = false;
                self.pages.left.set(left);
            }
            Op::Enough => self.enough = true,
        }
    }

    fn assert_all(&self) {
        assert_same(&self.tree, &self.pages, &self.model);
        assert_no_leak(&self.tree, &self.pages);
        for (_, tree, model) in &self.frozen {
            assert_same(tree, &self.pages, model);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_does_what_an_ordered_map_does(ops in vec(op(), 1..400)) {
        let mut world = World::new();
        for (i, op) in ops.into_iter().enumerate() {
            world.apply(op);
            if i % 16 == 0 {
                world.assert_all();
            }
        }
        world.assert_all();
        world.pages.left.set(u32::MAX);
        world.remove_range(b"", None);
        world.assert_all();
        prop_assert_eq!(world.pages.in_use(), Vec::<u32>::new());
    }
}
