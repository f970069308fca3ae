//! PG-20 to PG-23: staging.

use std::time::Duration;

use hozo_traits::exec::block_on;
use hozo_traits::{CommitId, NamespaceChange, PageNo, PageSize, PageWrite, Timestamp, Version};

use crate::kit::{A, B, Kit, image, page, patched, sized_image, write};
use crate::peak;
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(20, staged_pages_are_seen_with_their_id_only),
    case!(20, staging_again_replaces),
    case!(20, nobody_else_notices_a_stage),
    case!(20, a_commit_makes_staged_pages_part_of_its_version),
    case!(20, once_committed_they_are_staged_no_more),
    case!(20, a_conflict_commits_nothing_of_the_stage),
    case!(20, an_old_id_is_staged_for_a_chosen_version, ChosenVersions),
    case!(20, what_a_forgotten_commit_took_stays_as_it_is),
    case!(21, written_pages_win_over_staged_ones),
    case!(21, staged_pages_of_other_namespaces_are_dropped),
    case!(21, a_stage_in_two_namespaces_is_committed_in_both),
    case!(21, a_commit_without_namespaces_drops_the_stage),
    case!(21, only_the_stage_of_the_id_is_taken),
    case!(22, a_discarded_stage_is_forgotten),
    case!(22, discarding_an_unknown_id_does_nothing),
    case!(22, discarding_a_committed_id_does_nothing),
    case!(22, discarding_does_nothing_after_reopening, Persistent),
    case!(23, a_large_stage_is_committed_whole),
    case!(23, the_commit_needs_no_memory_for_the_bytes),
];

fn staged_pages_are_seen_with_their_id_only(kit: &Kit) {
    let (id, other) = (kit.id(), kit.id());
    kit.stage(id, A, [write(3, image(3)), write(1, image(1))]);
    kit.stage(other, A, [write(2, image(20)), write(3, image(30))]);
    kit.stage(id, B, [write(1, image(11))]);
    kit.stage(id, A, []);
    assert_eq!(
        kit.staged(id, A, &[1, 2, 3, 1]),
        [Some(image(1)), None, Some(image(3)), Some(image(1))]
    );
    assert_eq!(kit.staged(other, A, &[1, 2, 3]), [None, Some(image(20)), Some(image(30))]);
    assert_eq!(kit.staged(id, B, &[1, 3]), [Some(image(11)), None]);
    assert_eq!(kit.staged(other, B, &[1, 2, 3]), [None, None, None]);
    assert_eq!(kit.staged(kit.id(), A, &[1, 2, 3]), [None, None, None]);
    assert_eq!(kit.staged(id, A, &[]), [None; 0]);
}

fn an_old_id_is_staged_for_a_chosen_version(kit: &Kit) {
    for n in 1..4 {
        let id = CommitId::new(Timestamp::from_micros(n * 1_000_000), [n as u8; 10]);
        kit.stage(id, A, [write(1, image(99))]);
        block_on(kit.store().discard_stage(id)).expect("discarded");
        assert_eq!(kit.staged(id, A, &[1]), [None]);
        kit.stage(id, A, [write(1, image(n))]);
        kit.stage(id, A, [write(2, image(n + 1))]);
        kit.stage(id, B, [write(1, image(n + 2))]);
        let at = Version::from_seq(kit.head().seq() + n);
        let draft = kit.draft().id(id).at(at).write(A, [write(3, image(n + 3))]).write(B, []);
        assert_eq!(kit.commit(&draft).version, at);
        for (namespace, page, tag) in [(A, 1, n), (A, 2, n + 1), (A, 3, n + 3), (B, 1, n + 2)] {
            kit.expect(namespace, page, at, at, tag);
        }
    }
}

