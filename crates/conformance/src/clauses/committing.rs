//! PG-9 and PG-13: a commit is one step. Real threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitOutcome, ErrorKind, MetaValue, NamespaceId, PageSize, PageStoreExt, Version,
};

use crate::exec::{Job, poll_together};
use crate::kit::{A, B, Draft, Kit, image, look_meanwhile, sized_image, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(9, everything_is_at_one_version),
    case!(9, a_conflict_leaves_nothing),
    case!(9, an_invalid_part_leaves_nothing_of_the_others),
    case!(9, nobody_sees_a_part),
    case!(13, conditions_see_commits_that_are_not_durable),
    case!(13, nothing_comes_between_page_condition_and_write),
    case!(13, nothing_comes_between_namespace_condition_and_write),
    case!(13, nothing_comes_between_metadata_condition_and_write),
    case!(13, one_of_many_that_are_polled_together_wins),
];

fn everything_is_at_one_version(kit: &Kit) {
    let value = MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) };
    let draft = kit.draft().write(A, [write(1, image(1)), write(2, image(2))]);
    let draft = draft.write(B, [write(1, image(3))]).meta("key", Some(value));
    let version = kit.commit(&draft).version;
    kit.expect(A, 1, version, version, 1);
    kit.expect(A, 2, version, version, 2);
    kit.expect(B, 1, version, version, 3);
    for ns in [A, B] {
        let entry = kit.whole_log(ns).pop().expect("has an entry");
        assert_eq!((entry.version, entry.commit_id), (version, draft.0.id));
    }
    assert_eq!(kit.meta(b"key").as_deref(), Some(&version.as_bytes()[..]));
}

/// That the store is as before a commit of page 1 of both namespaces and of
/// the keys `old` and `new`.
fn expect_untouched(kit: &Kit, before: Version) {
    let head = kit.head();
    for ns in [A, B] {
        kit.expect(ns, 1, head, before, 1);
        assert_eq!(kit.read(ns, &[2], head), [None]);
        assert_eq!(kit.whole_log(ns).len(), 1);
    }
    assert_eq!(kit.meta(b"old").as_deref(), Some(&b"value"[..]));
    assert_eq!(kit.meta(b"new"), None);
}

fn a_start(kit: &Kit) -> Version {
    let draft = kit.draft().write(A, [write(1, image(1))]).write(B, [write(1, image(1))]);
    kit.commit(&draft.set("old", "value")).version
}

fn an_attempt(kit: &Kit) -> Draft {
    let draft = kit.draft().write(A, [write(1, image(2)), write(2, image(2))]);
    let draft = draft.write(B, [write(1, image(2)), write(2, image(2))]);
    draft.meta("old", None).set("new", "value")
}

fn a_conflict_leaves_nothing(kit: &Kit) {
    let before = a_start(kit);
    // The condition that fails is first, last, and in either namespace.
    let held = |draft: Draft| draft.if_page(A, 1, before).if_namespace(B, before);
    kit.conflict(&held(an_attempt(kit)).if_page(B, 1, Version::ZERO));
    expect_untouched(kit, before);
    kit.conflict(&held(an_attempt(kit)).if_namespace(B, Version::ZERO));
    expect_untouched(kit, before);
    kit.conflict(&held(an_attempt(kit)).if_meta("old", None));
    expect_untouched(kit, before);
    kit.conflict(&held(an_attempt(kit).if_page(A, 1, Version::ZERO)));
    expect_untouched(kit, before);
}

fn an_invalid_part_leaves_nothing_of_the_others(kit: &Kit) {
    let before = a_start(kit);
    let odd = sized_image(PageSize::DEFAULT, 1);
    let last = kit.draft().write(A, [write(1, image(2))]).write(B, [write(2, odd)]);
    kit.refused(&last.set("new", "value"), ErrorKind::Invalid);
    expect_untouched(kit, before);
    let value = MetaValue { bytes: "short".into(), version_at: Some(0) };
    kit.refused(&an_attempt(kit).meta("newer", Some(value)), ErrorKind::Invalid);
    expect_untouched(kit, before);
}

fn nobody_sees_a_part(kit: &Kit) {
    const COMMITS: u64 = 300;
    let store = kit.store();
    let meta = || MetaValue { bytes: vec![0; Version::LEN].into(), version_at: Some(0) };
    let look = || {
        // By the watermark: what is sequenced is whole.
        let at = block_on(store.watermarks()).expect("watermarks").sequenced;
        expect_whole(kit, at);
        // By metadata: where its version leads, the commit is whole, too.
        if let Some(value) = kit.meta(b"key") {
            let version = Version::from_bytes(value[..].try_into().expect("10 bytes"));
            assert!(kit.head() >= version, "metadata of {version} before its commit");
            assert_eq!(expect_whole(kit, version), version, "metadata before its pages");
            let newest = block_on(store.head(A, Version::MAX)).expect("the log is answered");
            let logged = newest.is_some_and(|entry| entry.version >= version);
            assert!(logged, "metadata before its log");
        }
    };
    look_meanwhile(COMMITS, look, |tag| {
        let draft = kit.draft().write(A, [write(1, image(tag)), write(900, image(tag))]);
        let draft = draft.write(B, [write(1, image(tag))]).meta("key", Some(meta()));
        kit.commit(&if tag % 8 == 0 { draft.durable() } else { draft });
    });
}

