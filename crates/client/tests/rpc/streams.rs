//! Pipelined streams: order, bounds, ends.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use hozo_client::{
    Client, Desired, ErrorKind, Exchanged, Expected, Outcome, Pipeline, PresentValue,
};
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof;
use hozo_proto::tkrzw_rpc::{GetResponse, StreamResponse};
use prost::Message;

use crate::run;
use crate::scripted::{Act, Scripted};
use crate::served::{ORDERED, Served, UNORDERED};

#[test]
fn answers_come_in_the_order_of_the_operations() {
    let served = Served::new();
    run(async {
        for index in [ORDERED, UNORDERED] {
            let stream = served.client().dbm(index).stream();
            let mut answers = Vec::new();
            for n in 0..5000i64 {
                let sum = stream.increment("n", 1, 0).await.expect("given");
                let set = stream.set(format!("k{n}"), n.to_string(), true).await.expect("given");
                let get = stream.get(format!("k{n}")).await.expect("given");
                answers.push((n, sum, set, get));
                // Not more than may wait; what is taken in between is in order, too.
                if answers.len() == 300 {
                    settle(&mut answers).await;
                }
            }
            settle(&mut answers).await;
            stream.finish().await.expect("ended in order");
        }
    });
}

type Asked = (
    i64,
    hozo_client::Answer<i64>,
    hozo_client::Answer<Outcome>,
    hozo_client::Answer<Option<Bytes>>,
);

async fn settle(answers: &mut Vec<Asked>) {
    for (n, sum, set, get) in answers.drain(..) {
        assert_eq!(sum.await.expect("added"), n + 1);
        assert_eq!(set.await.expect("set"), Outcome::Done);
        assert_eq!(get.await.expect("read").expect("there"), n.to_string());
    }
}

#[test]
fn every_operation_is_that_of_the_call() {
    let served = Served::new();
    run(async {
        let stream = served.client().dbm(0).stream();
        let set = stream.set("k", "v", false).await?;
        let again = stream.set("k", "w", false).await?;
        let append = stream.append("k", "w", ",").await?;
        let get = stream.get("k").await?;
        let contains = stream.contains("k").await?;
        let other = stream.compare_exchange("k", Expected::Absent, Desired::Remove, true).await?;
        let unread = stream.compare_exchange("k", Expected::Any, Desired::Unchanged, false).await?;
        let remove = stream.remove("k").await?;
        let missing = stream.remove("k").await?;
        let none = stream.get("k").await?;
        let sum = stream.increment("n", 5, 10).await?;
        let echo = stream.echo("hello").await?;
        assert_eq!(set.await?, Outcome::Done);
        assert_eq!(again.await?, Outcome::Exists);
        append.await?;
        assert_eq!(get.await?.as_deref(), Some(&b"v,w"[..]));
        assert!(contains.await?);
        let actual = PresentValue::Is(Bytes::from_static(b"v,w"));
        assert_eq!(other.await?, Exchanged { done: false, actual });
        assert_eq!(unread.await?, Exchanged { done: true, actual: PresentValue::Unread });
        assert_eq!(remove.await?, Outcome::Done);
        assert_eq!(missing.await?, Outcome::Missing);
        assert_eq!(none.await?, None);
        assert_eq!(sum.await?, 15);
        assert_eq!(echo.await?, "hello");
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn what_has_no_answer_is_done_in_its_place() {
    let served = Served::new();
    run(async {
        let client = served.client();
        let stream = client.dbm(0).stream();
        for n in 0..5000 {
            stream.set_unanswered(format!("k{n}"), "v", true).await?;
            stream.append_unanswered(format!("k{n}"), "w", "").await?;
            stream.increment_unanswered("n", 1, 0).await?;
        }
        stream.remove_unanswered("k0").await?;
        stream.compare_exchange_unanswered("k1", Expected::Any, Desired::Set("x".into())).await?;
        let get = stream.get("k4999").await?;
        assert_eq!(get.await?.as_deref(), Some(&b"vw"[..]));
        stream.finish().await?;
        let dbm = client.dbm(0);
        assert_eq!(dbm.count().await?, 5000);
        assert_eq!(dbm.get("k1").await?.as_deref(), Some(&b"x"[..]));
        assert_eq!(dbm.increment("n", i64::MIN, 0).await?, 5000);
        Ok::<_, hozo_client::Error>(())
    })
    .expect("the server answers");
}

#[test]
fn many_tasks_share_a_stream() {
    let served = Served::new();
    run(async {
        let stream: Arc<Pipeline> = Arc::new(served.client().dbm(0).stream());
        let tasks = (0..32).map(|_| {
            let stream = stream.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    stream.increment("n", 1, 0).await?.await?;
                }
                Ok::<_, hozo_client::Error>(())
            })
        });
        let tasks: Vec<_> = tasks.collect();
        for task in tasks {
            task.await.expect("no panic").expect("incremented");
        }
        let sum = stream.increment("n", 0, 0).await.expect("given");
        assert_eq!(sum.await.expect("read"), 3200);
    });
}

/// A stream to a server that keeps every answer to itself.
async fn silent(places: usize) -> (Scripted, Pipeline) {
    let server = Scripted::start(|_, _| Act::Silence).await;
    let client = Client::builder(server.url()).max_in_flight(places).lazy();
    let stream = client.expect("an address").dbm(0).stream();
    (server, stream)
}

