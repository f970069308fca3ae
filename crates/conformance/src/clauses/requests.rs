//! PG-15 to PG-19: commits without contents, wrong ones, patches, order,
//! chosen versions.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{
    ErrorKind, MetaValue, NamespaceChange, PageImage, PageSize, PageWrite, Patch, Version,
};

use crate::kit::{A, B, Kit, SIZE, image, page, patched, sized_image, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(15, checks_its_conditions_and_writes_nothing),
    case!(16, a_page_twice_is_invalid),
    case!(16, an_image_of_another_size_is_invalid),
    case!(16, a_staged_image_of_another_size_is_invalid),
    case!(16, a_namespace_twice_is_invalid),
    case!(17, a_chain_of_patches_reads_back),
    case!(17, a_patch_against_an_older_image),
    case!(17, patches_at_the_edges_of_a_page),
    case!(17, a_patch_against_a_staged_image),
    case!(18, a_durable_commit_makes_those_before_it_durable),
    case!(18, what_is_durable_is_a_prefix_after_reopening, Persistent),
    case!(19, the_chosen_version_is_the_version, ChosenVersions),
    case!(19, a_version_at_or_below_the_newest_is_invalid, ChosenVersions),
    case!(19, the_store_goes_on_above_a_chosen_version, ChosenVersions),
    case!(19, is_unsupported_without_the_capability, NoChosenVersions),
];

fn checks_its_conditions_and_writes_nothing(kit: &Kit) {
    let empty = kit.commit(&kit.draft());
    assert!(empty.version <= kit.head());
    let since = kit.put(1, 1);
    let made =
        kit.commit(&kit.draft().if_page(A, 1, since).if_namespace(A, since).if_meta("key", None));
    assert!((since..=kit.head()).contains(&made.version));
    kit.conflict(&kit.draft().if_page(A, 1, Version::ZERO));
    kit.conflict(&kit.draft().if_namespace(A, Version::ZERO));
    kit.conflict(&kit.draft().if_meta("key", Some(b"")));
    let durable = kit.commit(&kit.draft().if_page(A, 1, since).durable());
    assert!(kit.marks().durable >= durable.version);
    assert_eq!(kit.whole_log(A).len(), 1);
    kit.commit(&kit.draft().if_namespace(A, since));
    kit.expect(A, 1, kit.head(), since, 1);
    assert_eq!(kit.scan(b"", None, 10), []);
}

#[track_caller]
fn expect_nothing(kit: &Kit) {
    let head = kit.head();
    for ns in [A, B] {
        assert_eq!(kit.read(ns, &[1, 2, 3], head), [None, None, None]);
        assert_eq!(kit.whole_log(ns), []);
    }
    assert_eq!(kit.meta(b"key"), None);
}

fn a_page_twice_is_invalid(kit: &Kit) {
    let adjacent = [write(1, image(1)), write(1, image(2))];
    let same = [write(1, image(1)), write(1, image(1))];
    let apart = [write(3, image(1)), write(1, image(2)), write(2, image(2)), write(3, image(3))];
    for twice in [adjacent.to_vec(), same.to_vec(), apart.to_vec()] {
        let draft = kit.draft().set("key", "value").write(B, [write(1, image(1))]);
        kit.refused(&draft.write(A, twice), ErrorKind::Invalid);
        expect_nothing(kit);
    }
    // The same number in two namespaces is another page.
    kit.commit(&kit.draft().write(A, [write(1, image(1))]).write(B, [write(1, image(2))]));
}

fn an_image_of_another_size_is_invalid(kit: &Kit) {
    let odd_sizes = [0, 1, 511, 513, 1024, 4096];
    for length in odd_sizes {
        let odd = write(2, Bytes::from(vec![7; length]));
        let draft = kit.draft().set("key", "value").write(A, [write(1, image(1)), odd]);
        kit.refused(&draft, ErrorKind::Invalid);
        expect_nothing(kit);
    }
    // Two changes of one commit may have two sizes, though.
    let large = NamespaceChange {
        namespace: B,
        writes: vec![write(1, sized_image(PageSize::MAX, 1))],
        page_size: PageSize::MAX,
        page_count: 1,
    };
    kit.commit(&kit.draft().write(A, [write(1, image(1))]).change(large));
}

