//! PG-24 to PG-26: the log.

use hozo_traits::{
    LogEntry, NamespaceChange, NamespaceId, PageNo, PageSize, Span, Timestamp, Version,
};

use crate::kit::{A, B, Kit, image, sized_image, write};
use crate::runner::Case;

pub(super) const CASES: &[Case] = &[
    case!(24, each_commit_has_an_entry_in_each_namespace),
    case!(24, an_entry_says_what_the_commit_did),
    case!(24, metadata_alone_has_no_entry),
    case!(24, scattered_pages_are_listed_rightly_or_not_at_all),
    case!(25, by_version_both_ends_included),
    case!(25, by_time_both_ends_included),
    case!(25, the_limit_holds_at_either_end),
    case!(25, an_inverted_span_is_empty),
    case!(25, neighbouring_namespaces_are_not_mixed_up),
    case!(25, a_long_log_is_whole),
    case!(25, is_the_same_after_reopening, Persistent),
    case!(26, times_never_decrease_when_the_clock_does),
    case!(26, each_namespace_has_its_own_floor),
    case!(26, the_floor_outlives_reopening, Persistent),
];

fn each_commit_has_an_entry_in_each_namespace(kit: &Kit) {
    let one = kit.put(1, 1);
    let both = kit.commit(&kit.draft().write(A, []).write(B, [write(1, image(1))])).version;
    let none = kit.commit(&kit.draft().write(A, [])).version;
    let versions = |ns| -> Vec<Version> { kit.whole_log(ns).iter().map(|e| e.version).collect() };
    assert_eq!(versions(A), [one, both, none]);
    assert_eq!(versions(B), [both]);
    assert_eq!(versions(NamespaceId(3)), []);
}

fn an_entry_says_what_the_commit_did(kit: &Kit) {
    let page_size = PageSize::new(1024).expect("SQLite knows it");
    let pages = [9, 1, 2, 3, 7];
    let change = NamespaceChange {
        namespace: A,
        writes: pages.iter().map(|&n| write(n, sized_image(page_size, n.into()))).collect(),
        page_size,
        page_count: 77,
    };
    let draft = kit.draft().change(change).write(B, []);
    let made = kit.commit(&draft);
    let entry = kit.whole_log(A).remove(0);
    let listed = entry.pages.clone().map(|runs| runs.pages().map(PageNo::get).collect::<Vec<_>>());
    assert!(listed.is_none_or(|listed| listed == [1, 2, 3, 7, 9]));
    let expected = LogEntry {
        version: made.version,
        time: made.time,
        commit_id: draft.0.id,
        pages_written: 5,
        pages: entry.pages.clone(),
        page_size,
        page_count: 77,
    };
    assert_eq!(entry, expected);
    let other = kit.whole_log(B).remove(0);
    assert_eq!((other.pages_written, other.page_size), (0, PageSize::MIN));
    assert_eq!(
        other.pages.map(|runs| runs.runs().len()),
        Some(0),
        "no pages are no scattered pages"
    );
}

fn metadata_alone_has_no_entry(kit: &Kit) {
    kit.commit(&kit.draft().set("key", "value"));
    kit.commit(&kit.draft());
    assert_eq!(kit.whole_log(A), []);
    let version = kit.put(1, 1);
    kit.commit(&kit.draft().set("key", "newer"));
    assert_eq!(kit.whole_log(A).iter().map(|e| e.version).collect::<Vec<_>>(), [version]);
}

fn scattered_pages_are_listed_rightly_or_not_at_all(kit: &Kit) {
    for count in [10, 1000, 5000] {
        let numbers: Vec<u32> = (0..count).map(|n| 1 + 3 * n).collect();
        let writes: Vec<_> = numbers.iter().map(|&n| write(n, image(n.into()))).collect();
        kit.commit(&kit.draft().write(A, writes));
        let entry = kit.whole_log(A).pop().expect("the newest");
        assert_eq!(entry.pages_written, count);
        if let Some(runs) = entry.pages {
            assert_eq!(runs.pages().map(PageNo::get).collect::<Vec<_>>(), numbers);
        }
    }
}

