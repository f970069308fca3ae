//! One record at a time.

use super::*;

#[tokio::test]
async fn echo_returns_the_message() {
    let mut client = Fixture::new().client;
    let response = client.echo(EchoRequest { message: "hello".into() }).await.expect("a call");
    let response = response.into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(response.echo, "hello");
}

#[tokio::test]
async fn a_record_that_is_not_there_is_not_found() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        let request = GetRequest { dbm_index, key: "none".into(), omit_value: false };
        let response = f.client.get(request).await.expect("a call").into_inner();
        assert_eq!(response.status, Some(StatusCode::NotFoundError.with("")));
        let request = RemoveRequest { dbm_index, key: "none".into() };
        let response = f.client.remove(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::NotFoundError);
    }
}

#[tokio::test]
async fn a_value_that_is_left_out_still_tells_that_it_is_there() {
    let mut f = Fixture::new();
    set(&mut f.client, ORDERED, "k", "v").await;
    for (key, expected) in [("k", StatusCode::Success), ("none", StatusCode::NotFoundError)] {
        let request = GetRequest { dbm_index: ORDERED, key: key.into(), omit_value: true };
        let response = f.client.get(request).await.expect("a call").into_inner();
        assert_eq!((code(response.status), &response.value[..]), (expected, &b""[..]));
    }
}

#[tokio::test]
async fn empty_keys_and_values_are_keys_and_values() {
    let mut f = Fixture::new();
    for dbm in BOTH {
        assert_eq!(get(&mut f.client, dbm, "").await, None);
        set(&mut f.client, dbm, "", "").await;
        assert_eq!(get(&mut f.client, dbm, "").await.as_deref(), Some(""));
        assert_eq!(count(&mut f.client, dbm).await, 1);
    }
}

#[tokio::test]
async fn set_without_overwrite_is_the_default_and_keeps_what_is_there() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        let request =
            SetRequest { dbm_index, key: "k".into(), value: "1".into(), ..SetRequest::default() };
        let first = f.client.set(request.clone()).await.expect("a call").into_inner();
        assert_eq!(code(first.status), StatusCode::Success);
        let second = SetRequest { value: "2".into(), ..request };
        let second = f.client.set(second).await.expect("a call").into_inner();
        assert_eq!(second.status, Some(StatusCode::DuplicationError.with("")));
        assert_eq!(get(&mut f.client, dbm_index, "k").await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn append_puts_the_delimiter_only_between() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        for expected in ["a", "a,a"] {
            let request =
                AppendRequest { dbm_index, key: "k".into(), value: "a".into(), delim: ",".into() };
            let response = f.client.append(request).await.expect("a call").into_inner();
            assert_eq!(code(response.status), StatusCode::Success);
            assert_eq!(get(&mut f.client, dbm_index, "k").await.as_deref(), Some(expected));
        }
    }
}

async fn increment(client: &mut Client, key: &'static str, by: i64, initial: i64) -> i64 {
    let request =
        IncrementRequest { dbm_index: UNORDERED, key: key.into(), increment: by, initial };
    let response = client.increment(request).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
    response.current
}

#[tokio::test]
async fn increment_begins_at_initial_and_stores_big_endian() {
    let mut f = Fixture::new();
    assert_eq!(increment(&mut f.client, "n", 5, 100).await, 105);
    assert_eq!(increment(&mut f.client, "n", -6, 100).await, 99);
    let request = GetRequest { dbm_index: UNORDERED, key: "n".into(), omit_value: false };
    let response = f.client.get(request).await.expect("a call").into_inner();
    assert_eq!(response.value[..], 99i64.to_be_bytes());
}

#[tokio::test]
async fn increment_by_the_least_number_reads_and_stores_nothing() {
    let mut f = Fixture::new();
    assert_eq!(increment(&mut f.client, "n", i64::MIN, 7).await, 7);
    assert_eq!(get(&mut f.client, UNORDERED, "n").await, None);
    increment(&mut f.client, "n", 1, 1).await;
    assert_eq!(increment(&mut f.client, "n", i64::MIN, 7).await, 2);
}

#[tokio::test]
async fn increment_wraps_and_takes_values_of_any_length() {
    let mut f = Fixture::new();
    assert_eq!(increment(&mut f.client, "n", 1, i64::MAX).await, i64::MIN);
    set(&mut f.client, UNORDERED, "short", "4").await;
    assert_eq!(increment(&mut f.client, "short", 1, 0).await, 0x35);
    set(&mut f.client, UNORDERED, "long", "\0\0\0\0\0\0\0\u{1}zz").await;
    assert_eq!(increment(&mut f.client, "long", 1, 0).await, 2);
    let value = get(&mut f.client, UNORDERED, "long").await.expect("a value");
    assert_eq!(value.as_bytes(), 2i64.to_be_bytes());
}

async fn rekey(
    client: &mut Client,
    names: [&'static str; 2],
    over: bool,
    copy: bool,
) -> StatusCode {
    let request = RekeyRequest {
        dbm_index: ORDERED,
        old_key: names[0].into(),
        new_key: names[1].into(),
        overwrite: over,
        copying: copy,
    };
    code(client.rekey(request).await.expect("a call").into_inner().status)
}

#[tokio::test]
async fn rekey_moves_copies_and_refuses() {
    let mut f = Fixture::new();
    let client = &mut f.client;
    assert_eq!(rekey(client, ["a", "b"], true, false).await, StatusCode::NotFoundError);
    set(client, ORDERED, "a", "1").await;
    set(client, ORDERED, "b", "2").await;
    assert_eq!(rekey(client, ["a", "b"], false, false).await, StatusCode::DuplicationError);
    assert_eq!(rekey(client, ["a", "a"], false, false).await, StatusCode::DuplicationError);
    assert_eq!(rekey(client, ["a", "a"], true, false).await, StatusCode::Success);
    assert_eq!(get(client, ORDERED, "a").await.as_deref(), Some("1"));
    assert_eq!(rekey(client, ["a", "c"], false, true).await, StatusCode::Success);
    assert_eq!(get(client, ORDERED, "a").await, get(client, ORDERED, "c").await);
    assert_eq!(rekey(client, ["a", "b"], true, false).await, StatusCode::Success);
    assert_eq!(get(client, ORDERED, "a").await, None);
    assert_eq!(get(client, ORDERED, "b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_index_without_a_dbm_is_an_error_of_the_call() {
    let mut f = Fixture::new();
    for dbm_index in [-1, 2, i32::MIN, i32::MAX] {
        let request = GetRequest { dbm_index, ..GetRequest::default() };
        let status = f.client.get(request).await.expect_err("no DBM");
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(status.message(), "dbm_index is out of range");
    }
}

#[tokio::test]
async fn a_key_that_is_too_long_is_said_to_be() {
    let mut f = Fixture::new();
    let key = Bytes::from(vec![b'k'; (64 << 10) + 1]);
    let request = SetRequest { dbm_index: ORDERED, key, ..SetRequest::default() };
    let status = f.client.set(request).await.expect("a call").into_inner().status;
    let status = status.expect("a status");
    assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
    assert!(status.message.starts_with("too large: "), "{}", status.message);
}
