//! Which names are namespaces, and whose stores they are in.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

use bytes::Bytes;
use hozo::pages::{Concurrency, NamespaceName};
use hozo::traits::exec::block_on;
use hozo::traits::{Ambient, Durability, Error, ErrorKind, KvStoreExt, Result, Store};
use hozo::vfs::{Open, Resolver};
use hozo::{Plan, Registry, Stack};
use tempfile::TempDir;

const READ: Open = Open { create: false, readonly: true };
const WRITE: Open = Open { create: true, readonly: false };

const TWO_STORES: &str = r#"
[store.first]
backend = "memory"
[store.second]
backend = "memory"
[[namespace]]
match = "app/*"
store = "second"
concurrency = "optimistic"
page_size = 512
"#;

/// A stack in a directory of its own.
struct Over {
    stack: Arc<Stack>,
    _dir: TempDir,
}

impl Deref for Over {
    type Target = Arc<Stack>;

    fn deref(&self) -> &Arc<Stack> {
        &self.stack
    }
}

/// A stack whose stores are in memory, as the text says, or in what
/// `HOZO_TEST_STORE` names.
fn stack(text: &str) -> Over {
    let dir = TempDir::new().unwrap();
    let mut text = text.to_owned();
    if let Ok(backend) = std::env::var("HOZO_TEST_STORE") {
        for number in 0..text.matches(MEMORY).count() {
            let keys = format!("backend = {backend:?}\npath = \"store-{number}\"");
            text = text.replacen(MEMORY, &keys, 1);
        }
    }
    let plan = Plan::from_text("test", &text, dir.path(), &Registry::builtin());
    let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
    Over { stack: Stack::open(plan), _dir: dir }
}

const MEMORY: &str = "backend = \"memory\"";

fn name(text: &str) -> NamespaceName {
    text.parse().unwrap()
}

#[test]
fn a_name_that_a_rule_maps_is_made_when_it_is_opened() {
    let stack = stack(TWO_STORES);
    assert!(stack.is_ours("app/x"), "before it exists, too");
    let absent = stack.resolve("app/x", READ).map(|_| ()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let absent = stack.resolve("app/x@-5m", WRITE).map(|_| ()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound, "the past cannot be made");
    let absent = stack.resolve("app/x", READ).map(|_| ()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound, "and nothing was made for it");
    let opened = stack.resolve("app/x", WRITE).unwrap().unwrap();
    assert_eq!(opened.namespace.info().page_size.get(), 512);
    assert_eq!(opened.namespace.info().concurrency, Concurrency::Optimistic);
    assert_eq!(opened.concurrency, Some(Concurrency::Optimistic));
    assert!(opened.snapshot.is_none());
    let second = stack.store("second").unwrap();
    assert_eq!(block_on(second.get(&name("app/x"))).unwrap().id, opened.namespace.info().id);
    let first = stack.store("first").unwrap();
    assert!(block_on(first.get(&name("app/x"))).is_err());
}

#[test]
fn any_other_name_is_ours_only_if_it_exists_in_the_default_store() {
    let stack = stack(TWO_STORES);
    assert!(!stack.is_ours("other"));
    assert!(stack.resolve("other", WRITE).unwrap().is_none());
    stack.create(&name("other")).unwrap();
    assert!(stack.is_ours("other") && stack.is_ours("other@-5m"));
    let opened = stack.resolve("other", WRITE).unwrap().unwrap();
    assert_eq!(opened.concurrency, None);
    // One that exists in a store to which no rule sends its name is not found.
    block_on(stack.store("second").unwrap().create(&name("stray"), Default::default())).unwrap();
    assert!(stack.resolve("stray", WRITE).unwrap().is_none());
}

#[test]
fn what_is_wrong_after_the_at_is_an_error_only_for_names_of_ours() {
    let stack = stack(TWO_STORES);
    assert!(stack.resolve("notes@home", WRITE).unwrap().is_none());
    stack.create(&name("notes")).unwrap();
    let wrong = stack.resolve("notes@0:", WRITE).map(|_| ()).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
}

#[test]
fn paths_are_never_ours() {
    let every_name = format!("{TWO_STORES}\n[[namespace]]\nmatch = \"**\"\n");
    let stack = stack(&every_name);
    for path in ["/tmp/x.db", "./x.db", "../x", "", ":memory:", "a//b", "x-journal", "x\0y"] {
        assert!(!stack.is_ours(path), "{path:?}");
        assert!(stack.resolve(path, WRITE).unwrap().is_none(), "{path:?}");
    }
    assert!(stack.is_ours("x.db"));
}

#[test]
fn a_store_gives_pages_and_records_from_one_opening() {
    let stack = stack(TWO_STORES);
    let namespaces = stack.store("first").unwrap();
    let casket = stack.records("first", "casket").unwrap();
    let (key, value) = (Bytes::from_static(b"key"), Bytes::from_static(b"value"));
    block_on(casket.set(key.clone(), value.clone(), true, Durability::Durable)).unwrap();
    block_on(namespaces.create(&name("app"), Default::default())).unwrap();
    // The same DBM by the same name, another by another name or store.
    let again = stack.records("first", "casket").unwrap();
    assert_eq!(block_on(again.get(&key)).unwrap(), Some(value));
    for (store, dbm) in [("first", "other"), ("second", "casket")] {
        let other = stack.records(store, dbm).unwrap();
        assert_eq!(block_on(other.get(&key)).unwrap(), None, "{store} {dbm}");
    }
    let error = stack.records("first", "../casket").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("store first"), "{error}");
    let error = stack.records("third", "casket").map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn errors_say_which_store() {
    let stack = stack(TWO_STORES);
    let error = stack.store("third").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("third"), "{error}");
    let error = stack.resolve("app/none", READ).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("app/none") && error.contains("second"), "{error}");
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Gated {
    #[serde(default)]
    cache: u64,
}

