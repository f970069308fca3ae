//! Cursors and scans, over DBMs with and without an order.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use hozo_client::{Client, Dbm, ErrorKind, Outcome, Result, ScanOptions};

use crate::run;
use crate::scripted::{Act, Scripted};
use crate::served::{ORDERED, Served, UNORDERED};

fn key(n: usize) -> String {
    format!("{n:05}")
}

async fn filled(served: &Served, index: i32, count: usize) -> Dbm {
    let dbm = served.client().dbm(index);
    dbm.set_many((0..count).map(|n| (key(n), n.to_string())), true).await.expect("set");
    dbm
}

async fn keys(dbm: &Dbm, options: ScanOptions) -> Result<Vec<String>> {
    let keys = dbm.scan_with(options).map_ok(|(key, _)| text(&key));
    keys.try_collect().await
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_cursor_goes_both_ways_in_an_order() {
    let served = Served::new();
    run(async {
        let dbm = filled(&served, ORDERED, 5).await;
        let mut cursor = dbm.iterate();
        assert_eq!(cursor.get().await?, None);
        assert_eq!(cursor.next().await?, Outcome::Missing);
        assert_eq!(cursor.first().await?, Outcome::Done);
        assert_eq!(cursor.step().await?, Some(("00000".into(), "0".into())));
        assert_eq!(cursor.key().await?.as_deref(), Some(&b"00001"[..]));
        assert_eq!(cursor.value().await?.as_deref(), Some(&b"1"[..]));
        cursor.last().await?;
        assert_eq!(cursor.set("last").await?, Outcome::Done);
        assert_eq!(cursor.get().await?, Some(("00004".into(), "last".into())));
        cursor.previous().await?;
        assert_eq!(cursor.remove().await?, Outcome::Done);
        assert_eq!(cursor.key().await?.as_deref(), Some(&b"00004"[..]));
        assert_eq!(cursor.next().await?, Outcome::Done);
        assert_eq!(cursor.get().await?, None);
        assert_eq!(cursor.set("nowhere").await?, Outcome::Missing);
        cursor.jump("00001x").await?;
        assert_eq!(cursor.key().await?.as_deref(), Some(&b"00002"[..]));
        cursor.jump_lower("00002", false).await?;
        assert_eq!(cursor.key().await?.as_deref(), Some(&b"00001"[..]));
        cursor.jump_upper("00002", true).await?;
        assert_eq!(cursor.key().await?.as_deref(), Some(&b"00002"[..]));
        assert_eq!(dbm.count().await?, 4);
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn a_cursor_without_an_order_says_what_it_cannot() {
    let served = Served::new();
    run(async {
        let dbm = filled(&served, UNORDERED, 5).await;
        let mut cursor = dbm.iterate();
        let error = cursor.last().await.expect_err("no order");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        // What the database refuses leaves the cursor where it is.
        assert_eq!(cursor.jump("00003").await?, Outcome::Done);
        assert_eq!(cursor.get().await?, Some(("00003".into(), "3".into())));
        assert_eq!(cursor.jump("00003x").await?, Outcome::Missing);
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn a_scan_answers_every_record_once() {
    let served = Served::new();
    run(async {
        // More than is ever asked for ahead, and a count that divides nothing.
        for (index, count) in [(ORDERED, 2003), (UNORDERED, 2003), (ORDERED, 0)] {
            let dbm = served.client().dbm(index);
            dbm.clear().await.expect("cleared");
            let dbm = filled(&served, index, count).await;
            let found: Vec<(Bytes, Bytes)> = dbm.scan().try_collect().await.expect("read");
            assert_eq!(found.len(), count);
            let found: BTreeMap<Bytes, Bytes> = found.into_iter().collect();
            assert_eq!(found.len(), count);
            for (n, (found_key, value)) in found.iter().enumerate() {
                assert_eq!((text(found_key), text(value)), (key(n), n.to_string()));
            }
        }
    });
}

#[test]
fn scans_begin_and_end_where_they_are_told() {
    let served = Served::new();
    run(async {
        let dbm = filled(&served, ORDERED, 700).await;
        let all = |range: std::ops::Range<usize>| range.map(key).collect::<Vec<_>>();
        let back = |range: std::ops::Range<usize>| range.rev().map(key).collect::<Vec<_>>();
        let options = ScanOptions::default;
        assert_eq!(keys(&dbm, options()).await?, all(0..700));
        let from = |from| ScanOptions { from, ..ScanOptions::default() };
        let at = |n: usize| Bytes::from(key(n));
        assert_eq!(keys(&dbm, from(Bound::Included(at(300)))).await?, all(300..700));
        assert_eq!(keys(&dbm, from(Bound::Excluded(at(300)))).await?, all(301..700));
        assert_eq!(keys(&dbm, from(Bound::Included("x".into()))).await?, all(0..0));
        let reverse = |from| ScanOptions { from, reverse: true, ..ScanOptions::default() };
        assert_eq!(keys(&dbm, reverse(Bound::Unbounded)).await?, back(0..700));
        assert_eq!(keys(&dbm, reverse(Bound::Included(at(300)))).await?, back(0..301));
        assert_eq!(keys(&dbm, reverse(Bound::Excluded(at(300)))).await?, back(0..300));
        assert_eq!(keys(&dbm, reverse(Bound::Excluded(at(0)))).await?, back(0..0));
        for limit in [0, 1, 16, 17, 300, 700, 701] {
            let limited = ScanOptions { limit: Some(limit), ..options() };
            let count = usize::try_from(limit).expect("small").min(700);
            assert_eq!(keys(&dbm, limited.clone()).await?, all(0..count));
            let limited = ScanOptions { reverse: true, ..limited };
            assert_eq!(keys(&dbm, limited).await?, back(700 - count..700));
        }
        let only = ScanOptions { keys_only: true, limit: Some(3), ..options() };
        let only: Vec<(Bytes, Bytes)> = dbm.scan_with(only).try_collect().await?;
        assert!(only.iter().all(|(key, value)| !key.is_empty() && value.is_empty()));
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn a_scan_that_the_database_cannot_do_is_one_error() {
    let served = Served::new();
    run(async {
        let dbm = filled(&served, UNORDERED, 5).await;
        let reverse = ScanOptions { reverse: true, ..ScanOptions::default() };
        let found: Vec<Result<(Bytes, Bytes)>> = dbm.scan_with(reverse).collect().await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].as_ref().expect_err("no order").kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn a_scan_that_is_dropped_leaves_the_connection_as_it_was() {
    let served = Served::new();
    run(async {
        let dbm = filled(&served, ORDERED, 1000).await;
        for taken in 0..50 {
            let mut scan = dbm.scan();
            for n in 0..taken {
                let (found, _) = scan.next().await.expect("there").expect("read");
                assert_eq!(text(&found), key(n));
            }
        }
        assert_eq!(dbm.count().await.expect("it answers"), 1000);
    });
}

#[test]
fn a_cursor_whose_stream_broke_stays_lost() {
    run(async {
        let server = Scripted::start(|_, _| Act::DropAfter(1)).await;
        let client = Client::builder(server.url()).lazy().expect("an address");
        let mut cursor = client.dbm(0).iterate();
        for _ in 0..3 {
            let error = cursor.first().await.expect_err("it dropped");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        assert_eq!(server.count("Iterate"), 1);
    });
}

#[test]
fn a_cursor_whose_operation_was_dropped_stays_lost() {
    run(async {
        let server = Scripted::start(|_, _| Act::Silence).await;
        let client = Client::builder(server.url()).lazy().expect("an address");
        let mut cursor = client.dbm(0).iterate();
        assert!(cursor.first().now_or_never().is_none(), "nobody answers");
        let error = cursor.first().await.expect_err("it is lost");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("new cursor"), "{error}");
    });
}
