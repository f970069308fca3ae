//! PG-5, PG-6 and PG-8: reading. PG-7 is with purging.

use hozo_traits::exec::block_on;
use hozo_traits::{NamespaceChange, NamespaceId, PageNo, PageSize, PageStoreExt, Version};

use crate::kit::{A, B, Kit, image, look_meanwhile, page, patched, sized_image, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(5, an_empty_store_has_no_pages),
    case!(5, the_newest_image_at_or_below),
    case!(5, in_the_order_asked_with_repeats),
    case!(5, no_pages_no_images),
    case!(5, neighbours_are_not_mixed_up),
    case!(5, many_pages_at_once),
    case!(5, pages_of_every_size_in_one_namespace),
    case!(5, pages_above_the_page_count_keep_their_history),
    case!(6, a_deep_history_stays_readable),
    case!(6, old_versions_do_not_change_while_others_commit),
    case!(6, a_version_that_is_not_there_yet_is_no_moving_head),
    case!(6, nothing_changes_by_reopening, Persistent),
    case!(8, the_version_is_that_of_the_writing_commit),
];

fn an_empty_store_has_no_pages(kit: &Kit) {
    assert_eq!(kit.read(A, &[1, 2], Version::ZERO), [None, None]);
}

fn the_newest_image_at_or_below(kit: &Kit) {
    let before = kit.put(2, 0);
    let first = kit.put(1, 1);
    let between = kit.put(2, 2);
    let second = kit.put(1, 3);
    let after = kit.put(2, 4);
    for nothing_yet in [Version::ZERO, before] {
        assert_eq!(kit.read_one(A, 1, nothing_yet), None);
    }
    // A version that wrote other pages, or nothing, is as good as any.
    let in_a_gap = first.successor().expect("far from the end");
    for (at, version, tag) in [
        (first, first, 1),
        (in_a_gap, first, 1),
        (between, first, 1),
        (second, second, 3),
        (after, second, 3),
    ] {
        kit.expect(A, 1, at, version, tag);
    }
}

fn in_the_order_asked_with_repeats(kit: &Kit) {
    let writes: Vec<_> = (1..=5).map(|n| write(n, image(n.into()))).collect();
    let at = kit.commit(&kit.draft().write(A, writes)).version;
    let asked = [3, 1, 3, 7, 2, 5, 7, 1];
    let found = kit.read(A, &asked, at);
    for (n, found) in asked.iter().zip(found) {
        let expected = (*n <= 5).then(|| image(u64::from(*n)));
        assert_eq!(found.map(|i| i.bytes), expected, "page {n}");
    }
}

fn no_pages_no_images(kit: &Kit) {
    assert_eq!(kit.read(A, &[], Version::ZERO), []);
    let at = kit.put(1, 1);
    assert_eq!(kit.read(A, &[], at), []);
}

fn neighbours_are_not_mixed_up(kit: &Kit) {
    // Numbers whose bytes are prefixes of each other's or the ends of a range.
    let namespaces = [0, 1, 255, 256, 257, 1 << 32, u64::MAX - 1, u64::MAX].map(NamespaceId);
    let numbers = [1, 2, 255, 256, 257, 65_536, u32::MAX - 1, u32::MAX];
    let tag = |ns: NamespaceId, n: u32| ns.0.wrapping_mul(31) ^ u64::from(n);
    // Every other page is written; none of those between may show one of them.
    let written = |i: usize, j: usize| (i + j).is_multiple_of(2);
    for (i, &ns) in namespaces.iter().enumerate() {
        let mine = numbers.iter().enumerate().filter(|(j, _)| written(i, *j));
        let writes: Vec<_> = mine.map(|(_, &n)| write(n, image(tag(ns, n)))).collect();
        kit.commit(&kit.draft().write(ns, writes));
    }
    for (i, &ns) in namespaces.iter().enumerate() {
        let found = kit.read(ns, &numbers, kit.head());
        for (j, (&n, found)) in numbers.iter().zip(found).enumerate() {
            let expected = written(i, j).then(|| image(tag(ns, n)));
            assert_eq!(found.map(|p| p.bytes), expected, "page {n} of namespace {ns}");
        }
    }
}

fn many_pages_at_once(kit: &Kit) {
    const PAGES: u32 = 3000;
    let all: Vec<_> = (1..=PAGES).map(|n| write(n, image(n.into()))).collect();
    let first = kit.commit(&kit.draft().write(A, all)).version;
    let thirds: Vec<_> =
        (1..=PAGES).step_by(3).map(|n| write(n, image(u64::from(n) << 32))).collect();
    let second = kit.commit(&kit.draft().write(A, thirds)).version;
    let numbers: Vec<u32> = (1..=PAGES + 5).rev().collect();
    for (n, found) in numbers.iter().zip(kit.read(A, &numbers, second)) {
        let (version, tag) =
            if n % 3 == 1 { (second, u64::from(*n) << 32) } else { (first, u64::from(*n)) };
        let expected = (*n <= PAGES).then(|| (version, image(tag)));
        assert!(found.map(|p| (p.version, p.bytes)) == expected, "page {n}");
    }
}

