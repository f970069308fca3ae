//! PG-10 to PG-12: when each condition fails, and what the conflict names.

use bytes::Bytes;
use hozo_traits::{Conflict, MetaValue, NamespaceId, Version};

use crate::kit::{A, B, Draft, Kit, image, page, patched, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(10, holds_from_the_newest_write_on),
    case!(10, fails_below_and_names_the_newest),
    case!(10, holds_for_a_page_that_was_never_written),
    case!(10, other_pages_and_namespaces_do_not_matter),
    case!(10, a_patch_is_a_write),
    case!(10, a_staged_page_is_a_write),
    case!(10, writing_the_same_bytes_is_a_write),
    case!(10, every_page_of_many_is_judged),
    case!(10, is_judged_the_same_after_reopening, Persistent),
    case!(11, fails_below_and_names_the_newest_commit),
    case!(11, holds_for_a_namespace_that_was_never_written),
    case!(11, other_namespaces_and_metadata_do_not_matter),
    case!(11, a_commit_without_pages_counts),
    case!(12, compares_the_whole_value),
    case!(12, absent_is_not_empty),
    case!(12, sees_the_version_that_was_put_in),
];

fn attempt(kit: &Kit) -> Draft {
    kit.draft().set("attempt", "made")
}

#[track_caller]
fn expect_page_conflict(kit: &Kit, ns: NamespaceId, n: u32, since: Version, version: Version) {
    let conflict = kit.conflict(&attempt(kit).if_page(ns, n, since));
    assert_eq!(conflict, Conflict::Page { namespace: ns, page: page(n), version });
}

/// The version just below.
fn below(version: Version) -> Version {
    let mut bytes = *version.as_bytes();
    for b in bytes.iter_mut().rev() {
        let (less, borrowed) = b.overflowing_sub(1);
        *b = less;
        if !borrowed {
            break;
        }
    }
    Version::from_bytes(bytes)
}

fn holds_from_the_newest_write_on(kit: &Kit) {
    kit.put(1, 1);
    let newest = kit.put(1, 2);
    let after = kit.put(2, 3);
    for since in
        [newest, newest.successor().expect("far from the end"), after, kit.head(), Version::MAX]
    {
        kit.commit(&attempt(kit).if_page(A, 1, since));
    }
}

fn fails_below_and_names_the_newest(kit: &Kit) {
    let first = kit.put(1, 1);
    let between = kit.put(2, 1);
    let second = kit.put(1, 2);
    let newest = kit.put(1, 3);
    kit.put(2, 2);
    for since in [Version::ZERO, below(first), first, between, second, below(newest)] {
        expect_page_conflict(kit, A, 1, since, newest);
    }
    assert_eq!(kit.meta(b"attempt"), None);
}

fn holds_for_a_page_that_was_never_written(kit: &Kit) {
    kit.commit(&attempt(kit).if_page(A, 7, Version::ZERO));
    kit.put(6, 1);
    kit.put(8, 1);
    kit.commit(&attempt(kit).if_page(A, 7, Version::ZERO));
}

fn other_pages_and_namespaces_do_not_matter(kit: &Kit) {
    let since = kit.put(256, 1);
    for n in [1, 255, 257, 65_536, u32::MAX] {
        kit.put(n, 1);
    }
    for ns in [B, NamespaceId(0), NamespaceId(256), NamespaceId(u64::MAX)] {
        kit.commit(&kit.draft().write(ns, [write(256, image(1))]));
    }
    kit.commit(&kit.draft().write(A, []));
    kit.commit(&attempt(kit).if_page(A, 256, since));
}

fn a_patch_is_a_write(kit: &Kit) {
    let first = kit.put(1, 1);
    let old = kit.read_one(A, 1, first).expect("was written");
    let second = kit.commit(&kit.draft().write(A, [patched(1, &old, image(2))])).version;
    expect_page_conflict(kit, A, 1, first, second);
    kit.commit(&attempt(kit).if_page(A, 1, second));
}

fn a_staged_page_is_a_write(kit: &Kit) {
    let first = kit.put(1, 1);
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(2))]);
    kit.commit(&attempt(kit).if_page(A, 1, first));
    let second = kit.commit(&draft).version;
    expect_page_conflict(kit, A, 1, first, second);
    kit.commit(&attempt(kit).if_page(A, 1, second));
}

fn writing_the_same_bytes_is_a_write(kit: &Kit) {
    let first = kit.put(1, 1);
    let second = kit.put(1, 1);
    expect_page_conflict(kit, A, 1, first, second);
    kit.expect(A, 1, kit.head(), second, 1);
    // So is a patch that changes nothing.
    let old = kit.read_one(A, 1, second).expect("was written");
    let third = kit.commit(&kit.draft().write(A, [patched(1, &old, image(1))])).version;
    expect_page_conflict(kit, A, 1, second, third);
}