#[test]
fn no_more_than_its_places_wait_for_answers() {
    run(async {
        let (_server, stream) = silent(3).await;
        for _ in 0..3 {
            let _answer = stream.get("k").await.expect("there is a place");
        }
        assert!(stream.get("k").now_or_never().is_none(), "there is no fourth place");
        let mut refused = std::pin::pin!(stream.set_unanswered("k", "v", true));
        assert!(refused.as_mut().now_or_never().is_none(), "not without an answer either");
    });
}

#[test]
fn an_answer_that_nobody_waits_for_makes_room_all_the_same() {
    let served = Served::new();
    run(async {
        let io = hozo_frontend_rpc::local(served.parts.clone()).expect("it serves");
        let client = Client::builder("").max_in_flight(2).over(io).expect("a client");
        let stream = client.dbm(0).stream();
        for _ in 0..100 {
            drop(stream.increment("n", 1, 0).await.expect("given"));
        }
        let sum = stream.increment("n", 0, 0).await.expect("given");
        assert_eq!(sum.await.expect("read"), 100);
    });
}

/// What every operation of a stream says that the server deals with like this
/// after ten of them were given.
async fn ends(act: Act) -> (Vec<ErrorKind>, ErrorKind, hozo_client::Error) {
    let server = Scripted::start(move |_, _| act.clone()).await;
    let client = Client::builder(server.url()).lazy().expect("an address");
    let stream = client.dbm(0).stream();
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(stream.get("k").await.expect("given"));
    }
    let mut kinds = Vec::new();
    for answer in answers {
        if let Err(error) = answer.await {
            kinds.push(error.kind());
        }
    }
    let later = stream.set_unanswered("k", "v", true).await.expect_err("it is over");
    (kinds, later.kind(), stream.finish().await.expect_err("it is over"))
}

#[test]
fn an_error_of_the_stream_reaches_all_who_wait_and_all_later() {
    run(async {
        let (waiting, later, end) = ends(Act::DropAfter(10)).await;
        assert_eq!(waiting, [ErrorKind::Unavailable; 10]);
        assert_eq!((later, end.kind()), (ErrorKind::Unavailable, ErrorKind::Unavailable));
        assert!(end.to_string().contains("http://127.0.0.1:"), "{end}");

        let empty = StreamResponse { response_oneof: None }.encode_to_vec();
        let (waiting, later, _) = ends(Act::Echo(1, empty.into())).await;
        assert_eq!(waiting, [ErrorKind::Internal; 10]);
        assert_eq!(later, ErrorKind::Internal);

        let get = ResponseOneof::GetResponse(GetResponse::default());
        let get = StreamResponse { response_oneof: Some(get) }.encode_to_vec();
        let (waiting, later, end) = ends(Act::Echo(4, get.into())).await;
        assert_eq!(waiting, [ErrorKind::Unavailable; 6]);
        assert_eq!(later, ErrorKind::Unavailable);
        assert!(end.message().contains("before all was answered"), "{end}");

        let (waiting, ..) = ends(Act::Echo(1, Bytes::from_static(&[0xff; 3]))).await;
        assert_eq!(waiting, [ErrorKind::Internal; 10]);
    });
}

#[test]
fn an_answer_of_another_kind_is_an_error() {
    run(async {
        let get = ResponseOneof::GetResponse(GetResponse::default());
        let get = StreamResponse { response_oneof: Some(get) }.encode_to_vec();
        let server = Scripted::start(move |_, _| Act::Echo(1, get.clone().into())).await;
        let client = Client::builder(server.url()).lazy().expect("an address");
        let stream = client.dbm(0).stream();
        let answer = stream.set("k", "v", true).await.expect("given");
        let error = answer.await.expect_err("it is that of a get");
        assert_eq!(error.kind(), ErrorKind::Internal);
    });
}

#[test]
fn a_stream_to_nobody_says_so() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let address = format!("unix:{}", directory.path().join("none.sock").display());
        let client = Client::builder(address).lazy().expect("an address");
        let stream = client.dbm(0).stream();
        let error = match stream.get("k").await {
            Ok(answer) => answer.await.expect_err("nobody is there"),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("cannot connect"), "{error}");
    });
}

#[test]
fn a_protocol_error_ends_the_stream_with_its_words() {
    let served = Served::new();
    run(async {
        let stream = served.client().dbm(7).stream();
        let answer = stream.get("k").await.expect("given");
        let error = answer.await.expect_err("no such index");
        assert_eq!(error.message(), "dbm_index is out of range");
    });
}

#[test]
fn large_values_flow_both_ways() {
    let served = Served::new();
    run(async {
        let stream = served.client().dbm(0).stream();
        let value = Bytes::from(vec![7; 1 << 20]);
        let mut answers = Vec::new();
        for n in 0..20 {
            stream.set_unanswered(n.to_string(), value.clone(), true).await.expect("given");
            answers.push(stream.get(n.to_string()).await.expect("given"));
        }
        for answer in answers {
            assert_eq!(answer.await.expect("read").expect("there"), value);
        }
    });
}
