//! The words that all crates share keep their order, their text and their limits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use hozo_traits::{
    CommitId, Error, ErrorKind, PageNo, PageRuns, PageSize, Patch, Timestamp, Version, exec,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn versions_sort_as_their_bytes_and_texts_do(a: [u8; 10], b: [u8; 10]) {
        let (va, vb) = (Version::from_bytes(a), Version::from_bytes(b));
        prop_assert_eq!(va.cmp(&vb), a.cmp(&b));
        prop_assert_eq!(va.cmp(&vb), va.to_string().cmp(&vb.to_string()));
        prop_assert_eq!(va.to_string().parse::<Version>().unwrap(), va);
    }

    #[test]
    fn a_predecessor_is_what_this_is_the_successor_of(a: [u8; 10]) {
        let v = Version::from_bytes(a);
        match v.predecessor() {
            Some(before) => assert_eq!(before.successor(), Some(v)),
            None => assert_eq!(v, Version::ZERO),
        }
    }

    #[test]
    fn nothing_lies_between_a_version_and_its_successor(a: [u8; 10]) {
        let v = Version::from_bytes(a);
        match v.successor() {
            None => prop_assert_eq!(v, Version::MAX),
            Some(next) => {
                let number = |v: Version| {
                    let mut wide = [0; 16];
                    wide[6..].copy_from_slice(v.as_bytes());
                    u128::from_be_bytes(wide)
                };
                prop_assert_eq!(number(next), number(v) + 1);
            }
        }
    }

    #[test]
    fn parsing_a_version_never_panics(text in ".*") {
        if let Ok(v) = text.parse::<Version>() {
            prop_assert_eq!(v.to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn a_patch_makes_the_new_image_of_the_old(
        old in prop::collection::vec(any::<u8>(), 1..600),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
    ) {
        let mut new = old.clone();
        for (at, byte) in edits {
            let at = at.index(new.len());
            new[at] = byte;
        }
        let new = Bytes::from(new);
        let patch = Patch::between(Version::ZERO, &old, &new);
        let mut image = old.clone();
        patch.apply(&mut image).unwrap();
        prop_assert_eq!(&image[..], &new[..]);
        let mut end = 0;
        for (i, (offset, bytes)) in patch.ranges.iter().enumerate() {
            prop_assert!(!bytes.is_empty());
            prop_assert!(i == 0 || *offset > end, "ranges ascend and do not touch");
            end = offset + bytes.len() as u32;
        }
        prop_assert_eq!(patch.ranges.is_empty(), old == new);
    }

    #[test]
    fn page_runs_hold_exactly_what_they_were_made_of(pages in prop::collection::vec(1u32..300, 0..80)) {
        let runs = PageRuns::of(pages.iter().filter_map(|n| PageNo::new(*n)));
        let mut expected = pages.clone();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(runs.pages().map(PageNo::get).collect::<Vec<_>>(), expected.clone());
        for n in 1..310 {
            prop_assert_eq!(runs.contains(PageNo::new(n).unwrap()), expected.binary_search(&n).is_ok());
        }
        for pair in runs.runs().windows(2) {
            prop_assert!(pair[0].0.get() + pair[0].1 < pair[1].0.get(), "runs do not touch");
        }
        prop_assert_eq!(PageRuns::from_runs(runs.runs().to_vec()), Some(runs));
    }

    #[test]
    fn only_runs_that_could_have_been_made_are_taken(pairs in prop::collection::vec((1u32..20, 0u32..4), 0..5)) {
        let runs: Vec<_> = pairs.iter().map(|(n, count)| (PageNo::new(*n).unwrap(), *count)).collect();
        let pages = pairs.iter().flat_map(|(n, count)| *n..*n + *count).filter_map(PageNo::new);
        let made = PageRuns::of(pages);
        let expected = (made.runs() == runs).then_some(made);
        prop_assert_eq!(PageRuns::from_runs(runs), expected);
    }

    #[test]
    fn commit_ids_sort_by_the_time_they_were_made(a in 0u64..1 << 48, b in 0u64..1 << 48, r: [u8; 10]) {
        let id = |ms: u64| CommitId::new(Timestamp::from_micros(ms * 1000), r);
        prop_assert_eq!(id(a).cmp(&id(b)), a.cmp(&b));
        prop_assert_eq!(id(a).millis(), a);
        prop_assert_eq!(CommitId::from_slice(id(a).as_bytes()).unwrap(), id(a));
    }
}

#[test]
fn the_last_page_is_in_a_run() {
    let last = PageNo::new(u32::MAX).unwrap();
    let runs = PageRuns::from_runs(vec![(last, 1)]).unwrap();
    assert!(runs.contains(last));
    assert!(runs.pages().eq([last]));
    assert_eq!(PageRuns::from_runs(vec![(last, 2)]), None);
}

#[test]
fn a_patch_beyond_its_page_is_refused() {
    let patch = Patch { base: Version::ZERO, ranges: vec![(4, Bytes::from_static(b"abc"))] };
    assert_eq!(patch.apply(&mut [0; 6]).unwrap_err().kind(), ErrorKind::Corrupt);
    let patch = Patch { base: Version::ZERO, ranges: vec![(u32::MAX, Bytes::from_static(b"a"))] };
    assert_eq!(patch.apply(&mut [0; 6]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn page_sizes_are_those_of_sqlite() {
    let good: Vec<u32> = (0..=131_072).filter(|n| PageSize::new(*n).is_ok()).collect();
    assert_eq!(good, [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
    assert!(PageNo::new(0).is_none());
}

#[test]
fn a_commit_id_of_another_length_is_refused() {
    assert_eq!(CommitId::from_slice(&[0; 15]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(CommitId::from_slice(&[0; 17]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn an_error_tells_kind_sentence_context_and_causes_in_one_line() {
    let inner = std::io::Error::other("disk on fire");
    let error = Error::new(ErrorKind::Unavailable, "the log cannot be written")
        .with("store", "main")
        .with("offset", 7)
        .caused_by(inner);
    assert_eq!(
        error.to_string(),
        "unavailable: the log cannot be written (store main, offset 7): disk on fire"
    );
}

#[test]
fn every_kind_is_listed_once_and_has_its_own_words() {
    let words: std::collections::HashSet<_> = ErrorKind::ALL.iter().map(|k| k.as_str()).collect();
    assert_eq!(words.len(), ErrorKind::ALL.len());
}

/// Ready after it was polled so many times; wakes from another thread.
struct Countdown(Arc<AtomicUsize>);

impl Future for Countdown {
    type Output = bool;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Poll::Ready(exec::may_block());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    }
}

#[test]
fn block_on_sleeps_until_woken_and_says_that_it_may_block() {
    assert!(!exec::may_block());
    for polls in [1, 2, 3, 10] {
        assert!(exec::block_on(Countdown(Arc::new(AtomicUsize::new(polls)))));
    }
    assert!(!exec::may_block(), "the permission ends with the call");
}

#[test]
fn a_panic_while_polling_takes_the_permission_back() {
    let result = std::panic::catch_unwind(|| exec::block_on(async { panic!("as asked") }));
    assert!(result.is_err());
    assert!(!exec::may_block());
}
