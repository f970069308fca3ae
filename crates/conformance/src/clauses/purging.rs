//! PG-7 and PG-30: purging, and what may be read afterwards.

use bytes::Bytes;
use hozo_traits::exec::block_on;
use hozo_traits::{Conflict, ErrorKind, NamespaceId, PageImage, Purged, Version};

use crate::kit::{A, B, Kit, image, page, patched, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(7, a_read_below_a_purge_is_right_or_gone),
    case!(7, a_read_between_two_purged_versions_is_right_or_gone),
    case!(7, a_read_before_a_purged_first_version_is_no_empty_page),
    case!(7, is_still_right_or_gone_after_reopening, Persistent),
    case!(30, nothing_else_changes),
    case!(30, counts_what_was_there),
    case!(30, what_patches_need_stays),
    case!(30, a_patch_against_a_purged_image),
    case!(30, staged_pages_can_be_purged),
    case!(30, conditions_do_not_see_it),
    case!(30, other_namespaces_keep_the_same_versions),
];

/// A page's history: each version and the image that it must have.
struct History {
    n: u32,
    images: Vec<(Version, Bytes)>,
}

impl History {
    /// Writes page `n` `count` times; every `every`-th as a patch, if not 0.
    fn write(kit: &Kit, n: u32, count: u64, every: u64) -> Self {
        let mut images: Vec<(Version, Bytes)> = Vec::new();
        for i in 0..count {
            let new = match images.last() {
                Some((version, old)) if every > 0 && i % every == 0 => {
                    let mut bytes = old.to_vec();
                    bytes[i as usize % 500] ^= 0x55;
                    patched(n, &PageImage { version: *version, bytes: old.clone() }, bytes.into())
                }
                _ => write(n, image(i << 8 | u64::from(n))),
            };
            let bytes = new.image.clone();
            images.push((kit.commit(&kit.draft().write(A, [new])).version, bytes));
            // Something else moves, too.
            kit.put(100, i);
        }
        History { n, images }
    }

    /// That reads are right from `intact` on, and right or gone below.
    #[track_caller]
    fn expect(&self, kit: &Kit, intact: Version) {
        let last = kit.head();
        let mut ats: Vec<Version> = kit.whole_log(A).iter().map(|entry| entry.version).collect();
        ats.extend([Version::ZERO, last]);
        for at in ats {
            let expected = self.images.iter().rev().find(|(version, _)| *version <= at);
            let expected = expected
                .map(|(version, bytes)| PageImage { version: *version, bytes: bytes.clone() });
            match block_on(kit.store().read_pages(A, &[page(self.n)], at)) {
                Ok(found) => assert!(found == [expected], "page {} at {at} is wrong", self.n),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::VersionGone, "{error}");
                    assert!(at < intact, "{at} is gone, nothing from {intact} on was purged");
                }
            }
        }
    }

    fn version(&self, i: usize) -> Version {
        self.images[i].0
    }

    fn purge(&self, kit: &Kit, which: impl IntoIterator<Item = usize>) -> Purged {
        let victims: Vec<_> = which.into_iter().map(|i| (page(self.n), self.version(i))).collect();
        block_on(kit.store().purge(A, &victims)).expect("is purged")
    }
}

fn a_read_below_a_purge_is_right_or_gone(kit: &Kit) {
    let history = History::write(kit, 1, 10, 0);
    history.expect(kit, Version::ZERO);
    history.purge(kit, 0..3);
    history.expect(kit, history.version(3));
    history.purge(kit, 3..9);
    history.expect(kit, history.version(9));
}

fn a_read_between_two_purged_versions_is_right_or_gone(kit: &Kit) {
    // The trap: below a hole the next older image is another one, not the answer.
    let history = History::write(kit, 1, 12, 0);
    history.purge(kit, [4]);
    history.expect(kit, history.version(5));
    history.purge(kit, [8, 6]);
    history.expect(kit, history.version(9));
}

fn a_read_before_a_purged_first_version_is_no_empty_page(kit: &Kit) {
    let history = History::write(kit, 1, 2, 0);
    history.purge(kit, [0]);
    let at = history.version(0);
    match block_on(kit.store().read_pages(A, &[page(1)], at)) {
        Ok(found) => assert!(found[0].is_some(), "a page that was there is answered as not there"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::VersionGone, "{error}"),
    }
}

fn is_still_right_or_gone_after_reopening(kit: &Kit) {
    let history = History::write(kit, 1, 10, 3);
    history.purge(kit, [0, 2, 3, 7]);
    block_on(kit.store().wait_durable(kit.head())).expect("all becomes durable");
    kit.reopen();
    history.expect(kit, history.version(8));
    kit.put(2, 2);
    history.expect(kit, history.version(8));
}

