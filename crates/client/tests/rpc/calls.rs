//! Every call, as Hozo's server answers it.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use hozo_client::{
    Client, Desired, ErrorKind, ExchangeOptions, Exchanged, Expected, HealthStatus, Outcome,
    PopOptions, PresentValue, Result, SearchMode,
};

use crate::run;
use crate::served::{ORDERED, Served, UNORDERED};

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn texts(records: &[(Bytes, Bytes)]) -> Vec<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).expect("text");
    records.iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// Does the same to a DBM with an order and one without.
fn both<F: Future<Output = Result<()>>>(test: impl Fn(hozo_client::Dbm) -> F) {
    let served = Served::new();
    run(async {
        let client = served.client();
        for index in [ORDERED, UNORDERED] {
            let done = test(client.dbm(index)).await;
            done.unwrap_or_else(|error| panic!("DBM {index}: {error}"));
        }
    });
}

#[test]
fn one_record() {
    both(async |dbm| {
        assert_eq!(dbm.get("k").await?, None);
        assert!(!dbm.contains("k").await?);
        assert_eq!(dbm.set("k", "v", false).await?, Outcome::Done);
        assert_eq!(dbm.set("k", "w", false).await?, Outcome::Exists);
        assert_eq!(dbm.get("k").await?.as_deref(), Some(&b"v"[..]));
        assert_eq!(dbm.set("k", "", true).await?, Outcome::Done);
        assert_eq!(dbm.get("k").await?.as_deref(), Some(&b""[..]));
        assert!(dbm.contains("k").await?);
        assert_eq!(dbm.remove("k").await?, Outcome::Done);
        assert_eq!(dbm.remove("k").await?, Outcome::Missing);
        dbm.append("k", "1", ",").await?;
        dbm.append("k", "2", ",").await?;
        assert_eq!(dbm.get("k").await?.as_deref(), Some(&b"1,2"[..]));
        assert_eq!(dbm.rekey("k", "k2", false, true).await?, Outcome::Done);
        assert_eq!(dbm.rekey("k", "k2", false, false).await?, Outcome::Exists);
        assert_eq!(dbm.rekey("none", "k2", true, false).await?, Outcome::Missing);
        assert_eq!(dbm.count().await?, 2);
        // The empty key is one.
        assert_eq!(dbm.set("", "empty", false).await?, Outcome::Done);
        assert_eq!(dbm.get("").await?.as_deref(), Some(&b"empty"[..]));
        Ok(())
    });
}

#[test]
fn numbers() {
    both(async |dbm| {
        assert_eq!(dbm.increment("n", 2, 40).await?, 42);
        assert_eq!(dbm.increment("n", -50, 0).await?, -8);
        assert_eq!(dbm.increment("n", i64::MIN, 0).await?, -8);
        assert_eq!(dbm.increment("other", i64::MIN, 7).await?, 7);
        assert!(!dbm.contains("other").await?);
        Ok(())
    });
}

#[test]
fn exchanges() {
    both(async |dbm| {
        let set = |value| Desired::Set(bytes(value));
        let plain = dbm.compare_exchange("k", Expected::Absent, set("1")).await?;
        assert_eq!(plain, Exchanged { done: true, actual: PresentValue::Absent });
        let plain = dbm.compare_exchange("k", Expected::Absent, set("2")).await?;
        assert_eq!(plain, Exchanged { done: false, actual: PresentValue::Unread });
        let actual = ExchangeOptions { actual: true, ..ExchangeOptions::default() };
        let is = |value| PresentValue::Is(bytes(value));
        let told = dbm
            .compare_exchange_with("k", Expected::Is(bytes("x")), Desired::Remove, actual)
            .await?;
        assert_eq!(told, Exchanged { done: false, actual: is("1") });
        let told =
            dbm.compare_exchange_with("k", Expected::Is(bytes("1")), set(""), actual).await?;
        assert_eq!(told, Exchanged { done: true, actual: is("1") });
        let told =
            dbm.compare_exchange_with("k", Expected::Any, Desired::Unchanged, actual).await?;
        assert_eq!(told, Exchanged { done: true, actual: is("") });
        assert!(dbm.compare_exchange("k", Expected::Any, Desired::Remove).await?.done);
        let gone = dbm.compare_exchange("k", Expected::Any, Desired::Remove).await?;
        assert_eq!(gone, Exchanged { done: false, actual: PresentValue::Absent });

        let many = dbm
            .compare_exchange_many(
                [(bytes("a"), Expected::Absent)],
                [(bytes("a"), Some(bytes("1"))), (bytes("b"), Some(bytes("2")))],
            )
            .await?;
        assert!(many);
        let expected =
            [(bytes("a"), Expected::Is(bytes("1"))), (bytes("b"), Expected::Is(bytes("3")))];
        assert!(!dbm.compare_exchange_many(expected, [(bytes("a"), None)]).await?);
        let expected = [(bytes("a"), Expected::Is(bytes("1"))), (bytes("b"), Expected::Any)];
        assert!(dbm.compare_exchange_many(expected, [(bytes("a"), None)]).await?);
        assert_eq!(dbm.count().await?, 1);
        Ok(())
    });
}