fn every_page_of_many_is_judged(kit: &Kit) {
    const PAGES: u32 = 500;
    let all: Vec<_> = (1..=PAGES).map(|n| write(n, image(1))).collect();
    let since = kit.commit(&kit.draft().write(A, all)).version;
    let guarded = || (1..=PAGES).fold(attempt(kit), |draft, n| draft.if_page(A, n, since));
    kit.commit(&guarded());
    for n in [PAGES, 1, PAGES / 2] {
        let since = kit.head();
        let version = kit.put(n, 2);
        let conflict = kit.conflict(&(1..=PAGES).fold(attempt(kit), |d, n| d.if_page(A, n, since)));
        assert_eq!(conflict, Conflict::Page { namespace: A, page: page(n), version });
    }
}

fn is_judged_the_same_after_reopening(kit: &Kit) {
    let first = kit.put(1, 1);
    let second = kit.commit(&kit.draft().write(A, [write(1, image(2))]).durable()).version;
    kit.reopen();
    expect_page_conflict(kit, A, 1, first, second);
    let conflict = kit.conflict(&attempt(kit).if_namespace(A, first));
    assert_eq!(conflict, Conflict::Namespace { namespace: A, version: second });
    kit.commit(&attempt(kit).if_page(A, 1, second).if_namespace(A, second));
}

fn fails_below_and_names_the_newest_commit(kit: &Kit) {
    let first = kit.put(1, 1);
    let second = kit.put(2, 1);
    let newest = kit.put(3, 1);
    for since in [Version::ZERO, first, second, below(newest)] {
        let conflict = kit.conflict(&attempt(kit).if_namespace(A, since));
        assert_eq!(conflict, Conflict::Namespace { namespace: A, version: newest });
    }
    for since in [newest, kit.head(), Version::MAX] {
        kit.commit(&attempt(kit).if_namespace(A, since));
    }
}

fn holds_for_a_namespace_that_was_never_written(kit: &Kit) {
    kit.commit(&attempt(kit).if_namespace(A, Version::ZERO));
    kit.commit(&kit.draft().write(B, [write(1, image(1))]));
    kit.commit(&attempt(kit).if_namespace(A, Version::ZERO));
}

fn other_namespaces_and_metadata_do_not_matter(kit: &Kit) {
    let middle = NamespaceId(256);
    let since = kit.commit(&kit.draft().write(middle, [write(1, image(1))])).version;
    for ns in [0, 255, 257, 65_536, u64::MAX].map(NamespaceId) {
        kit.commit(&kit.draft().write(ns, [write(1, image(1))]));
    }
    kit.commit(&kit.draft().set("key", "value"));
    kit.stage(kit.id(), middle, [write(1, image(1))]);
    kit.commit(&attempt(kit).if_namespace(middle, since));
}

fn a_commit_without_pages_counts(kit: &Kit) {
    let since = kit.put(1, 1);
    let version = kit.commit(&kit.draft().write(A, [])).version;
    let conflict = kit.conflict(&attempt(kit).if_namespace(A, since));
    assert_eq!(conflict, Conflict::Namespace { namespace: A, version });
    // It wrote no page, though.
    kit.commit(&attempt(kit).if_page(A, 1, since));
}

#[track_caller]
fn expect_meta_conflict(kit: &Kit, key: &'static str, value: Option<&[u8]>) {
    let conflict = kit.conflict(&attempt(kit).if_meta(key, value));
    assert_eq!(conflict, Conflict::Meta { key: Bytes::from(key) });
}

fn compares_the_whole_value(kit: &Kit) {
    kit.commit(&kit.draft().set("key", "value"));
    kit.commit(&attempt(kit).if_meta("key", Some(b"value")));
    let others: [&[u8]; 5] = [b"valu", b"value\0", b"valuf", b"", b"VALUE"];
    for other in others {
        expect_meta_conflict(kit, "key", Some(other));
    }
    // What was there once is not there now.
    kit.commit(&kit.draft().set("key", "newer"));
    expect_meta_conflict(kit, "key", Some(b"value"));
    kit.commit(&attempt(kit).if_meta("key", Some(b"newer")));
}

fn absent_is_not_empty(kit: &Kit) {
    kit.commit(&attempt(kit).if_meta("key", None));
    expect_meta_conflict(kit, "key", Some(b""));
    kit.commit(&kit.draft().set("key", ""));
    kit.commit(&attempt(kit).if_meta("key", Some(b"")));
    expect_meta_conflict(kit, "key", None);
    kit.commit(&kit.draft().meta("key", None));
    kit.commit(&attempt(kit).if_meta("key", None));
    expect_meta_conflict(kit, "key", Some(b""));
}

fn sees_the_version_that_was_put_in(kit: &Kit) {
    let value = MetaValue { bytes: vec![0xff; 14].into(), version_at: Some(2) };
    let version = kit.commit(&kit.draft().meta("key", Some(value))).version;
    let expected = [&[0xff; 2][..], version.as_bytes(), &[0xff; 2]].concat();
    kit.commit(&attempt(kit).if_meta("key", Some(&expected)));
    expect_meta_conflict(kit, "key", Some(&[0xff; 14]));
}