fn what_a_forgotten_commit_took_stays_as_it_is(kit: &Kit) {
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    let version = kit.commit(&draft).version;
    kit.ambient.advance(Duration::from_secs(20 * 365 * 24 * 60 * 60));
    for n in 0..50 {
        kit.put(7, n);
    }
    // Refused or not.
    let _ = block_on(kit.store().stage(draft.0.id, A, vec![write(1, image(2))]));
    let _ = block_on(kit.store().discard_stage(draft.0.id));
    kit.expect(A, 1, version, version, 1);
}

fn staging_again_replaces(kit: &Kit) {
    let base = kit.put(1, 0);
    let base = kit.read_one(A, 1, base).expect("was written");
    let draft = kit.draft().write(A, []);
    for tag in 1..5 {
        kit.stage(draft.0.id, A, [write(1, image(tag)), write(2, image(tag << 8))]);
        assert_eq!(kit.staged(draft.0.id, A, &[1]), [Some(image(tag))]);
    }
    kit.stage(draft.0.id, A, [patched(1, &base, image(9))]);
    assert_eq!(kit.staged(draft.0.id, A, &[1, 2]), [Some(image(9)), Some(image(4 << 8))]);
    let version = kit.commit(&draft).version;
    kit.expect(A, 1, version, version, 9);
    kit.expect(A, 2, version, version, 4 << 8);
}

fn nobody_else_notices_a_stage(kit: &Kit) {
    let since = kit.put(1, 1);
    let marks = kit.marks();
    let id = kit.id();
    kit.stage(id, A, [write(1, image(2)), write(2, image(2))]);
    kit.stage(id, B, [write(1, image(2))]);
    assert_eq!(kit.marks().sequenced, marks.sequenced);
    kit.expect(A, 1, since, since, 1);
    assert_eq!(kit.read(A, &[2], since), [None]);
    assert_eq!(kit.whole_log(A).len(), 1);
    assert_eq!(kit.whole_log(B), []);
    assert_eq!(kit.scan(b"", None, 10), []);
    // Another commit neither takes it nor conflicts with it.
    let other = kit.draft().write(A, [write(3, image(3))]);
    kit.commit(&other.if_page(A, 1, since).if_namespace(A, since).if_namespace(B, Version::ZERO));
    let head = kit.head();
    kit.expect(A, 1, head, since, 1);
    assert_eq!(kit.read(A, &[2], head), [None]);
    assert_eq!(kit.staged(id, A, &[1, 2]), [Some(image(2)), Some(image(2))]);
}

fn a_commit_makes_staged_pages_part_of_its_version(kit: &Kit) {
    let before = kit.put(1, 1);
    let draft = kit.draft().write(A, [write(9, image(9))]);
    kit.stage(draft.0.id, A, [write(1, image(2))]);
    kit.stage(draft.0.id, A, [write(7, image(7))]);
    let version = kit.commit(&draft).version;
    for (n, tag) in [(1, 2), (7, 7), (9, 9)] {
        kit.expect(A, n, version, version, tag);
    }
    kit.expect(A, 1, before, before, 1);
    assert_eq!(kit.read(A, &[7, 9], before), [None, None]);
    let entry = kit.whole_log(A).pop().expect("the newest");
    assert_eq!((entry.version, entry.pages_written), (version, 3));
    if let Some(pages) = entry.pages {
        assert_eq!(pages.pages().map(PageNo::get).collect::<Vec<_>>(), [1, 7, 9]);
    }
    // Later commits overwrite them like any page.
    let newer = kit.put(1, 3);
    kit.expect(A, 1, newer, newer, 3);
    kit.expect(A, 1, version, version, 2);
}

fn once_committed_they_are_staged_no_more(kit: &Kit) {
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    kit.commit(&draft);
    assert_eq!(kit.staged(draft.0.id, A, &[1]), [None]);
}

