//! Somebody else changes the names between a caller's reads and its commit.

use std::sync::Barrier;
use std::thread;

use hozo_pages::{Concurrency, CreateOptions};
use hozo_traits::exec::block_on;
use hozo_traits::{ErrorKind, Result};

use crate::support::{Kit, fails, name};

impl Kit {
    /// Lets somebody else do this just before the next commit.
    fn meanwhile<F>(&self, step: F)
    where
        F: AsyncFnOnce(&hozo_pages::Namespaces) -> Result<()> + Send + 'static,
    {
        let other = self.other.clone();
        self.probe.before_next_commit(move || block_on(step(&other)).expect("it goes first"));
    }
}

#[test]
fn of_two_who_create_one_name_one_gets_it() {
    let kit = Kit::new();
    kit.meanwhile(async |other| other.create(&name("a"), CreateOptions::default()).await.map(drop));
    let late = block_on(kit.names.create(&name("a"), CreateOptions::default()));
    fails(late, ErrorKind::Exists);
    let all = block_on(kit.names.list("", None, 9)).expect("they are listed");
    assert_eq!(all.len(), 1);
}

#[test]
fn a_create_sees_who_was_renamed_to_its_name() {
    let kit = Kit::new();
    kit.create("b");
    kit.meanwhile(async |other| other.rename(&name("b"), &name("a")).await);
    let late = block_on(kit.names.create(&name("a"), CreateOptions::default()));
    fails(late, ErrorKind::Exists);
    assert_eq!(block_on(kit.names.get(&name("a"))).expect("it is there").id.0, 1);
}

#[test]
fn who_creates_another_name_only_takes_the_id() {
    let kit = Kit::new();
    kit.meanwhile(async |other| other.create(&name("b"), CreateOptions::default()).await.map(drop));
    kit.meanwhile(async |other| other.create(&name("c"), CreateOptions::default()).await.map(drop));
    let created = kit.create("a");
    assert_eq!(created.id.0, 3);
    assert_eq!(block_on(kit.names.get(&name("a"))).expect("it is there"), created);
}

#[test]
fn a_rename_sees_what_came_first() {
    let kit = Kit::new();
    kit.create("a");
    kit.meanwhile(async |other| other.create(&name("b"), CreateOptions::default()).await.map(drop));
    fails(block_on(kit.names.rename(&name("a"), &name("b"))), ErrorKind::Exists);
    kit.meanwhile(async |other| other.rename(&name("a"), &name("c")).await);
    fails(block_on(kit.names.rename(&name("a"), &name("d"))), ErrorKind::NotFound);
    kit.meanwhile(async |other| other.delete(&name("c")).await);
    fails(block_on(kit.names.rename(&name("c"), &name("d"))), ErrorKind::NotFound);
    // Deleted and made anew: the new one gets the name.
    kit.meanwhile(async |other| {
        other.delete(&name("b")).await?;
        other.create(&name("b"), CreateOptions::default()).await.map(drop)
    });
    block_on(kit.names.rename(&name("b"), &name("e"))).expect("it is renamed");
    assert_eq!(block_on(kit.names.get(&name("e"))).expect("it is there").id.0, 3);
}

#[test]
fn a_delete_sees_what_came_first() {
    let kit = Kit::new();
    kit.create("a");
    kit.meanwhile(async |other| other.delete(&name("a")).await);
    fails(block_on(kit.names.delete(&name("a"))), ErrorKind::NotFound);
    kit.create("c");
    kit.meanwhile(async |other| other.rename(&name("c"), &name("d")).await);
    fails(block_on(kit.names.delete(&name("c"))), ErrorKind::NotFound);
    kit.put(&kit.open("d"), 1, 1);
    kit.create("b");
    kit.meanwhile(async |other| other.set_concurrency(&name("b"), Concurrency::Optimistic).await);
    block_on(kit.names.delete(&name("b"))).expect("it is deleted");
    let deleted = block_on(kit.names.deleted(None, 9)).expect("they are listed");
    assert_eq!(deleted.len(), 2);
    assert_eq!(deleted[1].info.concurrency, Concurrency::Optimistic);
}

#[test]
fn a_setting_goes_to_the_namespace_that_has_the_name() {
    let kit = Kit::new();
    kit.create("a");
    kit.meanwhile(async |other| other.rename(&name("a"), &name("b")).await);
    fails(kit.set("a", Concurrency::Optimistic), ErrorKind::NotFound);
    let moved = block_on(kit.names.get(&name("b"))).expect("it is there");
    assert_eq!(moved.concurrency, Concurrency::Serial);
}

#[test]
fn many_create_at_once() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 20;
    let kit = Kit::new();
    let start = Barrier::new(THREADS);
    let won: Vec<usize> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (kit, start) = (&kit, &start);
                scope.spawn(move || {
                    let mut won = 0;
                    for round in 0..ROUNDS {
                        start.wait();
                        let shared = name(&format!("shared/{round}"));
                        match block_on(kit.names.create(&shared, CreateOptions::default())) {
                            Ok(_) => won += 1,
                            Err(e) => assert_eq!(e.kind(), ErrorKind::Exists, "{e}"),
                        }
                        kit.create(&format!("own/{thread}/{round}"));
                    }
                    won
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(won.iter().sum::<usize>(), ROUNDS, "each shared name has one creator");
    let all = block_on(kit.names.list("", None, 1000)).expect("they are listed");
    assert_eq!(all.len(), ROUNDS + THREADS * ROUNDS);
    let ids: std::collections::BTreeSet<_> = all.iter().map(|info| info.id).collect();
    assert_eq!(ids.len(), all.len(), "an id was given twice");
}
