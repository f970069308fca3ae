//! What commits depend on, and what they write.

use std::sync::Arc;
use std::time::Duration;

use hozo_pages::{Concurrency, Namespace, Namespaces, READ_PAGES_MAX, Reads};
use hozo_traits::exec::block_on;
use hozo_traits::{CommitOutcome, Conflict, Durability, ErrorKind, Version};

use crate::probe::Settings;
use crate::support::{Kit, changes, fails, image, name, page, pages, sequenced, tag};

#[test]
fn a_serial_commit_depends_on_the_whole_namespace() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    let second = kit.put(&a, 2, 1);
    let conflict = kit.conflict(vec![changes(&a, first, Reads::Whole, &[(7, 2)])]);
    assert_eq!(conflict, Conflict::Namespace { namespace: a.info().id, version: second });
    kit.commit(vec![changes(&a, second, Reads::Whole, &[(7, 2)])]);
}

#[test]
fn an_optimistic_commit_depends_on_what_it_read() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    let second = kit.commit(vec![changes(&a, first, pages(&[5, 5, 1]), &[(5, 1)])]).version;
    // Writers of different pages commit side by side.
    kit.commit(vec![changes(&a, first, pages(&[6]), &[(6, 1)])]);
    let conflict = kit.conflict(vec![changes(&a, first, pages(&[7, 5]), &[(7, 1)])]);
    let id = a.info().id;
    assert_eq!(conflict, Conflict::Page { namespace: id, page: page(5), version: second });
    assert_eq!(tag(&a, 7, sequenced(&a).version), None);
}

#[test]
fn an_optimistic_commit_depends_on_page_1_always() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    // Grows the database, and so writes page 1.
    kit.commit(vec![changes(&a, first, pages(&[1]), &[(1, 2), (20, 2)])]);
    // Who read no page at all would cut it to the size that it knew.
    let conflict = kit.conflict(vec![changes(&a, first, pages(&[]), &[(3, 3)])]);
    assert!(matches!(conflict, Conflict::Page { page: p, .. } if p == page(1)), "{conflict:?}");
    assert_eq!(sequenced(&a).page_count, 20);
}

#[test]
fn a_read_set_that_is_too_large_is_the_whole_namespace() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let first = kit.put(&a, 1, 1);
    kit.put(&a, 2, 1);
    let read = |count: usize| {
        let many = (0..count as u32).map(|n| page(n + 10)).collect();
        changes(&a, first, Reads::Pages(many), &[(9, 1)])
    };
    let conflict = kit.conflict(vec![read(READ_PAGES_MAX)]);
    assert!(matches!(conflict, Conflict::Namespace { .. }), "{conflict:?}");
    kit.commit(vec![read(READ_PAGES_MAX - 1)]);
}

#[test]
fn two_namespaces_are_written_both_or_none() {
    let kit = Kit::new();
    let (a, b) = (kit.fresh("a"), kit.fresh("b"));
    let (at_a, at_b) = (kit.put(&a, 1, 1), kit.put(&b, 1, 1));
    let both = |base_b, value| {
        vec![
            changes(&a, at_a, pages(&[2]), &[(2, value)]),
            changes(&b, base_b, Reads::Whole, &[(2, value)]),
        ]
    };
    let together = kit.commit(both(at_b, 2)).version;
    assert_eq!((sequenced(&a).version, sequenced(&b).version), (together, together));
    kit.put(&b, 3, 1);
    let stale = vec![
        changes(&a, together, Reads::Whole, &[(2, 9)]),
        changes(&b, together, Reads::Whole, &[(2, 9)]),
    ];
    let conflict = kit.conflict(stale);
    assert!(matches!(conflict, Conflict::Namespace { namespace, .. } if namespace == b.info().id));
    assert_eq!(tag(&a, 2, sequenced(&a).version), Some(2));
}

#[test]
fn wrong_combinations_are_refused() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let twice = || changes(&a, Version::ZERO, Reads::Whole, &[(1, 1)]);
    let error = fails(kit.outcome(vec![twice(), twice()]), ErrorKind::Invalid);
    assert!(error.to_string().contains("twice"), "{error}");
    let elsewhere = block_on(kit.other.open(&name("a"))).expect("it is opened");
    let foreign = changes(&elsewhere, Version::ZERO, Reads::Whole, &[(1, 1)]);
    let error = fails(kit.outcome(vec![foreign]), ErrorKind::Invalid);
    assert!(error.to_string().contains("two stores"), "{error}");
    let mut odd = twice();
    odd.writes[0].image = image(1).slice(..512);
    fails(kit.outcome(vec![odd]), ErrorKind::Invalid);
    assert_eq!(sequenced(&a).version, Version::ZERO);
}

