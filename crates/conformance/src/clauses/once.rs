//! PG-14: a commit id happens once.

use std::thread;
use std::time::Duration;

use hozo_traits::exec::block_on;
use hozo_traits::{Ambient, CommitId, CommitOutcome, ErrorKind, PageStoreExt, Timestamp, Version};

use crate::exec::{Job, poll_together};
use crate::kit::{A, B, Draft, Kit, image, page, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(14, a_repeated_commit_answers_the_same_and_writes_nothing),
    case!(14, a_repeated_conflict_stays_one),
    case!(14, a_conflict_stays_one_when_its_cause_is_gone),
    case!(14, the_first_answer_holds_whatever_the_repetition_contains),
    case!(14, a_commit_without_writes_is_repeated_too),
    case!(14, a_chosen_version_is_repeated_too, ChosenVersions),
    case!(14, staged_pages_are_committed_once),
    case!(14, many_commits_may_come_between),
    case!(14, the_same_id_at_once_from_many_threads),
    case!(14, the_same_id_polled_together),
    case!(14, ids_of_one_millisecond_are_different),
    case!(14, is_kept_for_an_hour),
    case!(14, an_old_id_is_refused),
    case!(14, an_old_id_is_taken_at_a_chosen_version, ChosenVersions),
    case!(14, a_forgotten_id_is_refused_and_not_done_again),
    case!(14, holds_after_reopening, Persistent),
];

/// That the store is at the state that `first` left: one entry, its pages.
#[track_caller]
fn expect_once(kit: &Kit, draft: &Draft) {
    let mine = kit.whole_log(A).into_iter().filter(|entry| entry.commit_id == draft.0.id);
    assert_eq!(mine.count(), 1, "one commit, one entry");
}

fn a_repeated_commit_answers_the_same_and_writes_nothing(kit: &Kit) {
    let before = kit.put(1, 1);
    // Its own write would make the condition fail the second time.
    let draft = kit.draft().write(A, [write(1, image(2))]).if_page(A, 1, before);
    let draft = draft.if_meta("key", None).set("key", "value");
    let first = kit.commit(&draft);
    let newer = kit.put(1, 3);
    kit.commit(&kit.draft().set("key", "newer"));
    let head = kit.head();
    for _ in 0..3 {
        assert_eq!(kit.commit(&draft), first);
    }
    assert_eq!(kit.head(), head, "a repetition moved the store");
    kit.expect(A, 1, head, newer, 3);
    assert_eq!(kit.meta(b"key").as_deref(), Some(&b"newer"[..]));
    expect_once(kit, &draft);
}

fn a_repeated_conflict_stays_one(kit: &Kit) {
    kit.put(1, 1);
    let draft = kit.draft().write(A, [write(2, image(2))]).if_page(A, 1, Version::ZERO);
    let first = kit.conflict(&draft);
    // A newer one exists now; the answer still names the one of then.
    kit.put(1, 2);
    assert_eq!(kit.conflict(&draft), first);
    assert_eq!(kit.read_one(A, 2, kit.head()), None);
}

fn a_conflict_stays_one_when_its_cause_is_gone(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]).if_meta("key", Some(b"value"));
    let first = kit.conflict(&draft);
    kit.commit(&kit.draft().set("key", "value"));
    assert_eq!(kit.conflict(&draft), first);
    assert_eq!(kit.read_one(A, 1, kit.head()), None);
}

fn the_first_answer_holds_whatever_the_repetition_contains(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]);
    let first = kit.commit(&draft);
    let other = kit.draft().id(draft.0.id).write(B, [write(9, image(9))]).set("key", "value");
    assert_eq!(kit.commit(&other), first);
    assert_eq!(kit.commit(&other.if_page(A, 1, Version::ZERO)), first);
    assert_eq!(kit.read_one(B, 9, kit.head()), None);
    assert_eq!(kit.meta(b"key"), None);
    assert_eq!(kit.whole_log(B), []);
}

fn a_commit_without_writes_is_repeated_too(kit: &Kit) {
    let since = kit.put(1, 1);
    let draft = kit.draft().if_page(A, 1, since);
    let first = kit.commit(&draft);
    kit.put(1, 2);
    assert_eq!(kit.commit(&draft), first);
}

fn a_chosen_version_is_repeated_too(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]).at(Version::from_seq(1000));
    let first = kit.commit(&draft);
    kit.put(1, 2);
    // The chosen version is below the head by now, and yet this is no error.
    assert_eq!(kit.commit(&draft), first);
    expect_once(kit, &draft);
}

fn staged_pages_are_committed_once(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]);
    kit.stage(draft.0.id, A, [write(2, image(2))]);
    let first = kit.commit(&draft);
    let newer = kit.put(2, 3);
    // A client that does not know the outcome sends all of it again.
    let _ = block_on(kit.store().stage(draft.0.id, A, vec![write(2, image(2))]));
    assert_eq!(kit.commit(&draft), first);
    kit.expect(A, 2, kit.head(), newer, 3);
    kit.expect(A, 2, first.version, first.version, 2);
}

