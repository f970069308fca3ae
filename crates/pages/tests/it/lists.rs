//! Transactions that read and append to lists, run by many threads at once.
//!
//! A list is a page: how many values, then the values. Each thread opens the
//! namespaces for itself, as connections do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use hozo_conformance::Rng;
use hozo_conformance::checker::{History, Outcome, Recorder, Value};
use hozo_pages::{Changes, Concurrency, CreateOptions, Namespace, Namespaces, Reads, WriterSlot};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Ambient, CommitOutcome, Durability, PageImage, PageSize, PageStore, PageWrite, Patch, Version,
};

use crate::support::{image, name, page};

const NAMESPACES: usize = 3;
/// Few, so that transactions meet. Page 1 is no list.
const LISTS: usize = 4;
/// Nobody waits so long unless a slot was lost.
const LONG: Duration = Duration::from_secs(60);

/// What to run.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) mode: Concurrency,
    pub(crate) durability: Durability,
    /// Whether serial writers take the slot; who does not may conflict.
    pub(crate) slots: bool,
    pub(crate) threads: u32,
    pub(crate) transactions: u32,
    pub(crate) seed: u64,
}

struct Client<'a> {
    run: &'a Run,
    process: u32,
    names: Arc<Namespaces>,
    opened: Vec<Arc<Namespace>>,
    recorder: &'a Recorder,
    conflicts: &'a AtomicUsize,
    rng: Rng,
    appended: u64,
}

/// A list as it was read, and as the transaction has it now.
struct List {
    read: Option<PageImage>,
    values: Vec<Value>,
    changed: bool,
}

/// What happened.
pub(crate) struct Ran {
    pub(crate) history: History,
    /// Commits that the store refused.
    pub(crate) conflicts: usize,
}

pub(crate) fn run(store: Arc<dyn PageStore>, ambient: Arc<dyn Ambient>, run: &Run) -> Ran {
    let names = Namespaces::new(store, ambient);
    let options = CreateOptions { concurrency: run.mode, ..CreateOptions::default() };
    for i in 0..NAMESPACES {
        block_on(names.create(&lists(i), options)).expect("a namespace is created");
    }
    let recorder = Recorder::new();
    let conflicts = AtomicUsize::new(0);
    thread::scope(|scope| {
        for process in 0..run.threads {
            let open = |i| block_on(names.open(&lists(i))).expect("a namespace is opened");
            let mut client = Client {
                run,
                process,
                names: names.clone(),
                opened: (0..NAMESPACES).map(open).collect(),
                recorder: &recorder,
                conflicts: &conflicts,
                rng: Rng::new(run.seed).fork(&process.to_string()),
                appended: 0,
            };
            scope.spawn(move || (0..run.transactions).for_each(|_| client.transaction()));
        }
    });
    Ran { history: recorder.into_history(), conflicts: conflicts.into_inner() }
}

fn lists(i: usize) -> hozo_pages::NamespaceName {
    name(&format!("lists/{i}"))
}