fn pages_of_every_size_in_one_namespace(kit: &Kit) {
    let mut versions = Vec::new();
    for shift in 9..=16 {
        let page_size = PageSize::new(1 << shift).expect("SQLite knows it");
        let writes =
            vec![write(1, sized_image(page_size, shift)), write(2, sized_image(page_size, !shift))];
        let change = NamespaceChange { namespace: A, writes, page_size, page_count: 2 };
        let version = kit.commit(&kit.draft().change(change)).version;
        versions.push((version, page_size, shift));
    }
    for (version, page_size, shift) in versions {
        for (n, tag) in [(1, shift), (2, !shift)] {
            let found = kit.read_one(A, n, version).expect("was written");
            assert!(found.bytes == sized_image(page_size, tag), "page {n} of size {page_size:?}");
        }
        let head = block_on(kit.store().head(A, version)).expect("the log is answered");
        assert_eq!(head.map(|entry| entry.page_size), Some(page_size));
    }
}

fn pages_above_the_page_count_keep_their_history(kit: &Kit) {
    let all: Vec<_> = (1..=4).map(|n| write(n, image(n.into()))).collect();
    let grown = kit.commit(&kit.draft().write(A, all)).version;
    let change = NamespaceChange {
        namespace: A,
        writes: vec![write(1, image(10))],
        page_size: PageSize::MIN,
        page_count: 2,
    };
    kit.commit(&kit.draft().change(change));
    for n in 1..=4 {
        kit.expect(A, n, grown, grown, n.into());
    }
}

fn a_deep_history_stays_readable(kit: &Kit) {
    const DEPTH: u64 = 400;
    let mut versions = vec![kit.put(1, 0)];
    for tag in 1..DEPTH {
        // Every third as a patch: history may be kept in another form then.
        let old = kit.read_one(A, 1, versions[tag as usize - 1]).expect("was written");
        let new = if tag % 3 == 0 { patched(1, &old, image(tag)) } else { write(1, image(tag)) };
        versions.push(kit.commit(&kit.draft().write(A, [new])).version);
    }
    for (tag, &version) in versions.iter().enumerate() {
        kit.expect(A, 1, version, version, tag as u64);
    }
}

fn old_versions_do_not_change_while_others_commit(kit: &Kit) {
    const PAGES: u32 = 8;
    let mut rng = kit.rng();
    let all: Vec<_> = (1..=PAGES).map(|n| write(n, image(n.into()))).collect();
    kit.commit(&kit.draft().write(A, all));
    for n in 1..=PAGES {
        kit.put(n, rng.next());
    }
    let numbers: Vec<PageNo> = (1..=PAGES).map(page).collect();
    let snapshot = |at| block_on(kit.store().read_pages(A, &numbers, at)).expect("is answered");
    let at = kit.head();
    let first = snapshot(at);
    let look = || assert!(snapshot(at) == first, "the snapshot at {at} changed");
    look_meanwhile(200, look, |_| {
        kit.put(1 + rng.below(PAGES as usize) as u32, rng.next());
    });
    assert!(snapshot(at) == first, "the snapshot at {at} changed");
}

fn a_version_that_is_not_there_yet_is_no_moving_head(kit: &Kit) {
    kit.put(1, 1);
    let ahead = [kit.head().successor().expect("far from the end"), Version::MAX];
    let read = |at| block_on(kit.store().read_pages(A, &[page(1)], at));
    let before = ahead.map(read);
    kit.put(1, 2);
    for (at, before) in ahead.into_iter().zip(before) {
        // An error may become an answer; an answer must stay what it was.
        if let Ok(before) = before {
            let after = read(at).expect("was answered once");
            assert!(after == before, "the answer for {at} changed when a commit came");
        }
    }
}

fn nothing_changes_by_reopening(kit: &Kit) {
    let versions: Vec<Version> = (1..30).map(|tag| kit.put(1 + tag as u32 % 3, tag)).collect();
    block_on(kit.store().wait_durable(kit.head())).expect("all becomes durable");
    let snapshots =
        || -> Vec<_> { versions.iter().map(|&at| kit.read(A, &[1, 2, 3], at)).collect() };
    let before = snapshots();
    kit.reopen();
    assert!(snapshots() == before);
}

fn the_version_is_that_of_the_writing_commit(kit: &Kit) {
    let both = kit.draft().write(A, [write(1, image(1)), write(2, image(2))]);
    let first = kit.commit(&both.write(B, [write(1, image(3))])).version;
    let second = kit.put(2, 4);
    let versions = |ns, numbers: &[u32]| -> Vec<Version> {
        kit.read(ns, numbers, second).into_iter().flatten().map(|i| i.version).collect()
    };
    assert_eq!(versions(A, &[1, 2]), [first, second]);
    assert_eq!(versions(B, &[1]), [first]);
}