/// Commits at times 100, 200, 200, 200, 300, 400 with another namespace's and
/// metadata's between them.
fn a_log(kit: &Kit) -> Vec<LogEntry> {
    for (n, time) in [100, 200, 200, 200, 300, 400].into_iter().enumerate() {
        kit.commit(&kit.draft().write(A, [write(1, image(n as u64))]).time_micros(time));
        kit.commit(&kit.draft().write(B, [write(1, image(0))]).time_micros(time + 50));
        kit.commit(&kit.draft().set("key", "value").time_micros(time));
    }
    let log = kit.whole_log(A);
    assert_eq!(log.len(), 6);
    log
}

fn by_version_both_ends_included(kit: &Kit) {
    let log = a_log(kit);
    for from in 0..log.len() {
        for to in from..log.len() {
            let span = Span::Versions(log[from].version, log[to].version);
            assert_eq!(kit.log(A, span, false, 100), log[from..=to]);
            let reversed: Vec<_> = log[from..=to].iter().rev().cloned().collect();
            assert_eq!(kit.log(A, span, true, 100), reversed);
            // Ends that are no entry's: inside the gaps.
            let above = |i: usize| log[i].version.successor().expect("far from the end");
            let open = Span::Versions(above(from), above(to));
            assert_eq!(kit.log(A, open, false, 100), log[from + 1..=to]);
        }
    }
    assert_eq!(kit.log(A, Span::Versions(Version::ZERO, Version::ZERO), false, 9), []);
    let after = log[5].version.successor().expect("far from the end");
    assert_eq!(kit.log(A, Span::Versions(after, Version::MAX), true, 9), []);
}

fn by_time_both_ends_included(kit: &Kit) {
    let log = a_log(kit);
    let micros = Timestamp::from_micros;
    let spans = [
        (0, u64::MAX, 0..6),
        (100, 400, 0..6),
        (101, 400, 1..6),
        (200, 200, 1..4),
        (200, 299, 1..4),
        (150, 300, 1..5),
        (201, 299, 4..4),
        (400, u64::MAX, 5..6),
        (401, u64::MAX, 6..6),
        (0, 99, 0..0),
        (0, 100, 0..1),
    ];
    for (from, to, expected) in spans {
        let span = Span::Times(micros(from), micros(to));
        let expected = &log[expected];
        assert_eq!(kit.log(A, span, false, 100), expected, "{from} to {to}");
        let reversed: Vec<_> = expected.iter().rev().cloned().collect();
        assert_eq!(kit.log(A, span, true, 100), reversed, "{from} to {to}, newest first");
    }
}

fn the_limit_holds_at_either_end(kit: &Kit) {
    let log = a_log(kit);
    let whole = [
        Span::Versions(Version::ZERO, Version::MAX),
        Span::Times(Timestamp::from_micros(0), Timestamp::from_micros(u64::MAX)),
    ];
    for span in whole {
        for limit in [0, 1, 2, 3, 5, 6, 7, usize::MAX] {
            let n = limit.min(log.len());
            assert_eq!(kit.log(A, span, false, limit), log[..n]);
            let newest: Vec<_> = log.iter().rev().take(n).cloned().collect();
            assert_eq!(kit.log(A, span, true, limit), newest);
        }
    }
}

fn an_inverted_span_is_empty(kit: &Kit) {
    let log = a_log(kit);
    let (first, last) = (&log[0], &log[5]);
    for newest_first in [false, true] {
        for span in [
            Span::Versions(last.version, first.version),
            Span::Versions(Version::MAX, Version::ZERO),
            Span::Times(last.time, first.time),
            Span::Times(Timestamp::from_micros(u64::MAX), Timestamp::from_micros(0)),
        ] {
            assert_eq!(kit.log(A, span, newest_first, 100), []);
        }
    }
}