#[test]
fn the_same_id_commits_once() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let id = kit.ambient_id();
    let commit = |base, value| {
        let change = vec![changes(&a, base, Reads::Whole, &[(1, value)])];
        block_on(kit.names.commit(id, change, Durability::Durable)).expect("it is answered")
    };
    let first = commit(Version::ZERO, 1);
    let CommitOutcome::Committed(committed) = &first else { panic!("{first:?}") };
    kit.put(&a, 1, 2);
    assert_eq!(commit(Version::ZERO, 1), first);
    assert_eq!(tag(&a, 1, sequenced(&a).version), Some(2));
    let marks = block_on(a.watermarks()).expect("watermarks are answered");
    assert!(marks.durable >= committed.version);
}

impl Kit {
    fn ambient_id(&self) -> hozo_traits::CommitId {
        self.names.ambient().commit_id()
    }
}

#[test]
fn staged_pages_come_with_the_commit() {
    let kit = Kit::new();
    let a = kit.fresh("a");
    let id = kit.ambient_id();
    let write =
        |n, value| hozo_traits::PageWrite { page: page(n), image: image(value), patch: None };
    block_on(a.stage(id, vec![write(1, 1), write(2, 1)])).expect("pages are staged");
    let staged = block_on(a.read_staged(id, &[page(2), page(3)])).expect("they are read");
    assert_eq!(staged, [Some(image(1)), None]);
    let change = vec![changes(&a, Version::ZERO, Reads::Whole, &[(2, 2)])];
    let outcome = block_on(kit.names.commit(id, change, Durability::Sequenced));
    let CommitOutcome::Committed(done) = outcome.expect("it is answered") else {
        panic!("it conflicts with nothing")
    };
    assert_eq!((tag(&a, 1, done.version), tag(&a, 2, done.version)), (Some(1), Some(2)));
    let dropped = kit.ambient_id();
    block_on(a.stage(dropped, vec![write(1, 9)])).expect("pages are staged");
    block_on(a.discard_stage(dropped)).expect("they are dropped");
    assert_eq!(block_on(a.read_staged(dropped, &[page(1)])).expect("they are read"), [None]);
}

#[test]
fn a_shared_store_has_no_serial_writers() {
    let kit = Kit::with(Settings { exclusive: false, ..Settings::default() });
    let a = kit.fresh("a");
    for error in [
        fails(a.try_writer(), ErrorKind::Unsupported),
        fails(a.wait_writer(Duration::ZERO), ErrorKind::Unsupported),
        fails(a.writer_ticket(), ErrorKind::Unsupported),
        fails(
            kit.outcome(vec![changes(&a, Version::ZERO, Reads::Whole, &[(1, 1)])]),
            ErrorKind::Unsupported,
        ),
    ] {
        assert!(error.to_string().contains("'exclusive'"), "{error}");
    }
    assert_eq!(a.concurrency(), Concurrency::Serial);
    kit.commit(vec![changes(&a, Version::ZERO, pages(&[1]), &[(1, 1)])]);
}

#[test]
fn all_who_open_a_namespace_share_its_slot() {
    let kit = Kit::new();
    let (first, second) = (kit.fresh("a"), kit.open("a"));
    let slot = first.try_writer().expect("it is exclusive").expect("it is free");
    assert_eq!(slot.namespace(), first.info().id);
    assert!(second.wait_writer(Duration::ZERO).expect("it is exclusive").is_none());
    drop(slot);
    let slot = second.wait_writer(Duration::ZERO).expect("it is exclusive").expect("it is free");
    // Another namespace has a slot of its own, and a slot outlives its namespaces.
    let other = kit.fresh("b").try_writer().expect("it is exclusive");
    assert!(other.is_some());
    drop((first, second));
    let reopened = kit.open("a");
    assert!(reopened.try_writer().expect("it is exclusive").is_none(), "two hold one slot");
    drop(slot);
    assert!(reopened.try_writer().expect("it is exclusive").is_some());
}

#[test]
fn a_slot_is_found_again_among_many_namespaces() {
    let kit = Kit::new();
    let slot = kit.fresh("a").try_writer().expect("it is exclusive").expect("it is free");
    for n in 0..100 {
        drop(kit.fresh(&format!("others/{n}")));
    }
    let free = |namespace: Arc<Namespace>| namespace.try_writer().expect("it is exclusive");
    assert!(free(kit.open("a")).is_none(), "two hold one slot");
    drop(slot);
    assert!(free(kit.open("a")).is_some());
}

#[test]
fn debug_texts_name_the_namespace() {
    let kit = Kit::new();
    let a = kit.fresh("some/name");
    assert!(format!("{a:?}").contains("some/name"));
    let names: &Namespaces = &kit.names;
    assert!(format!("{names:?}").contains("model"));
}