fn a_staged_image_of_another_size_is_invalid(kit: &Kit) {
    let draft = kit.draft().set("key", "value").write(A, [write(1, image(1))]);
    kit.stage(draft.0.id, A, [write(2, image(2)), write(3, sized_image(PageSize::DEFAULT, 3))]);
    kit.refused(&draft, ErrorKind::Invalid);
    expect_nothing(kit);
}

fn a_namespace_twice_is_invalid(kit: &Kit) {
    let draft = kit.draft().set("key", "value").write(A, [write(1, image(1))]);
    let between = draft.clone().write(B, [write(1, image(1))]);
    kit.refused(&draft.write(A, [write(2, image(2))]), ErrorKind::Invalid);
    expect_nothing(kit);
    kit.refused(&between.write(A, []), ErrorKind::Invalid);
    expect_nothing(kit);
}

fn a_chain_of_patches_reads_back(kit: &Kit) {
    let mut rng = kit.rng();
    let mut expected = vec![(kit.put(1, 0), image(0))];
    for step in 0..250 {
        let (version, newest) = expected.last().expect("one is there").clone();
        let mut bytes = newest.to_vec();
        // Mostly a few bytes; now and then much, nothing, or all.
        let length = [1, 3, 9, 40, 0, 200, 512][rng.below(7)];
        let start = rng.below(SIZE.get() as usize - length + 1);
        rng.fill(&mut bytes[start..start + length]);
        let new = Bytes::from(bytes);
        let patch = Some(Patch::between(version, &newest, &new));
        let one = PageWrite { page: page(1), image: new.clone(), patch };
        let mut writes = vec![one];
        // Another page in the same commit, sometimes.
        if step % 5 == 0 {
            writes.push(write(2, new.clone()));
        }
        expected.push((kit.commit(&kit.draft().write(A, writes)).version, new));
    }
    for (version, bytes) in expected {
        let found = kit.read_one(A, 1, version).expect("was written");
        assert_eq!(found.version, version);
        assert!(found.bytes == bytes, "another image at {version}");
    }
}

fn a_patch_against_an_older_image(kit: &Kit) {
    // Images that share most of their bytes: a patch of one is not an image.
    let edited = |old: &PageImage, at: usize| {
        let mut bytes = old.bytes.to_vec();
        bytes[at] ^= 0xff;
        Bytes::from(bytes)
    };
    let mut images = vec![image(1)];
    let mut versions = vec![kit.put(1, 1)];
    let base = kit.read_one(A, 1, versions[0]).expect("was written");
    let mut next = |new: PageWrite| {
        images.push(new.image.clone());
        let version = kit.commit(&kit.draft().write(A, [new])).version;
        versions.push(version);
        kit.read_one(A, 1, version).expect("was written")
    };
    // Newer images of all forms come between a base and its patch.
    let second = next(patched(1, &base, edited(&base, 10)));
    let third = next(patched(1, &base, edited(&base, 200)));
    next(patched(1, &second, edited(&second, 300)));
    next(write(1, image(5)));
    next(patched(1, &base, edited(&base, 400)));
    next(patched(1, &third, edited(&third, 10)));
    for (version, bytes) in versions.iter().zip(images) {
        let found = kit.read_one(A, 1, *version).expect("was written");
        assert_eq!(found.version, *version);
        assert!(found.bytes == bytes, "another image at {version}");
    }
}

fn patches_at_the_edges_of_a_page(kit: &Kit) {
    for page_size in [PageSize::MIN, PageSize::MAX] {
        let size = page_size.get() as usize;
        let commit = |new: PageWrite| {
            let change =
                NamespaceChange { namespace: A, writes: vec![new], page_size, page_count: 1 };
            kit.commit(&kit.draft().change(change)).version
        };
        let mut base = commit(write(1, sized_image(page_size, 1)));
        let mut bytes = sized_image(page_size, 1).to_vec();
        for at in [&[0][..], &[size - 1], &[0, size - 1], &[size / 2], &[]] {
            let ranges = at.iter().map(|&offset| {
                bytes[offset] ^= 0xff;
                (offset as u32, Bytes::copy_from_slice(&bytes[offset..=offset]))
            });
            let patch = Some(Patch { base, ranges: ranges.collect() });
            base = commit(PageWrite { page: page(1), image: bytes.clone().into(), patch });
            let found = kit.read_one(A, 1, base).expect("was written");
            assert!(found.bytes == bytes, "bytes {at:?} of {size}");
        }
    }
}

