//! The stream of requests.

use hozo_proto::StatusCode::{DuplicationError, NotFoundError, Success};
use hozo_proto::tkrzw_rpc::stream_request::RequestOneof as Ask;
use hozo_proto::tkrzw_rpc::stream_response::ResponseOneof as Answer;
use hozo_proto::tkrzw_rpc::*;
use tonic::Code;

use super::Clause;
use crate::kit::{Kit, b, code};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("a_stream_answers_each_request_in_order", in_order),
    Clause::new("a_stream_answers_nothing_where_told_so", omitting),
    Clause::new("a_stream_sees_its_own_updates", own_updates),
    Clause::new("a_stream_spans_dbms", several_dbms),
    Clause::new("a_request_that_is_none_ends_a_stream", unknown),
    Clause::new("a_wrong_index_ends_a_stream", out_of_range).ours(),
    Clause::new("a_stream_of_nothing_ends_well", nothing),
    Clause::new("ten_thousand_requests_ahead_of_their_answers", many),
];

fn ask(request: Ask) -> StreamRequest {
    StreamRequest { omit_response: false, request_oneof: Some(request) }
}

fn set(kit: &Kit, key: &str, value: &str, overwrite: bool) -> Ask {
    Ask::SetRequest(SetRequest { dbm_index: kit.index, key: b(key), value: b(value), overwrite })
}

fn get(kit: &Kit, key: &str) -> Ask {
    Ask::GetRequest(GetRequest { dbm_index: kit.index, key: b(key), omit_value: false })
}

fn ask_all(kit: &Kit, requests: Vec<Ask>) -> Vec<Answer> {
    let answers = kit.stream(requests.into_iter().map(ask).collect()).expect("answered");
    answers.into_iter().map(|answer| answer.response_oneof.expect("an answer")).collect()
}

fn in_order(kit: &Kit) {
    let dbm_index = kit.index;
    let exchange = CompareExchangeRequest {
        dbm_index,
        key: b("key"),
        expected_existence: true,
        expected_value: b("one,two"),
        desired_existence: true,
        desired_value: b("three"),
        get_actual: true,
        ..Default::default()
    };
    let append = AppendRequest { dbm_index, key: b("key"), value: b("two"), delim: b(",") };
    let count = IncrementRequest { dbm_index, key: b("n"), increment: 2, initial: 40 };
    let answers = ask_all(
        kit,
        vec![
            Ask::EchoRequest(EchoRequest { message: "hello".into() }),
            get(kit, "key"),
            set(kit, "key", "one", false),
            set(kit, "key", "other", false),
            Ask::AppendRequest(append),
            get(kit, "key"),
            Ask::CompareExchangeRequest(exchange),
            Ask::IncrementRequest(count),
            Ask::RemoveRequest(RemoveRequest { dbm_index, key: b("key") }),
            Ask::RemoveRequest(RemoveRequest { dbm_index, key: b("key") }),
        ],
    );
    let statuses: Vec<_> = answers.iter().map(status_of).collect();
    let (yes, no) = (Success, NotFoundError);
    assert_eq!(statuses, [yes, no, yes, DuplicationError, yes, yes, yes, yes, yes, no]);
    assert!(matches!(&answers[0], Answer::EchoResponse(echo) if echo.echo == "hello"));
    assert!(matches!(&answers[5], Answer::GetResponse(get) if get.value == "one,two"));
    assert!(matches!(&answers[6], Answer::CompareExchangeResponse(x) if x.actual == "one,two"));
    assert!(matches!(&answers[7], Answer::IncrementResponse(n) if n.current == 42));
}

fn status_of(answer: &Answer) -> hozo_proto::StatusCode {
    code(match answer {
        Answer::EchoResponse(answer) => &answer.status,
        Answer::GetResponse(answer) => &answer.status,
        Answer::SetResponse(answer) => &answer.status,
        Answer::RemoveResponse(answer) => &answer.status,
        Answer::AppendResponse(answer) => &answer.status,
        Answer::CompareExchangeResponse(answer) => &answer.status,
        Answer::IncrementResponse(answer) => &answer.status,
    })
}

fn omitting(kit: &Kit) {
    let silent = |request| StreamRequest { omit_response: true, request_oneof: Some(request) };
    let requests = vec![
        silent(set(kit, "a", "1", false)),
        silent(get(kit, "a")),
        silent(set(kit, "a", "2", false)),
        ask(get(kit, "a")),
        silent(set(kit, "b", "3", false)),
    ];
    let answers = kit.stream(requests).expect("answered");
    assert_eq!(answers.len(), 1);
    assert_eq!((kit.value("a"), kit.value("b")), (Some(b("1")), Some(b("3"))));
}

fn own_updates(kit: &Kit) {
    let mut requests = Vec::new();
    for n in 0..500 {
        requests.push(set(kit, "key", &n.to_string(), true));
        requests.push(get(kit, "key"));
    }
    let answers = ask_all(kit, requests);
    for (n, answer) in answers.iter().skip(1).step_by(2).enumerate() {
        assert!(matches!(answer, Answer::GetResponse(get) if get.value == n.to_string()), "{n}");
    }
}

fn several_dbms(kit: &Kit) {
    let echo = || Ask::EchoRequest(EchoRequest::default());
    let here = get(kit, "key");
    let there =
        Ask::GetRequest(GetRequest { dbm_index: 0, key: b("never there"), omit_value: true });
    let answers = ask_all(kit, vec![echo(), here, there, echo()]);
    let statuses: Vec<_> = answers.iter().map(status_of).collect();
    assert_eq!(statuses, [Success, NotFoundError, NotFoundError, Success]);
}

fn unknown(kit: &Kit) {
    let requests = vec![ask(set(kit, "key", "value", true)), StreamRequest::default()];
    let error = kit.stream(requests).expect_err("it has no request");
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "unknow request"));
    assert_eq!(kit.value("key"), Some(b("value")));
}

fn out_of_range(kit: &Kit) {
    for dbm_index in [-1, 10_000, i32::MIN, i32::MAX] {
        let wrong = Ask::RemoveRequest(RemoveRequest { dbm_index, key: b("key") });
        let error = kit.stream(vec![ask(wrong)]).expect_err("there is no such DBM");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.message(), "dbm_index is out of range");
    }
}

fn nothing(kit: &Kit) {
    assert_eq!(kit.stream(vec![]).expect("ended well"), vec![]);
    assert_eq!(kit.iterate(vec![]).expect("ended well"), vec![]);
}

fn many(kit: &Kit) {
    const MANY: i64 = 10_000;
    let count = IncrementRequest { dbm_index: kit.index, key: b("n"), increment: 1, initial: 0 };
    let requests = (0..MANY).map(|_| Ask::IncrementRequest(count.clone())).collect();
    let answers = ask_all(kit, requests);
    let expected: Vec<i64> = (1..=MANY).collect();
    let current = |answer: &Answer| match answer {
        Answer::IncrementResponse(answer) => answer.current,
        _ => panic!("{answer:?}"),
    };
    assert_eq!(answers.iter().map(current).collect::<Vec<_>>(), expected);
}
