//! PG-31 and PG-32: the list of changes.

use bytes::Bytes;
use hozo_traits::{
    ChangeEntry, Commit, MetaValue, MetaWrite, NamespaceChange, PageNo, Span, Version,
};

use crate::kit::{A, B, Draft, Kit, SIZE, image, look_meanwhile, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(31, all_that_was_written_in_order),
    case!(31, after_is_exclusive_and_the_limit_holds),
    case!(31, what_wrote_nothing_is_not_there),
    case!(31, a_long_list_is_whole),
    case!(31, one_that_is_read_has_none_to_come_below),
    case!(31, is_the_same_after_reopening, Persistent),
    case!(32, says_what_the_commit_wrote),
    case!(32, large_metadata_is_whole),
    case!(32, makes_a_copy, ChosenVersions),
];

const ALL: usize = usize::MAX;

fn versions(changes: &[ChangeEntry]) -> Vec<Version> {
    changes.iter().map(|change| change.version).collect()
}

fn all_that_was_written_in_order(kit: &Kit) {
    assert_eq!(kit.changes(Version::ZERO, ALL), []);
    assert_eq!(kit.changes(Version::MAX, ALL), []);
    let mut expected = Vec::new();
    for n in 0..30u64 {
        let draft = match n % 3 {
            0 => kit.draft().write(A, [write(1, image(n))]),
            1 => kit.draft().set("key", "value"),
            _ => kit.draft().write(B, []).write(A, [write(2, image(n))]),
        };
        expected.push(kit.commit(&draft).version);
        assert_eq!(versions(&kit.changes(Version::ZERO, ALL)), expected);
    }
}

fn after_is_exclusive_and_the_limit_holds(kit: &Kit) {
    let all: Vec<Version> = (0..9).map(|n| kit.put(1, n)).collect();
    for (i, version) in all.iter().enumerate() {
        for limit in [0, 1, 2, 5, 100, ALL] {
            let expected: Vec<_> = all[i + 1..].iter().copied().take(limit).collect();
            assert_eq!(versions(&kit.changes(*version, limit)), expected, "{i}, {limit}");
        }
    }
}

fn what_wrote_nothing_is_not_there(kit: &Kit) {
    let first = kit.put(1, 1);
    kit.commit(&kit.draft().if_page(A, 1, first));
    kit.conflict(&kit.draft().write(A, [write(1, image(2))]).if_page(A, 1, Version::ZERO));
    let again = kit.draft().write(A, [write(2, image(3))]);
    let second = kit.commit(&again).version;
    kit.commit(&again);
    assert_eq!(versions(&kit.changes(Version::ZERO, ALL)), [first, second]);
}

fn a_long_list_is_whole(kit: &Kit) {
    const COMMITS: u64 = 5000;
    let commit = |n: u64| match n % 7 {
        0 => kit.commit(&kit.draft().set("a", "1").set("b", vec![7; 900])).version,
        _ => kit.commit(&kit.draft().write(A, [])).version,
    };
    let expected: Vec<Version> = (0..COMMITS).map(commit).collect();
    assert!(versions(&kit.changes(Version::ZERO, ALL)) == expected);
    let (mut at, mut stepwise) = (Version::ZERO, Vec::new());
    loop {
        let step = kit.changes(at, 333);
        let Some(last) = step.last() else { break };
        assert!(last.version > at, "the list does not go on");
        at = last.version;
        assert!(step.iter().all(|change| matches!(change.meta.len(), 0 | 2)));
        stepwise.extend(versions(&step));
    }
    assert!(stepwise == expected);
}

fn one_that_is_read_has_none_to_come_below(kit: &Kit) {
    let look = || {
        let first = kit.changes(Version::ZERO, ALL);
        let Some(last) = first.last() else { return };
        let again = kit.changes(Version::ZERO, ALL);
        let upto = again.iter().take_while(|change| change.version <= last.version);
        assert!(upto.eq(first.iter()), "the list has changed up to {}", last.version);
    };
    look_meanwhile(100, look, |n| {
        kit.put(1 + (n % 8) as u32, n);
    });
}

fn is_the_same_after_reopening(kit: &Kit) {
    kit.put(1, 1);
    kit.commit(&kit.draft().set("key", "value").write(B, []));
    kit.commit(&kit.draft().set("key", "newer").durable());
    let before = kit.changes(Version::ZERO, ALL);
    assert_eq!(before.len(), 3);
    kit.reopen();
    assert_eq!(kit.changes(Version::ZERO, ALL), before);
    let later = kit.put(1, 2);
    assert_eq!(versions(&kit.changes(before[2].version, ALL)), [later]);
}

