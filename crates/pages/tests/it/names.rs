//! Creating, listing, renaming, deleting.

use std::sync::Arc;

use hozo_pages::{Concurrency, CreateOptions, Reads};
use hozo_traits::exec::block_on;
use hozo_traits::{
    Commit, Durability, ErrorKind, MetaValue, MetaWrite, NamespaceId, PageSize, Version,
};

use crate::support::{Kit, changes, fails, name, sequenced, tag};

fn list(kit: &Kit, prefix: &str) -> Vec<String> {
    let all = block_on(kit.names.list(prefix, None, 100)).expect("namespaces are listed");
    all.iter().map(|info| info.name.to_string()).collect()
}

fn durable(kit: &Kit) -> bool {
    let marks = block_on(kit.raw.watermarks()).expect("watermarks are answered");
    marks.durable == marks.sequenced
}

#[test]
fn a_namespace_is_what_it_was_created_as() {
    let kit = Kit::new();
    let page_size = PageSize::new(512).expect("it is one");
    let options = CreateOptions { page_size, concurrency: Concurrency::Optimistic };
    let created = block_on(kit.names.create(&name("a/b"), options)).expect("it is created");
    let marks = block_on(kit.raw.watermarks()).expect("watermarks are answered");
    assert_eq!(created.created_version, marks.sequenced);
    assert_eq!(created.created, hozo_conformance::TestAmbient::START);
    assert_eq!((created.page_size, created.concurrency), (page_size, Concurrency::Optimistic));
    assert_eq!(block_on(kit.other.get(&name("a/b"))).expect("it is there"), created);
    let opened = kit.open("a/b");
    assert_eq!(opened.info(), &created);
    let head = sequenced(&opened);
    assert_eq!((head.version, head.page_count), (Version::ZERO, 0));
    assert_eq!(head.page_size, page_size);
}

#[test]
fn a_name_is_given_once_and_an_id_forever() {
    let kit = Kit::new();
    let first = kit.create("a");
    let again = block_on(kit.names.create(&name("a"), CreateOptions::default()));
    assert!(fails(again, ErrorKind::Exists).to_string().contains("name a"));
    block_on(kit.names.delete(&name("a"))).expect("it is deleted");
    let second = kit.create("a");
    assert!(second.id > first.id);
}

#[test]
fn changes_of_names_are_durable() {
    let kit = Kit::new();
    kit.create("a");
    assert!(durable(&kit), "create");
    block_on(kit.names.rename(&name("a"), &name("b"))).expect("it is renamed");
    assert!(durable(&kit), "rename");
    kit.set("b", Concurrency::Optimistic).expect("it is set");
    assert!(durable(&kit), "set_concurrency");
    block_on(kit.names.delete(&name("b"))).expect("it is deleted");
    assert!(durable(&kit), "delete");
}

#[test]
fn names_of_rollbacks_are_not_given() {
    let kit = Kit::new();
    kit.create("a");
    let line = name("a~1");
    fails(block_on(kit.names.create(&line, CreateOptions::default())), ErrorKind::Invalid);
    fails(block_on(kit.names.rename(&name("a"), &line)), ErrorKind::Invalid);
    fails(block_on(kit.names.open(&line)), ErrorKind::NotFound);
}

#[test]
fn a_list_is_sorted_and_paged() {
    let kit = Kit::new();
    for text in ["b", "app/z", "app", "app/a", "apple"] {
        kit.create(text);
    }
    assert_eq!(list(&kit, ""), ["app", "app/a", "app/z", "apple", "b"]);
    assert_eq!(list(&kit, "app/"), ["app/a", "app/z"]);
    assert!(list(&kit, "x").is_empty());
    let mut after = None;
    let mut paged = Vec::new();
    loop {
        let some = block_on(kit.names.list("", after.as_ref(), 2)).expect("it is listed");
        let Some(last) = some.last() else { break };
        after = Some(last.name.clone());
        paged.extend(some.iter().map(|info| info.name.to_string()));
    }
    assert_eq!(paged, list(&kit, ""));
    assert!(block_on(kit.names.list("", None, 0)).expect("it is listed").is_empty());
}