fn a_patch_against_a_staged_image(kit: &Kit) {
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    let first = kit.commit(&draft).version;
    let base = kit.read_one(A, 1, first).expect("was committed");
    let second = kit.commit(&kit.draft().write(A, [patched(1, &base, image(2))])).version;
    // And a patch that is staged itself.
    let base = kit.read_one(A, 1, second).expect("was committed");
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [patched(1, &base, image(3))]);
    assert_eq!(kit.staged(draft.0.id, A, &[1]), [Some(image(3))]);
    let third = kit.commit(&draft).version;
    for (tag, version) in [first, second, third].into_iter().enumerate() {
        kit.expect(A, 1, version, version, tag as u64 + 1);
    }
}

fn a_durable_commit_makes_those_before_it_durable(kit: &Kit) {
    let before: Vec<Version> = (0..20).map(|tag| kit.put(1, tag)).collect();
    let last = kit.commit(&kit.draft().write(B, []).durable()).version;
    let durable = kit.marks().durable;
    assert!(durable >= last);
    assert!(before.iter().all(|version| *version <= durable));
}

fn what_is_durable_is_a_prefix_after_reopening(kit: &Kit) {
    let mut versions: Vec<Version> = (0..20).map(|tag| kit.put(1, tag)).collect();
    versions.push(kit.commit(&kit.draft().write(A, [write(1, image(20))]).durable()).version);
    kit.reopen();
    for (tag, &version) in versions.iter().enumerate() {
        kit.expect(A, 1, version, version, tag as u64);
    }
    let logged: Vec<Version> = kit.whole_log(A).iter().map(|entry| entry.version).collect();
    assert_eq!(logged, versions);
}

/// A version with bytes in its last two places, which local stores leave zero.
fn odd(seq: u64) -> Version {
    let mut bytes = *Version::from_seq(seq).as_bytes();
    bytes[8..].copy_from_slice(&[0x01, 0x80]);
    Version::from_bytes(bytes)
}

fn the_chosen_version_is_the_version(kit: &Kit) {
    let smallest = Version::ZERO.successor().expect("1");
    let value = || Some(MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) });
    for (tag, at) in [smallest, Version::from_seq(5), odd(5), odd(1 << 40)].into_iter().enumerate()
    {
        let tag = tag as u64;
        let draft = kit.draft().at(at).write(A, [write(1, image(tag))]).write(B, []);
        let made = kit.commit(&draft.meta("key", value()));
        assert_eq!(made.version, at);
        assert_eq!(kit.head(), at);
        kit.expect(A, 1, at, at, tag);
        assert_eq!(kit.meta(b"key").as_deref(), Some(&at.as_bytes()[..]));
        for ns in [A, B] {
            assert_eq!(kit.whole_log(ns).last().map(|entry| entry.version), Some(at));
        }
    }
    // Conditions are judged as ever.
    kit.conflict(&kit.draft().at(odd(1 << 41)).write(A, []).if_page(A, 1, odd(5)));
    assert_eq!(kit.head(), odd(1 << 40));
    block_on(kit.store().wait_durable(odd(1 << 40))).expect("a chosen version becomes durable");
}

fn a_version_at_or_below_the_newest_is_invalid(kit: &Kit) {
    let draft = || kit.draft().write(A, [write(1, image(2))]);
    kit.refused(&draft().at(Version::ZERO), ErrorKind::Invalid);
    let first = kit.put(1, 1);
    let newest = kit.commit(&kit.draft().write(B, []).at(odd(100))).version;
    for at in [Version::ZERO, first, Version::from_seq(100), newest] {
        kit.refused(&draft().at(at), ErrorKind::Invalid);
    }
    kit.expect(A, 1, kit.head(), first, 1);
    kit.commit(&draft().at(newest.successor().expect("far from the end")));
}

fn the_store_goes_on_above_a_chosen_version(kit: &Kit) {
    let chosen = kit.commit(&kit.draft().write(A, [write(1, image(1))]).at(odd(1 << 50))).version;
    let own = kit.put(1, 2);
    assert!(own > chosen, "{own} follows {chosen}");
    if kit.capabilities().persistent {
        block_on(kit.store().wait_durable(own)).expect("becomes durable");
        kit.reopen();
        assert_eq!(kit.head(), own);
        assert!(kit.put(1, 3) > own);
    }
    kit.expect(A, 1, chosen, chosen, 1);
}

fn is_unsupported_without_the_capability(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]).at(Version::from_seq(1000));
    kit.refused(&draft, ErrorKind::Unsupported);
    expect_nothing(kit);
}