fn a_conflict_commits_nothing_of_the_stage(kit: &Kit) {
    let before = kit.put(1, 1);
    let draft = kit.draft().write(A, []).if_page(A, 1, Version::ZERO);
    kit.stage(draft.0.id, A, [write(1, image(2)), write(2, image(2))]);
    kit.conflict(&draft);
    block_on(kit.store().discard_stage(draft.0.id)).expect("is discarded");
    let after = kit.commit(&kit.draft().write(A, [])).version;
    kit.expect(A, 1, after, before, 1);
    assert_eq!(kit.read(A, &[2], after), [None]);
    assert_eq!(kit.staged(draft.0.id, A, &[1, 2]), [None, None]);
    kit.commit(&kit.draft().if_page(A, 1, before));
}

fn written_pages_win_over_staged_ones(kit: &Kit) {
    let base = kit.put(2, 0);
    let base = kit.read_one(A, 2, base).expect("was written");
    let draft = kit.draft().write(A, [write(1, image(10)), patched(2, &base, image(20))]);
    kit.stage(draft.0.id, A, [write(1, image(1)), write(2, image(2)), write(3, image(3))]);
    let version = kit.commit(&draft).version;
    for (n, tag) in [(1, 10), (2, 20), (3, 3)] {
        kit.expect(A, n, version, version, tag);
    }
    assert_eq!(kit.whole_log(A).last().map(|entry| entry.pages_written), Some(3));
}

fn staged_pages_of_other_namespaces_are_dropped(kit: &Kit) {
    let draft = kit.draft().write(A, []);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    kit.stage(draft.0.id, B, [write(1, image(2))]);
    let version = kit.commit(&draft).version;
    kit.expect(A, 1, version, version, 1);
    assert_eq!(kit.read(B, &[1], version), [None]);
    assert_eq!(kit.whole_log(B), []);
    assert_eq!(kit.staged(draft.0.id, B, &[1]), [None]);
    let later = kit.commit(&kit.draft().write(B, [write(2, image(3))])).version;
    assert_eq!(kit.read(B, &[1], later), [None]);
    kit.commit(&kit.draft().if_page(B, 1, Version::ZERO));
}

fn a_stage_in_two_namespaces_is_committed_in_both(kit: &Kit) {
    let draft = kit.draft().write(A, []).write(B, [write(2, image(22))]);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    kit.stage(draft.0.id, B, [write(1, image(11))]);
    let version = kit.commit(&draft).version;
    kit.expect(A, 1, version, version, 1);
    kit.expect(B, 1, version, version, 11);
    kit.expect(B, 2, version, version, 22);
}

fn a_commit_without_namespaces_drops_the_stage(kit: &Kit) {
    let draft = kit.draft().set("key", "value");
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    let version = kit.commit(&draft).version;
    assert_eq!(kit.read(A, &[1], version), [None]);
    assert_eq!(kit.staged(draft.0.id, A, &[1]), [None]);
    assert_eq!(kit.whole_log(A), []);
}

fn only_the_stage_of_the_id_is_taken(kit: &Kit) {
    let (draft, other) = (kit.draft().write(A, []), kit.draft().write(A, []));
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    kit.stage(other.0.id, A, [write(1, image(2)), write(2, image(2))]);
    let first = kit.commit(&draft).version;
    kit.expect(A, 1, first, first, 1);
    assert_eq!(kit.read(A, &[2], first), [None]);
    let second = kit.commit(&other).version;
    kit.expect(A, 1, second, second, 2);
    kit.expect(A, 2, second, second, 2);
    kit.expect(A, 1, first, first, 1);
}

fn a_discarded_stage_is_forgotten(kit: &Kit) {
    let (draft, other) = (kit.draft().write(A, [write(2, image(2))]), kit.id());
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    kit.stage(draft.0.id, B, [write(1, image(1))]);
    kit.stage(other, A, [write(1, image(7))]);
    for _ in 0..2 {
        block_on(kit.store().discard_stage(draft.0.id)).expect("is discarded");
        assert_eq!(kit.staged(draft.0.id, A, &[1]), [None]);
        assert_eq!(kit.staged(draft.0.id, B, &[1]), [None]);
    }
    assert_eq!(kit.staged(other, A, &[1]), [Some(image(7))], "another id's stage");
    // The id can still stage and commit.
    kit.stage(draft.0.id, A, [write(3, image(3))]);
    let version = kit.commit(&draft).version;
    assert_eq!(kit.read(A, &[1], version), [None]);
    kit.expect(A, 2, version, version, 2);
    kit.expect(A, 3, version, version, 3);
    assert_eq!(kit.whole_log(A).last().map(|entry| entry.pages_written), Some(2));
}