#[test]
fn a_renamed_namespace_stays_open() {
    let kit = Kit::new();
    let open = kit.fresh("old");
    let first = kit.put(&open, 1, 1);
    block_on(kit.names.rename(&name("old"), &name("new"))).expect("it is renamed");
    fails(block_on(kit.names.get(&name("old"))), ErrorKind::NotFound);
    let second = kit.put(&open, 1, 2);
    let renamed = kit.open("new");
    assert_eq!(renamed.info().id, open.info().id);
    assert_eq!(renamed.info().created_version, open.info().created_version);
    assert_eq!((tag(&renamed, 1, first), tag(&renamed, 1, second)), (Some(1), Some(2)));
    let slot = open.try_writer().expect("it is exclusive").expect("it is free");
    assert!(renamed.try_writer().expect("it is exclusive").is_none(), "two slots of one namespace");
    slot.release();
    kit.create("old");
}

#[test]
fn a_rename_takes_no_name_that_is_taken() {
    let kit = Kit::new();
    kit.create("a");
    kit.create("b");
    fails(block_on(kit.names.rename(&name("a"), &name("b"))), ErrorKind::Exists);
    fails(block_on(kit.names.rename(&name("a"), &name("a"))), ErrorKind::Exists);
    fails(block_on(kit.names.rename(&name("x"), &name("y"))), ErrorKind::NotFound);
    assert_eq!(list(&kit, ""), ["a", "b"]);
}

#[test]
fn a_deleted_namespace_refuses_who_has_it_open() {
    let kit = Kit::new();
    let open = kit.fresh("a");
    let version = kit.put(&open, 1, 1);
    block_on(kit.names.delete(&name("a"))).expect("it is deleted");
    fails(block_on(kit.names.open(&name("a"))), ErrorKind::NotFound);
    fails(block_on(kit.names.delete(&name("a"))), ErrorKind::NotFound);
    // Also where it would conflict besides, and where another took the name.
    let stale = || vec![changes(&open, Version::ZERO, Reads::Whole, &[(1, 2)])];
    let error = fails(kit.outcome(stale()), ErrorKind::NotFound);
    assert!(error.to_string().contains("deleted"), "{error}");
    let next = kit.fresh("a");
    fails(kit.outcome(stale()), ErrorKind::NotFound);
    assert_eq!(sequenced(&next).version, Version::ZERO, "the new one got the old one's commit");
    // Who reads an old snapshot is not disturbed.
    assert_eq!(tag(&open, 1, version), Some(1));
}

#[test]
fn a_commit_over_two_namespaces_needs_both() {
    let kit = Kit::new();
    let (a, b) = (kit.fresh("a"), kit.fresh("b"));
    block_on(kit.names.delete(&name("b"))).expect("it is deleted");
    let both = vec![
        changes(&a, Version::ZERO, Reads::Whole, &[(1, 1)]),
        changes(&b, Version::ZERO, Reads::Whole, &[(1, 1)]),
    ];
    let error = fails(kit.outcome(both), ErrorKind::NotFound);
    assert!(error.to_string().contains("namespace b"), "{error}");
    assert_eq!(sequenced(&a).version, Version::ZERO);
}

#[test]
fn a_tombstone_says_what_was_deleted() {
    let kit = Kit::new();
    let a = kit.create("a");
    let b = kit.create("b");
    kit.tick(60);
    block_on(kit.names.delete(&name("a"))).expect("it is deleted");
    block_on(kit.names.delete(&name("b"))).expect("it is deleted");
    let deleted = block_on(kit.names.deleted(None, 100)).expect("they are listed");
    assert_eq!(deleted.iter().map(|d| &d.info).collect::<Vec<_>>(), [&a, &b]);
    assert_eq!(deleted[0].deleted.as_micros() - a.created.as_micros(), 60_000_000);
    assert!(a.created_version < deleted[0].deleted_version);
    assert!(deleted[0].deleted_version < deleted[1].deleted_version);
    let rest = block_on(kit.names.deleted(Some(a.id), 1)).expect("they are listed");
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].info.id, b.id);
}

