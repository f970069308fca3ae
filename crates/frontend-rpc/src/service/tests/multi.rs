//! Several records at a time.

use super::*;

fn keys(keys: &[&'static str]) -> Vec<Bytes> {
    keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect()
}

#[tokio::test]
async fn many_are_read_sorted_once_each_and_without_the_missing() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        set(&mut f.client, dbm_index, "b", "2").await;
        set(&mut f.client, dbm_index, "a", "1").await;
        let request = GetMultiRequest { dbm_index, keys: keys(&["b", "x", "a", "b"]) };
        let response = f.client.get_multi(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::NotFoundError);
        assert_eq!(response.records, [pair("a", "1"), pair("b", "2")]);
        let request = GetMultiRequest { dbm_index, keys: keys(&["b", "a"]) };
        let response = f.client.get_multi(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::Success);
    }
}

#[tokio::test]
async fn many_are_read_in_parts() {
    let mut f = Fixture::new();
    let names: Vec<String> = (0..1000).map(|n| format!("{n:04}")).collect();
    for name in &names {
        set(&mut f.client, ORDERED, name, name).await;
    }
    let keys = names.iter().rev().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
    let request = GetMultiRequest { dbm_index: ORDERED, keys };
    let response = f.client.get_multi(request).await.expect("a call").into_inner();
    let read: Vec<&[u8]> = response.records.iter().map(|record| &record.second[..]).collect();
    assert_eq!(read, names.iter().map(String::as_bytes).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_than_an_answer_may_have_is_not_read() {
    let options = Options { message_bytes_max: 1000, ..Options::default() };
    let mut f = Fixture::with(options);
    set(&mut f.client, ORDERED, "a", &"x".repeat(600)).await;
    set(&mut f.client, ORDERED, "b", &"x".repeat(600)).await;
    let request = GetMultiRequest { dbm_index: ORDERED, keys: keys(&["a"]) };
    f.client.get_multi(request).await.expect("it fits");
    let request = GetMultiRequest { dbm_index: ORDERED, keys: keys(&["a", "b"]) };
    let status = f.client.get_multi(request).await.expect_err("it does not fit");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
}

#[tokio::test]
async fn no_record_grows_beyond_what_a_message_carries() {
    const MAX: usize = 1000;
    let mut f = Fixture::with(Options { message_bytes_max: MAX, ..Options::default() });
    for dbm_index in BOTH {
        let append = AppendRequest {
            dbm_index,
            key: "a".into(),
            value: "x".repeat(100).into(),
            ..Default::default()
        };
        let mut appended = 0;
        let status = loop {
            let response = f.client.append(append.clone()).await.expect("a call").into_inner();
            let status = response.status.expect("a status");
            if status.code != 0 {
                break status;
            }
            appended += 1;
            assert!(appended < 100, "it grows and grows");
        };
        assert_eq!(status.status_code(), StatusCode::InvalidArgumentError);
        assert!(status.message.starts_with("too large: "), "{}", status.message);
        assert!(status.message.contains("max_message_bytes 1000"), "{}", status.message);
        let request = GetRequest { dbm_index, key: "a".into(), omit_value: false };
        let answer = f.client.get(request).await.expect("a call").into_inner();
        assert_eq!(answer.value.len(), 900);
        assert!(prost::Message::encoded_len(&answer) <= MAX);
        let records = [pair("a", "y"), BytesPair { first: "a".into(), second: append.value }];
        let many = |record: &BytesPair| AppendMultiRequest {
            dbm_index,
            records: vec![record.clone()],
            ..Default::default()
        };
        let response = f.client.append_multi(many(&records[1])).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::InvalidArgumentError);
        let response = f.client.append_multi(many(&records[0])).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::Success);
    }
}

#[tokio::test]
async fn many_are_set_the_first_of_a_key_counts_and_those_that_exist_do_not_stop_it() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        set(&mut f.client, dbm_index, "b", "old").await;
        let records = vec![pair("c", "3"), pair("b", "2"), pair("a", "1"), pair("a", "9")];
        let request = SetMultiRequest { dbm_index, records, overwrite: false };
        let response = f.client.set_multi(request.clone()).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::DuplicationError);
        assert_eq!(get(&mut f.client, dbm_index, "a").await.as_deref(), Some("1"));
        assert_eq!(get(&mut f.client, dbm_index, "b").await.as_deref(), Some("old"));
        assert_eq!(get(&mut f.client, dbm_index, "c").await.as_deref(), Some("3"));
        let request = SetMultiRequest { overwrite: true, ..request };
        let response = f.client.set_multi(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::Success);
        assert_eq!(get(&mut f.client, dbm_index, "b").await.as_deref(), Some("2"));
    }
}