/// That all pages of the test above are of one commit at `at`: its version.
fn expect_whole(kit: &Kit, at: Version) -> Version {
    let mut pages = kit.read(A, &[1, 900], at);
    pages.extend(kit.read(B, &[1], at));
    assert!(pages.iter().all(|p| p == &pages[0]), "parts of different commits at {at}");
    pages[0].as_ref().map_or(Version::ZERO, |p| p.version)
}

fn conditions_see_commits_that_are_not_durable(kit: &Kit) {
    for n in 0..20 {
        let before = kit.head();
        kit.put(1, n);
        kit.conflict(&kit.draft().write(A, [write(1, image(99))]).if_page(A, 1, before).durable());
        let before = kit.head();
        kit.commit(&kit.draft().write(A, []));
        kit.conflict(&kit.draft().write(A, [write(1, image(99))]).if_namespace(A, before));
        kit.commit(&kit.draft().set("key", vec![n as u8]));
        kit.conflict(&kit.draft().set("key", "lost").if_meta("key", None).durable());
    }
}

const THREADS: usize = 4;
const ATTEMPTS: usize = 60;

/// Threads that add one to a counter in page 1 again and again, each attempt
/// under the condition that `guard` adds for the version that was read. The
/// counter must end at the number of attempts that succeeded.
fn count_up(kit: &Kit, guard: impl Fn(Draft, Version, u64) -> Draft + Sync) {
    kit.commit(
        &kit.draft().write(A, [write(1, counter(0))]).set("counter", 0u64.to_be_bytes().to_vec()),
    );
    let successes = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for i in 0..ATTEMPTS {
                    let at = kit.head();
                    let read = kit.read_one(A, 1, at).expect("is there from the start").bytes;
                    let n = u64::from_be_bytes(read[..8].try_into().expect("8 bytes"));
                    let draft = kit.draft().write(A, [write(1, counter(n + 1))]);
                    let draft = draft.set("counter", (n + 1).to_be_bytes().to_vec());
                    let draft = guard(draft, at, n);
                    let draft = if i % 4 == 0 { draft.durable() } else { draft };
                    if let CommitOutcome::Committed(made) = kit.outcome(&draft) {
                        successes.fetch_add(1, Ordering::Relaxed);
                        // Nobody can have come between, so this is what stands there.
                        let found = kit.read_one(A, 1, made.version).expect("was written");
                        assert_eq!(found.version, made.version);
                        assert!(found.bytes == counter(n + 1));
                    }
                }
            });
        }
    });
    let last = kit.read_one(A, 1, kit.head()).expect("was written").bytes;
    assert!(last == counter(successes.into_inner()), "an update was lost");
}

fn counter(n: u64) -> bytes::Bytes {
    let mut bytes = image(7).to_vec();
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    bytes.into()
}

fn nothing_comes_between_page_condition_and_write(kit: &Kit) {
    count_up(kit, |draft, at, _| draft.if_page(A, 1, at));
}

fn nothing_comes_between_namespace_condition_and_write(kit: &Kit) {
    count_up(kit, |draft, at, _| draft.if_namespace(A, at));
}

fn nothing_comes_between_metadata_condition_and_write(kit: &Kit) {
    count_up(kit, |draft, _, n| draft.if_meta("counter", Some(&n.to_be_bytes())));
}

fn one_of_many_that_are_polled_together_wins(kit: &Kit) {
    const MANY: u64 = 24;
    for round in 0..10 {
        let at = kit.head();
        let job = |n: u64| -> Job<CommitOutcome> {
            let draft = kit.draft().write(A, [write(1, image(n))]).if_page(A, 1, at).durable();
            // Each writes a page of its own namespace, too, which would show a
            // loser that wrote after all.
            let draft = draft.write(NamespaceId(100 + n), [write(1, image(round))]);
            let store = kit.store();
            Box::pin(async move { store.commit(draft.0).await.expect("the commit is answered") })
        };
        let outcomes = poll_together((0..MANY).map(job).collect());
        let made: Vec<usize> = (0..outcomes.len())
            .filter(|&i| matches!(outcomes[i], CommitOutcome::Committed(_)))
            .collect();
        assert_eq!(made.len(), 1, "all were read at {at}: {outcomes:?}");
        let found = kit.read_one(A, 1, kit.head()).expect("was written");
        assert!(found.bytes == image(made[0] as u64), "the winner's page");
        let own = kit.whole_log(NamespaceId(100 + made[0] as u64)).len();
        assert!(own >= 1);
    }
    let entries: usize = (0..MANY).map(|n| kit.whole_log(NamespaceId(100 + n)).len()).sum();
    assert_eq!(entries, 10, "losers wrote");
}