#[test]
fn concurrency_holds_for_who_opens_later() {
    let kit = Kit::new();
    let before = kit.fresh("a");
    kit.set("a", Concurrency::Optimistic).expect("it is set");
    assert_eq!(before.concurrency(), Concurrency::Serial);
    assert_eq!(kit.open("a").concurrency(), Concurrency::Optimistic);
    // Its commits are not refused for it.
    kit.put(&before, 1, 1);
    fails(kit.set("x", Concurrency::Serial), ErrorKind::NotFound);
}

/// Metadata written behind the namespaces' back.
fn write_meta(kit: &Kit, key: &[u8], value: Option<Vec<u8>>) {
    let value = value.map(MetaValue::plain);
    let commit = Commit {
        id: kit.names.ambient().commit_id(),
        conditions: Vec::new(),
        namespaces: Vec::new(),
        meta: vec![MetaWrite { key: key.to_vec().into(), value }],
        durability: Durability::Durable,
        time: kit.names.ambient().now(),
        at: None,
    };
    block_on(kit.raw.commit(commit)).expect("metadata is written");
}

fn meta(kit: &Kit, key: &[u8]) -> Vec<u8> {
    block_on(kit.raw.meta_get(key)).expect("metadata is read").expect("it is there").to_vec()
}

fn key(prefix: &str, id: NamespaceId) -> Vec<u8> {
    [prefix.as_bytes(), &id.0.to_be_bytes()].concat()
}

#[test]
fn what_a_later_hozo_appended_is_kept() {
    let kit = Kit::new();
    let id = kit.create("a").id;
    for key in [b"n/a".to_vec(), key("i/", id), key("s/", id)] {
        let longer = [meta(&kit, &key), b"later".to_vec()].concat();
        write_meta(&kit, &key, Some(longer));
    }
    kit.set("a", Concurrency::Optimistic).expect("it is set");
    block_on(kit.names.rename(&name("a"), &name("b"))).expect("it is renamed");
    kit.put(&kit.open("b"), 1, 1);
    for key in [b"n/b".to_vec(), key("i/", id), key("s/", id)] {
        assert!(meta(&kit, &key).ends_with(b"later"), "{}", key.escape_ascii());
    }
    block_on(kit.names.delete(&name("b"))).expect("it is deleted");
    assert_eq!(block_on(kit.names.deleted(None, 9)).expect("it is listed").len(), 1);
}

#[test]
fn what_a_later_hozo_sets_meanwhile_is_kept() {
    let kit = Arc::new(Kit::new());
    let id = kit.create("a").id;
    let other = kit.clone();
    kit.probe.before_next_commit(move || {
        let longer = [meta(&other, &key("s/", id)), b"later".to_vec()].concat();
        write_meta(&other, &key("s/", id), Some(longer));
    });
    kit.set("a", Concurrency::Optimistic).expect("it is set");
    assert!(meta(&kit, &key("s/", id)).ends_with(b"later"));
    assert_eq!(kit.open("a").concurrency(), Concurrency::Optimistic);
}

#[test]
fn damaged_metadata_is_told() {
    let kit = Kit::new();
    let id = kit.create("a").id;
    kit.create("b");
    write_meta(&kit, &key("i/", id), None);
    let error = fails(block_on(kit.names.open(&name("a"))), ErrorKind::Corrupt);
    assert!(error.to_string().contains("name a"), "{error}");
    write_meta(&kit, b"n/b", Some(vec![1, 2]));
    fails(block_on(kit.names.open(&name("b"))), ErrorKind::Corrupt);
    write_meta(&kit, b"n/b", Some(vec![9, 2]));
    fails(block_on(kit.names.open(&name("b"))), ErrorKind::Unsupported);
    fails(block_on(kit.names.list("", None, 9)), ErrorKind::Corrupt);
    write_meta(&kit, b"c/next-id", Some(vec![0; 7]));
    let create = || block_on(kit.names.create(&name("c"), CreateOptions::default()));
    fails(create(), ErrorKind::Corrupt);
    // A counter that was set back must not give an id a second time.
    write_meta(&kit, b"c/next-id", Some((id.0 + 1).to_be_bytes().to_vec()));
    fails(create(), ErrorKind::Corrupt);
    write_meta(&kit, b"c/next-id", Some(u64::MAX.to_be_bytes().to_vec()));
    fails(create(), ErrorKind::Corrupt);
}