fn discarding_an_unknown_id_does_nothing(kit: &Kit) {
    let version = kit.put(1, 1);
    block_on(kit.store().discard_stage(kit.id())).expect("does nothing");
    kit.expect(A, 1, kit.head(), version, 1);
    assert_eq!(kit.head(), version);
}

fn discarding_a_committed_id_does_nothing(kit: &Kit) {
    let draft = kit.draft().write(A, [write(2, image(2))]);
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    let made = kit.commit(&draft);
    block_on(kit.store().discard_stage(draft.0.id)).expect("does nothing");
    kit.expect(A, 1, made.version, made.version, 1);
    kit.expect(A, 2, made.version, made.version, 2);
    assert_eq!(kit.commit(&draft), made);
}

fn discarding_does_nothing_after_reopening(kit: &Kit) {
    let draft = kit.draft().write(A, []).durable();
    kit.stage(draft.0.id, A, [write(1, image(1))]);
    let made = kit.commit(&draft);
    // Reopening may tidy up what was staged; what was committed is no such thing.
    kit.reopen();
    kit.expect(A, 1, made.version, made.version, 1);
    block_on(kit.store().discard_stage(draft.0.id)).expect("does nothing");
    kit.expect(A, 1, made.version, made.version, 1);
    kit.reopen();
    kit.expect(A, 1, made.version, made.version, 1);
}

const LARGE_PAGES: u32 = 12_000;

fn stage_a_lot(kit: &Kit, draft: &crate::kit::Draft) {
    let numbers: Vec<u32> = (1..=LARGE_PAGES).collect();
    for chunk in numbers.chunks(500) {
        let page_of = |&n: &u32| write(n, sized_image(PageSize::DEFAULT, n.into()));
        let writes: Vec<PageWrite> = chunk.iter().map(page_of).collect();
        kit.stage(draft.0.id, A, writes);
    }
}

fn a_large_draft(kit: &Kit) -> crate::kit::Draft {
    kit.draft().change(NamespaceChange {
        namespace: A,
        writes: vec![write(1, sized_image(PageSize::DEFAULT, 0))],
        page_size: PageSize::DEFAULT,
        page_count: LARGE_PAGES,
    })
}

fn a_large_stage_is_committed_whole(kit: &Kit) {
    let draft = a_large_draft(kit);
    stage_a_lot(kit, &draft);
    let version = kit.commit(&draft).version;
    for n in (1..=LARGE_PAGES).step_by(7) {
        let found = kit.read_one(A, n, version).unwrap_or_else(|| panic!("page {n} is lost"));
        let tag = if n == 1 { 0 } else { n.into() };
        assert!(found.version == version && found.bytes == sized_image(PageSize::DEFAULT, tag));
    }
    let entry = kit.whole_log(A).pop().expect("the newest");
    assert_eq!(entry.pages_written, LARGE_PAGES);
    let runs = entry.pages.expect("one run is never too scattered to list");
    assert_eq!(runs.runs(), [(page(1), LARGE_PAGES)]);
}

/// In a process of its own, since a process has one peak.
fn the_commit_needs_no_memory_for_the_bytes(kit: &Kit) {
    const STAGED: u64 = LARGE_PAGES as u64 * 4096;
    peak::alone(&kit.trial, || {
        let draft = a_large_draft(kit);
        stage_a_lot(kit, &draft);
        let grown = peak::growth(|| kit.commit(&draft));
        assert!(grown < STAGED / 3, "the commit of {STAGED} staged bytes took {grown} bytes");
    });
}