fn many_commits_may_come_between(kit: &Kit) {
    let first = kit.draft().write(A, [write(1, image(1))]);
    let made = kit.outcome(&first);
    let refused = kit.draft().write(A, []).if_page(A, 1, Version::ZERO);
    let conflict = kit.outcome(&refused);
    for n in 0..1500 {
        kit.put(1, n);
    }
    assert_eq!(kit.outcome(&first), made);
    assert_eq!(kit.outcome(&refused), conflict);
    expect_once(kit, &first);
}

fn the_same_id_at_once_from_many_threads(kit: &Kit) {
    for round in 0..30 {
        let since = kit.head();
        let draft = kit.draft().write(A, [write(1, image(round))]).if_namespace(A, since);
        let draft = if round % 2 == 0 { draft.durable() } else { draft };
        let outcomes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| kit.outcome(&draft))).collect();
            threads.into_iter().map(|t| t.join().expect("no thread panics")).collect()
        });
        assert!(matches!(outcomes[0], CommitOutcome::Committed(_)), "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
        expect_once(kit, &draft);
    }
}

fn the_same_id_polled_together(kit: &Kit) {
    for round in 0..30 {
        let draft = kit.draft().write(A, [write(1, image(round))]).durable();
        let job = |_| -> Job<CommitOutcome> {
            let (store, commit) = (kit.store(), draft.0.clone());
            Box::pin(async move { store.commit(commit).await.expect("the commit is answered") })
        };
        let outcomes = poll_together((0..6).map(job).collect());
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
        expect_once(kit, &draft);
    }
}

fn ids_of_one_millisecond_are_different(kit: &Kit) {
    let now = kit.ambient.now();
    let ids = [[0; 10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0xff; 10]].map(|r| CommitId::new(now, r));
    let versions = ids.map(|id| kit.commit(&kit.draft().id(id).write(A, [])).version);
    assert!(versions[0] < versions[1] && versions[1] < versions[2]);
    for (id, version) in ids.into_iter().zip(versions) {
        assert_eq!(kit.commit(&kit.draft().id(id).write(A, [])).version, version);
    }
}

const ALMOST_AN_HOUR: Duration = Duration::from_secs(59 * 60);

fn is_kept_for_an_hour(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]);
    let first = kit.commit(&draft);
    // An id may also reach the store for the first time when it is that old.
    let late = kit.draft().write(B, [write(1, image(1))]);
    for n in 0..59 {
        kit.ambient.advance(ALMOST_AN_HOUR / 59);
        kit.put(1, n);
    }
    assert_eq!(kit.commit(&draft), first);
    let made = kit.commit(&late);
    assert_eq!(kit.commit(&late), made);
    expect_once(kit, &draft);
}

fn an_old_id_is_refused(kit: &Kit) {
    for random in [0, 1, 0xff] {
        let id = CommitId::new(Timestamp::from_micros(0), [random; 10]);
        let draft = kit.draft().id(id).write(A, [write(1, image(1))]);
        kit.refused(&draft, ErrorKind::Invalid);
    }
    assert_eq!(kit.whole_log(A), []);
}

fn an_old_id_is_taken_at_a_chosen_version(kit: &Kit) {
    let mut at = kit.put(1, 0);
    for n in 1..6 {
        at = Version::from_seq(at.seq() + n);
        let id = CommitId::new(Timestamp::from_micros(n * 1_000_000), [n as u8; 10]);
        let draft = kit.draft().id(id).at(at).write(A, [write(1, image(n))]);
        assert_eq!(kit.commit(&draft).version, at);
        kit.expect(A, 1, at, at, n);
        // Commits of now make stores forget, and no version is made again.
        kit.put(2, n);
        at = kit.head();
        let _ = block_on(kit.store().commit(draft.0.clone()));
        assert_eq!(kit.head(), at);
        expect_once(kit, &draft);
    }
}

fn a_forgotten_id_is_refused_and_not_done_again(kit: &Kit) {
    let draft = kit.draft().write(A, [write(1, image(1))]);
    kit.commit(&draft);
    kit.ambient.advance(Duration::from_secs(20 * 365 * 24 * 60 * 60));
    // Stores drop old ids now and then, so give them an occasion.
    for n in 0..50 {
        kit.put(1, n);
    }
    kit.refused(&draft, ErrorKind::Invalid);
    // Also when the clock jumped back meanwhile: then it may be known again,
    // but it is never done a second time.
    kit.ambient.set(crate::TestAmbient::START);
    let _ = block_on(kit.store().commit(draft.0.clone()));
    expect_once(kit, &draft);
}

fn holds_after_reopening(kit: &Kit) {
    let made = kit.draft().write(A, [write(1, image(1))]);
    let first = kit.commit(&made);
    let refused = kit.draft().write(A, [write(1, image(2))]).if_page(A, 1, Version::ZERO);
    let conflict = kit.conflict(&refused);
    let head = kit.commit(&kit.draft().write(A, [write(1, image(3))]).durable()).version;
    for _ in 0..3 {
        kit.reopen();
        assert_eq!(kit.commit(&made), first);
        assert_eq!(kit.conflict(&refused), conflict);
    }
    let store = kit.store();
    let newest = block_on(store.read_page(A, page(1), head)).expect("is read").expect("is there");
    assert_eq!(newest.version, head);
    expect_once(kit, &made);
}