/// Says that an open began, and lets it end.
static GATE: OnceLock<(Sender<()>, Mutex<Receiver<()>>)> = OnceLock::new();

fn open_gated(_: &Gated, ambient: Arc<dyn Ambient>) -> Result<Arc<dyn Store>> {
    if let Some((began, go_on)) = GATE.get()
        && std::process::id() == *PARENT.get().unwrap()
    {
        began.send(()).unwrap();
        go_on.lock().unwrap().recv().unwrap();
    }
    hozo_backend_memory::open(&hozo_backend_memory::Config::default(), ambient)
}

static PARENT: OnceLock<u32> = OnceLock::new();

fn check_gated(config: &Gated) -> Result<()> {
    if config.cache < 1000 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "too much").with("setting", "cache"))
}

#[test]
fn a_backend_of_ones_own_is_checked_and_opened_like_any() {
    let mut registry = Registry::builtin();
    registry.register("gated", check_gated, open_gated).unwrap();
    let twice = registry.register("gated", check_gated, open_gated).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Exists);
    let text = "[store.main]\nbackend = \"gated\"\ncache = 5000\nbytes = 1\n";
    let wrong = Plan::from_text("test", text, "/", &registry).unwrap_err();
    let places: Vec<_> = wrong.iter().map(|p| (p.line(), p.column())).collect();
    assert_eq!(places, [(Some(3), Some(9)), (Some(4), Some(1))], "{wrong}");
    let right = Plan::from_text("test", "[store.main]\nbackend = \"gated\"\n", "/", &registry);
    assert!(right.is_ok());
}

/// A child does not wait for a thread that it does not have: one that was
/// opening the store in the parent at the moment of the fork.
#[test]
fn a_child_opens_its_own_stores() {
    let (began, wait_began) = channel();
    let (go_on, wait_go_on) = channel();
    GATE.set((began, Mutex::new(wait_go_on))).ok().unwrap();
    PARENT.set(std::process::id()).unwrap();
    let mut registry = Registry::builtin();
    registry.register("gated", check_gated, open_gated).unwrap();
    let plan =
        Plan::from_text("test", "[store.main]\nbackend = \"gated\"\n", "/", &registry).unwrap();
    let stack = Stack::open(plan);
    let opening = thread::spawn({
        let stack = stack.clone();
        move || stack.create(&name("app")).map(|_| ())
    });
    wait_began.recv().unwrap();
    // SAFETY: the child only opens a store in memory and leaves by `_exit`;
    // glibc makes its allocator usable after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: only sets a timer, so that a child that waits for ever is noticed.
        unsafe { libc::alarm(20) };
        let absent = stack.resolve("app", WRITE).is_ok_and(|found| found.is_none());
        let made = stack.create(&name("app")).is_ok() && stack.is_ours("app");
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(if absent && made { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: waits for the child that was just made.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child's checks");
    go_on.send(()).unwrap();
    opening.join().unwrap().unwrap();
    assert!(stack.is_ours("app"));
}