fn neighbouring_namespaces_are_not_mixed_up(kit: &Kit) {
    let all = [0, 1, 255, 256, 1 << 40, u64::MAX - 1, u64::MAX].map(NamespaceId);
    let mut expected = Vec::new();
    for (i, &ns) in all.iter().enumerate() {
        let draft = kit.draft().write(ns, []).time_micros(u64::MAX - (i as u64));
        expected.push(kit.commit(&draft).version);
    }
    for (&ns, version) in all.iter().zip(expected) {
        for newest_first in [false, true] {
            let spans = [
                Span::Versions(Version::ZERO, Version::MAX),
                Span::Times(Timestamp::from_micros(0), Timestamp::from_micros(u64::MAX)),
            ];
            for span in spans {
                let found = kit.log(ns, span, newest_first, 100);
                assert_eq!(found.iter().map(|e| e.version).collect::<Vec<_>>(), [version]);
            }
        }
    }
}

fn a_long_log_is_whole(kit: &Kit) {
    const ENTRIES: u64 = 2500;
    let versions: Vec<Version> = (0..ENTRIES)
        .map(|n| kit.commit(&kit.draft().write(A, []).time_micros(1000 + n / 3)).version)
        .collect();
    let found: Vec<Version> = kit.whole_log(A).iter().map(|entry| entry.version).collect();
    assert!(found == versions);
    let times = Span::Times(Timestamp::from_micros(1001), Timestamp::from_micros(1700));
    let found: Vec<Version> =
        kit.log(A, times, false, usize::MAX).iter().map(|e| e.version).collect();
    assert!(found == versions[3..2103], "{} entries by time", found.len());
    // Read in steps, as a tool that shows pages of it does.
    let mut from = Version::ZERO;
    let mut stepwise = Vec::new();
    loop {
        let step = kit.log(A, Span::Versions(from, Version::MAX), false, 333);
        let Some(last) = step.last() else { break };
        assert!(last.version >= from, "the log does not go on");
        from = last.version.successor().expect("far from the end");
        stepwise.extend(step.iter().map(|entry| entry.version));
    }
    assert!(stepwise == versions);
}

fn is_the_same_after_reopening(kit: &Kit) {
    let log = a_log(kit);
    kit.commit(&kit.draft().set("key", "value").durable());
    kit.reopen();
    assert_eq!(kit.whole_log(A), log);
    let times = Span::Times(Timestamp::from_micros(200), Timestamp::from_micros(300));
    assert_eq!(kit.log(A, times, false, 9), log[1..5]);
}

/// Commits to namespaces at a client's time: the time that was given.
fn commit_at(kit: &Kit, namespaces: &[NamespaceId], us: u64) -> u64 {
    let empty = kit.draft().time_micros(us);
    let draft = namespaces.iter().fold(empty, |draft, &ns| draft.write(ns, []));
    let made = kit.commit(&draft);
    for &ns in namespaces {
        let entry = kit.whole_log(ns).pop().expect("the newest");
        assert_eq!((entry.version, entry.time), (made.version, made.time));
    }
    made.time.as_micros()
}

fn times_never_decrease_when_the_clock_does(kit: &Kit) {
    assert_eq!(commit_at(kit, &[A], 0), 0);
    assert_eq!(commit_at(kit, &[A], 500), 500);
    for us in [499, 0, 500, 300] {
        assert_eq!(commit_at(kit, &[A], us), 500);
    }
    assert_eq!(commit_at(kit, &[A], 501), 501);
    assert_eq!(commit_at(kit, &[A], u64::MAX), u64::MAX);
    assert_eq!(commit_at(kit, &[A], 502), u64::MAX);
    let times: Vec<u64> = kit.whole_log(A).iter().map(|e| e.time.as_micros()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

fn each_namespace_has_its_own_floor(kit: &Kit) {
    assert_eq!(commit_at(kit, &[A], 500), 500);
    assert_eq!(commit_at(kit, &[B], 100), 100);
    assert_eq!(commit_at(kit, &[B], 50), 100);
    // One commit has one time, which is late enough for both.
    assert_eq!(commit_at(kit, &[A, B], 200), 500);
    assert_eq!(commit_at(kit, &[B], 300), 500);
}

fn the_floor_outlives_reopening(kit: &Kit) {
    assert_eq!(commit_at(kit, &[A], 500), 500);
    kit.commit(&kit.draft().set("key", "value").durable());
    kit.reopen();
    assert_eq!(commit_at(kit, &[A, B], 100), 500);
    assert_eq!(commit_at(kit, &[B], 100), 500);
}