#[tokio::test]
async fn many_are_removed_and_missing_ones_do_not_stop_it() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        set(&mut f.client, dbm_index, "a", "1").await;
        set(&mut f.client, dbm_index, "c", "3").await;
        let request = RemoveMultiRequest { dbm_index, keys: keys(&["a", "b", "c"]) };
        let response = f.client.remove_multi(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::NotFoundError);
        assert_eq!(count(&mut f.client, dbm_index).await, 0);
    }
}

#[tokio::test]
async fn a_key_that_is_removed_twice_is_missing_the_second_time() {
    let mut f = Fixture::new();
    for dbm_index in BOTH {
        set(&mut f.client, dbm_index, "a", "1").await;
        set(&mut f.client, dbm_index, "b", "2").await;
        let request = RemoveMultiRequest { dbm_index, keys: keys(&["a", "b", "a"]) };
        let response = f.client.remove_multi(request).await.expect("a call").into_inner();
        assert_eq!(code(response.status), StatusCode::NotFoundError);
        assert_eq!(count(&mut f.client, dbm_index).await, 0);
    }
}

#[tokio::test]
async fn many_are_appended_to() {
    let mut f = Fixture::new();
    set(&mut f.client, ORDERED, "a", "1").await;
    let records = vec![pair("a", "2"), pair("b", "3"), pair("a", "9")];
    let request = AppendMultiRequest { dbm_index: ORDERED, records, delim: ":".into() };
    let response = f.client.append_multi(request).await.expect("a call").into_inner();
    assert_eq!(code(response.status), StatusCode::Success);
    assert_eq!(get(&mut f.client, ORDERED, "a").await.as_deref(), Some("1:2"));
    assert_eq!(get(&mut f.client, ORDERED, "b").await.as_deref(), Some("3"));
}

fn state(key: &'static str, existence: bool, value: &'static str, any_value: bool) -> RecordState {
    RecordState { existence, key: key.into(), value: value.into(), any_value }
}

async fn exchange(
    client: &mut Client,
    dbm_index: i32,
    expected: Vec<RecordState>,
    desired: Vec<RecordState>,
) -> StatusCode {
    let request = CompareExchangeMultiRequest { dbm_index, expected, desired };
    code(client.compare_exchange_multi(request).await.expect("a call").into_inner().status)
}

#[tokio::test]
async fn many_are_exchanged_all_or_none() {
    let mut f = Fixture::new();
    let client = &mut f.client;
    for dbm in BOTH {
        set(client, dbm, "a", "1").await;
        set(client, dbm, "b", "2").await;
        let desired = || {
            vec![
                state("a", false, "", false),
                state("b", true, "3", true),
                state("c", true, "", false),
            ]
        };
        let wrong = vec![state("a", true, "1", false), state("b", true, "9", false)];
        assert_eq!(exchange(client, dbm, wrong, desired()).await, StatusCode::InfeasibleError);
        assert_eq!(get(client, dbm, "a").await.as_deref(), Some("1"));
        let right = vec![
            state("a", true, "1", false),
            state("b", true, "", true),
            state("c", false, "", true),
        ];
        assert_eq!(exchange(client, dbm, right, desired()).await, StatusCode::Success);
        assert_eq!(get(client, dbm, "a").await, None);
        assert_eq!(get(client, dbm, "b").await.as_deref(), Some("3"));
        assert_eq!(get(client, dbm, "c").await.as_deref(), Some(""));
    }
}

#[tokio::test]
async fn a_record_with_the_empty_key_is_one_like_any_other() {
    let mut f = Fixture::new();
    let client = &mut f.client;
    for dbm in BOTH {
        set(client, dbm, "", "here").await;
        let expected = vec![state("a", false, "", false)];
        let desired = vec![state("a", true, "1", false)];
        assert_eq!(exchange(client, dbm, expected, desired).await, StatusCode::Success);
        assert_eq!(get(client, dbm, "").await.as_deref(), Some("here"));
        let expected = vec![state("", true, "here", false)];
        let desired = vec![state("", false, "", false)];
        assert_eq!(exchange(client, dbm, expected, desired).await, StatusCode::Success);
        assert_eq!(get(client, dbm, "").await, None);
    }
}