fn nothing_else_changes(kit: &Kit) {
    let history = History::write(kit, 1, 8, 0);
    let other = History::write(kit, 2, 8, 2);
    kit.commit(&kit.draft().set("key", "value"));
    let (log, marks, meta) = (kit.whole_log(A), kit.marks(), kit.scan(b"", None, 10));
    assert_eq!(block_on(kit.store().purge(A, &[])).expect("nothing"), Purged::default());
    history.purge(kit, 1..7);
    assert!(kit.whole_log(A) == log);
    assert!(kit.marks().sequenced >= marks.sequenced);
    assert_eq!(kit.scan(b"", None, 10), meta);
    history.expect(kit, history.version(7));
    other.expect(kit, history.version(7));
    // And the namespace goes on.
    let newer = kit.put(1, 99);
    kit.expect(A, 1, newer, newer, 99);
}

fn counts_what_was_there(kit: &Kit) {
    let history = History::write(kit, 1, 6, 0);
    let purged = history.purge(kit, [0, 2]);
    assert_eq!(purged.removed + purged.kept, 2, "{purged:?}");
    let never = [(page(1), Version::MAX), (page(77), history.version(0))];
    let purged = block_on(kit.store().purge(A, &never)).expect("nothing is purged");
    assert_eq!(purged, Purged::default());
    let twice = history.purge(kit, [3, 3]);
    assert_eq!(twice.removed + twice.kept, 1, "{twice:?}");
    history.expect(kit, history.version(4));
}

fn what_patches_need_stays(kit: &Kit) {
    for every in [1, 2, 5] {
        let other = kit.another();
        let history = History::write(&other, 1, 40, every);
        let victims: Vec<usize> = (0..39).filter(|i| i % 3 != 1).collect();
        let purged = history.purge(&other, victims.clone());
        assert_eq!(purged.removed + purged.kept, victims.len() as u64, "{purged:?}");
        history.expect(&other, history.version(39));
        // What was kept may go later; asking again never breaks what stays.
        history.purge(&other, 0..39);
        history.expect(&other, history.version(39));
    }
}

fn a_patch_against_a_purged_image(kit: &Kit) {
    let first = kit.put(1, 1);
    let base = kit.read_one(A, 1, first).expect("was written");
    kit.put(1, 2);
    block_on(kit.store().purge(A, &[(page(1), first)])).expect("is purged");
    // The writer read the base before it went.
    let version = kit.commit(&kit.draft().write(A, [patched(1, &base, image(3))])).version;
    kit.expect(A, 1, version, version, 3);
    let base = kit.read_one(A, 1, version).expect("was written");
    let newest = kit.commit(&kit.draft().write(A, [patched(1, &base, image(4))])).version;
    block_on(kit.store().purge(A, &[(page(1), version)])).expect("is purged");
    kit.expect(A, 1, newest, newest, 4);
}

fn staged_pages_can_be_purged(kit: &Kit) {
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(1)), write(2, image(2))]);
    let first = kit.commit(&draft).version;
    let second = kit.put(1, 3);
    let purged = block_on(kit.store().purge(A, &[(page(1), first)])).expect("is purged");
    assert_eq!(purged.removed + purged.kept, 1);
    kit.expect(A, 1, second, second, 3);
    kit.expect(A, 2, second, first, 2);
}

fn conditions_do_not_see_it(kit: &Kit) {
    let history = History::write(kit, 1, 5, 0);
    let head = kit.head();
    history.purge(kit, 0..4);
    let newest = history.version(4);
    let conflict = kit.conflict(&kit.draft().if_page(A, 1, history.version(2)));
    assert_eq!(conflict, Conflict::Page { namespace: A, page: page(1), version: newest });
    kit.commit(&kit.draft().if_page(A, 1, newest).if_namespace(A, head));
}

fn other_namespaces_keep_the_same_versions(kit: &Kit) {
    // One commit, so page and version are the same in all of them.
    let namespaces = [A, B, NamespaceId(0), NamespaceId(3)];
    let add =
        |draft: crate::kit::Draft, ns: &NamespaceId| draft.write(*ns, [write(1, image(ns.0))]);
    let first = kit.commit(&namespaces.iter().fold(kit.draft(), add)).version;
    kit.put(1, 50);
    block_on(kit.store().purge(A, &[(page(1), first)])).expect("is purged");
    for ns in [B, NamespaceId(0), NamespaceId(3)] {
        kit.expect(ns, 1, first, first, ns.0);
    }
}
