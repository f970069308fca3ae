//! A source as one who reads it sees it.

use std::sync::Arc;

use futures_util::FutureExt;
use hozo_backend_memory as memory;
use hozo_conformance::Model;
use hozo_conformance::layer::Layered;
use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitId, ErrorKind, PageFeed, PageFeedReader, PageStore, PagesPiece, PagesStart, Reader,
    Replicator, Result, SystemAmbient, Version,
};

use super::kit::{A, SIZE, Site, history};
use super::net::Net;
use super::stores::Slow;

fn feed(site: &Site) -> Arc<dyn PageFeed> {
    site.repl().feed().unwrap().pages("main").unwrap()
}

fn open(site: &Site, start: PagesStart) -> Result<Box<dyn PageFeedReader>> {
    block_on(feed(site).open(start, Reader::default()))
}

const BEGIN: PagesStart = PagesStart { after: Version::ZERO, last: None };

/// What can be read without waiting, a few bytes at once.
fn read(reader: &mut dyn PageFeedReader, bytes_max: usize) -> Vec<PagesPiece> {
    let mut pieces = Vec::new();
    while let Some(part) = reader.next(bytes_max).now_or_never() {
        pieces.extend(part.unwrap().pieces);
    }
    pieces
}

#[test]
fn only_what_is_durable_is_given() {
    let site = Site::new(&Net::default(), "one", 1, |_| {});
    let mut reader = open(&site, BEGIN).unwrap();
    assert_eq!(read(&mut *reader, 1000), []);
    let version = site.commit(site.draft().write(A, &[(1, 1)], 1).sequenced());
    assert_eq!(read(&mut *reader, 1000), []);
    block_on(site.pages().wait_durable(version)).unwrap();
    let pieces = read(&mut *reader, 1000);
    assert_eq!(pieces.iter().map(|piece| piece.version).collect::<Vec<_>>(), [version]);
}

#[test]
fn pieces_are_small_and_dropping_an_answer_loses_nothing() {
    let site = Site::new(&Net::default(), "one", 1, |_| {});
    history(&site);
    let mut whole = open(&site, BEGIN).unwrap();
    let whole = read(&mut *whole, usize::MAX);
    assert!(whole.iter().all(|piece| piece.end.is_some()));
    let page = SIZE.get() as usize;
    for bytes_max in [1, page, 5 * page] {
        let mut small = open(&site, BEGIN).unwrap();
        let pieces = read(&mut *small, bytes_max);
        let largest = pieces.iter().map(PagesPiece::bytes).max().unwrap();
        assert!(largest <= bytes_max + 2 * page, "{largest} of {bytes_max}");
        let images = |pieces: &[PagesPiece]| -> Vec<_> {
            let of = pieces.iter().flat_map(|piece| {
                let version = piece.version;
                piece.pages.iter().map(move |pages| (version, pages))
            });
            of.flat_map(|(version, of)| {
                of.pages.iter().map(move |page| (version, of.namespace, page.clone()))
            })
            .collect()
        };
        assert!(images(&pieces) == images(&whole), "{bytes_max}");
        let ends = |pieces: &[PagesPiece]| -> Vec<_> {
            pieces.iter().filter_map(|piece| piece.end.clone()).collect()
        };
        assert_eq!(ends(&pieces), ends(&whole));
    }
}

#[test]
fn a_place_that_is_not_in_this_history_is_told_so() {
    let site = Site::new(&Net::default(), "one", 1, |_| {});
    let version = site.put(1, 1);
    let id = block_on(site.pages().changes(Version::ZERO, 1)).unwrap()[0].commit_id;
    open(&site, PagesStart { after: version, last: Some(id) }).unwrap();
    let other = CommitId::from_bytes([9; 16]);
    for (after, last) in [
        (version, Some(other)),
        (version, None),
        (Version::from_seq(version.seq() + 1), Some(id)),
        (Version::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Some(id)),
    ] {
        let error = open(&site, PagesStart { after, last }).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("histories are not the same"), "{error}");
    }
    let newer = Reader { epoch: 1, ..Reader::default() };
    let error = block_on(feed(&site).open(BEGIN, newer)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(site.repl().status().fenced.is_some());
}