#[test]
fn many_records() {
    both(async |dbm| {
        let records = [("b", "2"), ("a", "1"), ("a", "x")];
        assert_eq!(dbm.set_many(records, false).await?, Outcome::Done);
        assert_eq!(dbm.set_many([("b", "y"), ("c", "3")], false).await?, Outcome::Exists);
        let found = dbm.get_many(["c", "a", "none", "b"]).await?;
        assert_eq!(texts(&found), [("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(dbm.get_many(["none"]).await?, []);
        dbm.append_many([("a", "+"), ("d", "4")], "-").await?;
        assert_eq!(texts(&dbm.get_many(["a", "d"]).await?), [("a", "1-+"), ("d", "4")]);
        assert_eq!(dbm.remove_many(["a", "none"]).await?, Outcome::Missing);
        assert_eq!(dbm.remove_many(["b", "c"]).await?, Outcome::Done);
        assert_eq!(dbm.count().await?, 1);
        Ok(())
    });
}

#[test]
fn queues() {
    both(async |dbm| {
        assert_eq!(dbm.pop_first(None).await?, None);
        dbm.push_last("first", Some(1.0), false).await?;
        assert_eq!(
            dbm.pop_first(None).await?,
            Some((Bytes::copy_from_slice(&100_000_000u64.to_be_bytes()), bytes("first")))
        );
        dbm.push_last("second", None, true).await?;
        let options = PopOptions { omit_key: true, ..PopOptions::default() };
        assert_eq!(dbm.pop_first_with(options).await?, Some((Bytes::new(), bytes("second"))));
        Ok(())
    });
}

#[test]
fn who_waits_has_longer_than_other_calls() {
    both(async |dbm| {
        let hasty = dbm.with_timeout(Duration::from_nanos(1));
        let wait = Some(Duration::from_secs(20));
        let waiting = tokio::spawn(async move { hasty.pop_first(wait).await });
        dbm.push_last("here", None, true).await?;
        let (_, value) = waiting.await.expect("no panic")?.expect("it came");
        assert_eq!(value, "here");

        let waiting = dbm.clone();
        let wait = ExchangeOptions { wait, ..ExchangeOptions::default() };
        let waiting = tokio::spawn(async move {
            waiting.compare_exchange_with("k", Expected::Any, Desired::Remove, wait).await
        });
        dbm.set("k", "v", true).await?;
        assert!(waiting.await.expect("no panic")?.done);
        Ok(())
    });
}

#[test]
fn the_whole() {
    both(async |dbm| {
        dbm.set_many([("one", "1"), ("two", "2"), ("three", "3")], true).await?;
        let mut found = dbm.search(SearchMode::Contain, "o", None).await?;
        found.sort();
        assert_eq!(found, ["one", "two"]);
        assert_eq!(dbm.search("begin", "t", Some(1)).await?.len(), 1);
        assert_eq!(dbm.search("begin", "t", Some(0)).await?.len(), 0);
        let error = dbm.search("no such mode", "t", None).await.expect_err("no such mode");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.context().contains(&("status", "INVALID_ARGUMENT_ERROR".to_owned())));
        dbm.synchronise(true, &[]).await?;
        dbm.rebuild(&[]).await?;
        dbm.should_be_rebuilt().await?;
        // A store in memory has no file.
        match dbm.file_size().await {
            Ok(bytes) => assert!(bytes > 0),
            Err(e) => {
                assert!(e.context().contains(&("status", "PRECONDITION_ERROR".to_owned())), "{e}");
            }
        }
        let properties = dbm.inspect().await?;
        let records = properties.iter().find(|(name, _)| name == "num_records");
        assert_eq!(records.expect("it is there").1, "3");
        dbm.clear().await?;
        assert_eq!(dbm.count().await?, 0);
        Ok(())
    });
}

#[test]
fn the_server() {
    let served = Served::new();
    run(async {
        let client = served.client();
        assert_eq!(client.echo("ほぞ").await?, "ほぞ");
        let dbms = client.dbms().await?;
        let names: Vec<(i32, &str)> = dbms.iter().map(|d| (d.index, d.name.as_str())).collect();
        assert_eq!(names, [(0, "casket"), (1, "log")]);
        assert_eq!(client.dbm_named("log").await?.index(), 1);
        let error = client.dbm_named("lag").await.expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("casket, log"), "{error}");
        assert_eq!(client.health().await?, HealthStatus::Serving);
        assert_eq!(client.health_of("dbm/casket").await?, HealthStatus::Serving);
        let error = client.health_of("dbm/none").await.expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = client.change_master("http://db2:1978", 0).await.expect_err("not there");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn an_index_that_there_is_not_is_an_error_of_the_call() {
    let served = Served::new();
    run(async {
        for index in [2, -1, i32::MAX, i32::MIN] {
            let error = served.client().dbm(index).get("k").await.expect_err("no such index");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(error.message(), "dbm_index is out of range");
            assert!(error.context().contains(&("grpc", "INVALID_ARGUMENT".to_owned())));
        }
    });
}

#[test]
fn an_answer_that_is_too_large_for_the_client_is_an_error_that_says_so() {
    let served = Served::new();
    run(async {
        let dbm = served.client().dbm(0);
        dbm.set("k", vec![7; 3 << 20], true).await.expect("set");
        assert_eq!(dbm.get("k").await.expect("read").expect("there").len(), 3 << 20);
        let io = hozo_frontend_rpc::local(served.parts.clone()).expect("it serves");
        let small = Client::builder("").max_message_bytes(1 << 20).over(io).expect("a client");
        let error = small.dbm(0).get("k").await.expect_err("too large for this client");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.message().contains("max_message_bytes"), "{error}");
        // Of such an answer nothing is left behind.
        assert_eq!(small.dbm(0).get("none").await.expect("read"), None);
    });
}

#[test]
fn calls_go_side_by_side() {
    let served = Served::new();
    run(async {
        let dbm = served.client().dbm(0);
        let calls = (0..500).map(|_| {
            let dbm = dbm.clone();
            tokio::spawn(async move { dbm.increment("n", 1, 0).await })
        });
        let calls: Vec<_> = calls.collect();
        for call in calls {
            call.await.expect("no panic").expect("incremented");
        }
        assert_eq!(dbm.increment("n", i64::MIN, 0).await.expect("read"), 500);
    });
}
