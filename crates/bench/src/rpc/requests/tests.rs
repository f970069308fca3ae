use hozo_proto::tkrzw_rpc::RemoveResponse;

use super::*;

fn case(workload: Workload, mode: Mode) -> Case {
    Case { workload, value_bytes: 20, mode, connections: 1, pipeline: 1 }
}

fn requests(workload: Workload, mode: Mode) -> Requests {
    Requests::new(&case(workload, mode), Records::new(100, "k-", 20), 2)
}

/// A request as a server reads it.
fn read(mode: Mode, made: &Made) -> RequestOneof {
    let length = u32::from_be_bytes(made.message[1..5].try_into().unwrap()) as usize;
    let message = made.message.slice(PREFIX_BYTES..);
    assert_eq!((made.message[0], message.len()), (0, length));
    if mode == Mode::Stream {
        return StreamRequest::decode(message).unwrap().request_oneof.unwrap();
    }
    match made.method {
        GET => RequestOneof::GetRequest(GetRequest::decode(message).unwrap()),
        SET => RequestOneof::SetRequest(SetRequest::decode(message).unwrap()),
        INCREMENT => RequestOneof::IncrementRequest(IncrementRequest::decode(message).unwrap()),
        _ => RequestOneof::EchoRequest(EchoRequest::decode(message).unwrap()),
    }
}

/// An answer as a server sends it.
fn answer(mode: Mode, answer: ResponseOneof) -> Bytes {
    if mode == Mode::Stream {
        return StreamResponse { response_oneof: Some(answer) }.encode_to_vec().into();
    }
    match answer {
        ResponseOneof::GetResponse(answer) => answer.encode_to_vec(),
        ResponseOneof::SetResponse(answer) => answer.encode_to_vec(),
        ResponseOneof::IncrementResponse(answer) => answer.encode_to_vec(),
        ResponseOneof::EchoResponse(answer) => answer.encode_to_vec(),
        _ => unreachable!("nobody asks for others"),
    }
    .into()
}

const MODES: [Mode; 2] = [Mode::Unary, Mode::Stream];

#[test]
fn what_is_put_in_is_what_is_read() {
    for mode in MODES {
        let requests = requests(Workload::Mixed(50), mode);
        let mut lane = requests.lane(0, 1);
        let (mut gets, mut sets) = (0, 0);
        for _ in 0..200 {
            let made = requests.next(&mut lane);
            match read(mode, &made) {
                RequestOneof::GetRequest(get) => {
                    gets += 1;
                    let Expected::ValueOf(number) = made.expected else { panic!("no number") };
                    assert_eq!((get.dbm_index, get.key), (2, requests.records.key(number)));
                    assert_eq!(made.op, Op::Read);
                }
                RequestOneof::SetRequest(set) => {
                    sets += 1;
                    let number = std::str::from_utf8(&set.key[2..]).unwrap().parse().unwrap();
                    assert!(requests.records.is_value(number, &set.value), "{set:?}");
                    assert!(set.overwrite && set.dbm_index == 2);
                    assert_eq!((made.op, made.expected), (Op::Update, Expected::Done));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(gets > 50 && sets > 50, "{gets} and {sets}");
    }
}

#[test]
fn a_wrong_value_is_an_error() {
    for mode in MODES {
        let requests = requests(Workload::Get, mode);
        let mut lane = requests.lane(0, 1);
        let made = requests.next(&mut lane);
        let Expected::ValueOf(number) = made.expected else { panic!("no number") };
        let mut judge = |value: Bytes, status: Option<StatusProto>| {
            let answer = answer(mode, ResponseOneof::GetResponse(GetResponse { status, value }));
            requests.check(made.expected, made.method, &mut lane, answer)
        };
        let right = requests.records.value(number);
        assert_eq!(judge(right.clone(), None), Ok(()));
        assert_eq!(judge(right.clone(), Some(StatusProto::default())), Ok(()));
        let other = requests.records.value(number + 1);
        assert_eq!(judge(other, None).unwrap_err().kind, "wrong value");
        assert_eq!(judge(Bytes::new(), None).unwrap_err().kind, "wrong value");
        let missing = StatusCode::NotFoundError.with("no such record");
        let refused = judge(right, Some(missing)).unwrap_err();
        assert_eq!((&*refused.kind, &*refused.message), ("NOT_FOUND_ERROR", "no such record"));
    }
}

#[test]
fn an_answer_to_something_else_is_an_error() {
    let requests = requests(Workload::Get, Mode::Stream);
    let mut lane = requests.lane(0, 1);
    let made = requests.next(&mut lane);
    for other in [
        ResponseOneof::SetResponse(SetResponse::default()),
        ResponseOneof::RemoveResponse(RemoveResponse::default()),
    ] {
        let answer = StreamResponse { response_oneof: Some(other) }.encode_to_vec();
        let judged = requests.check(made.expected, made.method, &mut lane, answer.into());
        assert_eq!(judged.unwrap_err().kind, "broken answer");
    }
    for garbage in [&b""[..], b"\xff\xff\xff", b"\x12\x7f"] {
        let answer = Bytes::copy_from_slice(garbage);
        assert!(requests.check(made.expected, made.method, &mut lane, answer).is_err());
    }
}

#[test]
fn a_counter_that_skips_or_stands_still_is_wrong() {
    let requests = requests(Workload::Increment, Mode::Unary);
    let mut lane = requests.lane(5, 1);
    let made = requests.next(&mut lane);
    let RequestOneof::IncrementRequest(sent) = read(Mode::Unary, &made) else { panic!("no") };
    assert_eq!((sent.key, sent.increment), (requests.records.counter(5), 1));
    let mut judge = |current| {
        let answer = IncrementResponse { status: None, current }.encode_to_vec();
        requests.check(made.expected, made.method, &mut lane, answer.into()).is_ok()
    };
    // What it begins with is not known, and after an error neither.
    let judged = [41, 42, 42, 43, 45, 46].map(&mut judge);
    assert_eq!(judged, [true, true, false, true, false, true]);
}

#[test]
fn an_echo_is_what_was_sent() {
    for mode in MODES {
        let requests = requests(Workload::Echo, mode);
        let mut lane = requests.lane(0, 1);
        let made = requests.next(&mut lane);
        let RequestOneof::EchoRequest(EchoRequest { message }) = read(mode, &made) else {
            panic!("no echo")
        };
        assert_eq!(message.len(), 20);
        for (echo, right) in [(message.clone(), true), (message[1..].to_owned(), false)] {
            let answer =
                answer(mode, ResponseOneof::EchoResponse(EchoResponse { status: None, echo }));
            let judged = requests.check(made.expected, made.method, &mut lane, answer);
            assert_eq!(judged.is_ok(), right);
        }
    }
}

#[test]
fn the_same_seed_sends_the_same() {
    let requests = requests(Workload::Mixed(50), Mode::Unary);
    let sent = |lane, seed| {
        let mut lane = requests.lane(lane, seed);
        (0..20).map(|_| requests.next(&mut lane).message).collect::<Vec<_>>()
    };
    assert_eq!(sent(3, 1), sent(3, 1));
    assert_ne!(sent(3, 1), sent(4, 1));
    assert_ne!(sent(3, 1), sent(3, 2));
}