#[test]
fn a_store_that_is_not_replicated_is_told_with_those_that_are() {
    let site = Site::new(&Net::default(), "one", 1, |_| {});
    let error = site.repl().feed().unwrap().pages("other").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("replicated main"), "{error}");
}

/// An answer that is not waited for to its end is begun anew where it was.
#[test]
fn an_answer_may_be_dropped_while_it_is_read() {
    let net = Net::default();
    let site = Site::resting(&net, "one", 1, Arc::new(SystemAmbient), |_| {});
    let store = Layered::new(Model::new(Arc::new(SystemAmbient)), Slow::default());
    let (opened, pages) = site.open(store).unwrap();
    let commit = |n| block_on(pages.commit(site.draft().write(A, &[(n, 1), (n + 1, 1)], 200).0));
    for n in 1..=100 {
        commit(n).unwrap();
    }
    let feed = opened.repl.feed().unwrap().pages("main").unwrap();
    let mut reader = block_on(feed.open(BEGIN, Reader::default())).unwrap();
    let (mut pieces, mut dropped): (Vec<PagesPiece>, _) = (Vec::new(), 0);
    while pieces.last().is_none_or(|piece| piece.version.seq() < 100) {
        match reader.next(20 * SIZE.get() as usize).now_or_never() {
            Some(part) => pieces.extend(part.unwrap().pieces),
            None => dropped += 1,
        }
        assert!(dropped < 1000, "it does not go on");
    }
    assert!(dropped > 5, "it was dropped {dropped} times only");
    let ends = pieces.iter().filter(|piece| piece.end.is_some());
    assert!(ends.map(|piece| piece.version.seq()).eq(1..=100));
    let of = pieces.iter().flat_map(|piece| piece.pages.iter());
    let came = of.flat_map(|of| of.pages.iter().map(|(page, _)| page.get()));
    assert!(came.eq((1..=100).flat_map(|n| [n, n + 1])), "something was lost");
    drop(reader);
    block_on(opened.repl.stop()).unwrap();
}

/// Of a commit with many runs of pages, the log does not say which they are.
#[test]
fn a_commit_that_is_too_scattered_to_be_listed_is_found() {
    let net = Net::default();
    let site = Site::resting(&net, "one", 1, Arc::new(SystemAmbient), |_| {});
    let store = memory::open(&memory::Config::default(), Arc::new(SystemAmbient)).unwrap();
    let (opened, pages) = site.open(store.pages().unwrap()).unwrap();
    let commit = |list: &[(u32, u8)], count: u32| {
        let draft = site.draft().write(A, list, count);
        block_on(pages.commit(draft.0)).unwrap();
    };
    let last = 200_000;
    commit(&[(1, 1), (2, 1), (last, 1)], last);
    let scattered: Vec<(u32, u8)> = (0..50_000).map(|n| (1 + 2 * n, 2)).collect();
    commit(&scattered, 100_000);
    let span = hozo_traits::Span::Versions(Version::ZERO, Version::MAX);
    let query = hozo_traits::LogQuery { namespace: A, span, newest_first: true, limit: 1 };
    let entry = block_on(pages.log(query)).unwrap().remove(0);
    assert_eq!((entry.pages, entry.pages_written), (None, 50_000), "it is listed after all");
    let feed = opened.repl.feed().unwrap().pages("main").unwrap();
    let mut reader = block_on(feed.open(BEGIN, Reader::default())).unwrap();
    let pieces = read(&mut *reader, 1 << 20);
    let of = pieces.iter().filter(|piece| piece.version == entry.version);
    let found: Vec<u32> = of
        .flat_map(|piece| piece.pages.iter())
        .flat_map(|of| of.pages.iter().map(|(page, _)| page.get()))
        .collect();
    assert!(found.iter().copied().eq(scattered.iter().map(|(page, _)| *page)));
    drop(reader);
    block_on(opened.repl.stop()).unwrap();
}