fn says_what_the_commit_wrote(kit: &Kit) {
    kit.commit(&kit.draft().set("gone", "soon"));
    let value = MetaValue { bytes: Bytes::from(vec![9; 20]), version_at: Some(5) };
    let draft = kit
        .draft()
        .write(B, [write(3, image(3))])
        .write(A, [])
        .meta("with version", Some(value))
        .meta("gone", None)
        .set("", "")
        .set("twice", "first")
        .set("twice", "second");
    let mut draft = draft;
    // An empty key is not one that metadata has.
    draft.0.meta.remove(2);
    let made = kit.commit(&draft);
    let change = kit.changes(Version::ZERO, ALL).pop().expect("the newest");
    let mut filled = vec![9; 20];
    filled[5..15].copy_from_slice(made.version.as_bytes());
    let expected = ChangeEntry {
        version: made.version,
        time: made.time,
        commit_id: draft.0.id,
        namespaces: vec![B, A],
        meta: vec![
            ("with version".into(), Some(filled.clone().into())),
            ("gone".into(), None),
            ("twice".into(), Some("first".into())),
            ("twice".into(), Some("second".into())),
        ],
    };
    assert_eq!(change, expected);
    assert_eq!(kit.meta(b"with version"), Some(Bytes::from(filled)));
}

fn large_metadata_is_whole(kit: &Kit) {
    let large = |tag: u8| vec![tag; 65_536];
    let draft = (0..4u8).fold(kit.draft(), |draft, n| draft.set(vec![n; 1024], large(n)));
    kit.commit(&draft);
    kit.put(1, 1);
    let change = kit.changes(Version::ZERO, 1).remove(0);
    assert_eq!(change.meta.len(), 4);
    for (n, (key, value)) in (0..4u8).zip(&change.meta) {
        assert!(*key == vec![n; 1024] && value.as_deref() == Some(&large(n)[..]));
    }
}

/// Commits of all kinds.
fn history(kit: &Kit) {
    let mut rng = kit.rng();
    for n in 0..200u64 {
        let page = 1 + rng.below(9) as u32;
        let mut draft = kit.draft();
        if rng.one_in(4) {
            draft.0.time = hozo_traits::Timestamp::from_micros(rng.next() % 5000);
        }
        if rng.one_in(3) {
            kit.stage(draft.0.id, A, [write(page + 20, image(n + 1000))]);
        }
        if !rng.one_in(4) {
            draft = draft.write(A, [write(page, image(n)), write(page + 1, image(n + 1))]);
        }
        if rng.one_in(3) {
            draft = draft.write(B, [write(page, image(n + 2))]);
        }
        if rng.one_in(3) {
            let value = MetaValue { bytes: vec![n as u8; 16].into(), version_at: Some(2) };
            draft = draft.meta(vec![b'k', (n % 5) as u8], Some(value));
        }
        if rng.one_in(5) {
            draft = draft.meta(vec![b'k', rng.below(5) as u8], None);
        }
        kit.commit(&draft);
    }
}

/// The commit that makes a change again, from what the store says of it.
fn again(kit: &Kit, change: &ChangeEntry) -> Draft {
    let mut draft = kit.draft().id(change.commit_id).at(change.version);
    draft.0.time = change.time;
    for namespace in &change.namespaces {
        let span = Span::Versions(change.version, change.version);
        let entry = kit.log(*namespace, span, false, 1).remove(0);
        assert_eq!((entry.commit_id, entry.time), (change.commit_id, change.time));
        let pages: Vec<u32> = entry.pages.expect("few").pages().map(PageNo::get).collect();
        let images = kit.read(*namespace, &pages, change.version);
        let writes = pages.iter().zip(images).map(|(page, image)| {
            let image = image.expect("the commit wrote it");
            assert_eq!(image.version, change.version);
            write(*page, image.bytes)
        });
        let (page_size, page_count) = (entry.page_size, entry.page_count);
        assert_eq!(page_size, SIZE);
        let writes = writes.collect();
        let namespace = *namespace;
        draft = draft.change(NamespaceChange { namespace, writes, page_size, page_count });
    }
    let meta = |(key, value): &(Bytes, Option<Bytes>)| MetaWrite {
        key: key.clone(),
        value: value.clone().map(MetaValue::plain),
    };
    Draft(Commit { meta: change.meta.iter().map(meta).collect(), ..draft.0 })
}

fn makes_a_copy(kit: &Kit) {
    history(kit);
    let copy = kit.another();
    let changes = kit.changes(Version::ZERO, ALL);
    for change in &changes {
        let made = copy.commit(&again(kit, change));
        assert_eq!((made.version, made.time), (change.version, change.time));
    }
    assert_eq!(copy.changes(Version::ZERO, ALL), changes);
    assert_eq!(copy.scan(b"", None, ALL), kit.scan(b"", None, ALL));
    let pages: Vec<u32> = (1..40).collect();
    for namespace in [A, B] {
        assert_eq!(copy.whole_log(namespace), kit.whole_log(namespace));
        for change in &changes {
            let at = change.version;
            assert!(copy.read(namespace, &pages, at) == kit.read(namespace, &pages, at), "{at}");
        }
    }
}