impl Client<'_> {
    fn transaction(&mut self) {
        // Mostly within one namespace, so that commits of serial writers
        // overlap; often over two.
        let first = self.rng.below(NAMESPACES);
        let both = [first, (first + 1) % NAMESPACES];
        let among = if self.rng.one_in(3) { &both[..] } else { &both[..1] };
        let steps: Vec<(usize, u32, bool)> = (0..1 + self.rng.below(4))
            .map(|_| {
                let list = 2 + self.rng.below(LISTS) as u32;
                (*self.rng.pick(among), list, self.rng.one_in(2))
            })
            .collect();
        let touched: BTreeSet<usize> = steps.iter().map(|(namespace, ..)| *namespace).collect();
        let writes = steps.iter().any(|(.., append)| *append);

        let mut recording = self.recorder.begin(self.process);
        let slots = if writes { self.slots(&touched) } else { Vec::new() };
        // A writer builds on what is sequenced; a reader sees what is as
        // durable as it asked for.
        let seen = if writes { Durability::Sequenced } else { self.run.durability };
        let base = self.base(&touched, seen);
        let mut pages: BTreeMap<(usize, u32), List> = BTreeMap::new();
        for (namespace, n, append) in steps {
            let key = (namespace * 1000) as u64 + u64::from(n);
            let list = pages.entry((namespace, n)).or_insert_with(|| self.load(namespace, n, base));
            if append {
                self.appended += 1;
                let value = (u64::from(self.process) << 32) | self.appended;
                list.values.push(value);
                list.changed = true;
                recording.append(key, value);
            } else {
                recording.read(key, &*list.values);
            }
        }
        if !writes {
            return recording.end(Outcome::Committed);
        }
        if self.rng.one_in(20) {
            return recording.end(Outcome::Aborted);
        }
        recording.end(self.publish(&touched, base, pages, slots));
    }

    /// A version to read at: of one namespace its head, of several one for all.
    fn base(&self, touched: &BTreeSet<usize>, seen: Durability) -> Version {
        let one = touched.iter().next().filter(|_| touched.len() == 1);
        if let Some(&i) = one {
            return block_on(self.opened[i].heads()).expect("heads are answered").at(seen).version;
        }
        block_on(self.names.store().watermarks()).expect("watermarks are answered").at(seen)
    }

    /// The slots of all touched namespaces, in one order for everybody.
    fn slots(&self, touched: &BTreeSet<usize>) -> Vec<WriterSlot> {
        if !self.run.slots {
            return Vec::new();
        }
        let wait = |i: &usize| {
            let slot = self.opened[*i].wait_writer(LONG).expect("it is exclusive");
            slot.expect("everybody releases the slot")
        };
        touched.iter().map(wait).collect()
    }

    fn load(&self, namespace: usize, n: u32, at: Version) -> List {
        let read = block_on(self.opened[namespace].read(&[page(n)], at)).expect("a page is read");
        let read = read.into_iter().next().flatten();
        let values = read.as_ref().map_or_else(Vec::new, |image| decode(&image.bytes));
        List { read, values, changed: false }
    }

    fn publish(
        &mut self,
        touched: &BTreeSet<usize>,
        base: Version,
        pages: BTreeMap<(usize, u32), List>,
        slots: Vec<WriterSlot>,
    ) -> Outcome {
        let changes = touched.iter().map(|&i| self.changes(i, base, &pages)).collect();
        let id = self.names.ambient().commit_id();
        // Who holds slots gives them on before the disk has the commit.
        let serial = self.run.mode == Concurrency::Serial;
        let asked = if serial { Durability::Sequenced } else { self.run.durability };
        let outcome = block_on(self.names.commit(id, changes, asked));
        match outcome.expect("a commit is answered") {
            CommitOutcome::Committed(committed) => {
                drop(slots);
                if self.run.durability == Durability::Durable {
                    let waited = block_on(self.opened[0].wait_durable(committed.version));
                    waited.expect("it becomes durable");
                }
                Outcome::Committed
            }
            CommitOutcome::Conflict(conflict) => {
                assert!(slots.is_empty(), "who holds the slots conflicts: {conflict:?}");
                self.conflicts.fetch_add(1, Ordering::Relaxed);
                Outcome::Aborted
            }
        }
    }

    fn changes(
        &mut self,
        i: usize,
        base: Version,
        pages: &BTreeMap<(usize, u32), List>,
    ) -> Changes {
        let mine = || pages.iter().filter(|((namespace, _), _)| *namespace == i);
        let reads = match self.run.mode {
            Concurrency::Serial => Reads::Whole,
            Concurrency::Optimistic => Reads::Pages(mine().map(|((_, n), _)| page(*n)).collect()),
        };
        let writes = mine().filter(|(_, list)| list.changed).map(|((_, n), list)| {
            let image = encode(&list.values);
            let read = list.read.as_ref().filter(|_| self.rng.one_in(2));
            let patch = read.map(|old| Patch::between(old.version, &old.bytes, &image));
            PageWrite { page: page(*n), image, patch }
        });
        Changes {
            namespace: self.opened[i].clone(),
            base,
            reads,
            writes: writes.collect(),
            page_size: PageSize::DEFAULT,
            page_count: 1 + LISTS as u32,
        }
    }
}

fn encode(values: &[Value]) -> Bytes {
    let mut bytes = image(0).to_vec();
    bytes[..8].copy_from_slice(&(values.len() as u64).to_be_bytes());
    for (place, value) in bytes[8..].chunks_exact_mut(8).zip(values) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    assert!((values.len() + 1) * 8 <= bytes.len(), "the lists outgrow their pages");
    bytes.into()
}

fn decode(bytes: &[u8]) -> Vec<Value> {
    let mut words =
        bytes.chunks_exact(8).map(|word| Value::from_be_bytes(word.try_into().expect("8 bytes")));
    let count = words.next().expect("a page is longer than a word");
    words.take(count as usize).collect()
}
