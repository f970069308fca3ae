//! Messages come in whatever pieces the network makes.

use super::*;

/// Three messages, framed: nothing, one byte, and many.
fn three() -> (Bytes, [Bytes; 3]) {
    let messages = [Bytes::new(), Bytes::from_static(b"a"), Bytes::from(vec![7; 300])];
    let mut framed = Vec::new();
    for message in &messages {
        framed.push(0);
        framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
        framed.extend_from_slice(message);
    }
    (framed.into(), messages)
}

#[test]
fn messages_are_found_wherever_they_are_cut() {
    let (framed, wanted) = three();
    for piece in 1..=framed.len() {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        for start in (0..framed.len()).step_by(piece) {
            messages.add(framed.slice(start..(start + piece).min(framed.len())));
            while let Some(message) = messages.next().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, wanted, "in pieces of {piece}");
    }
}

#[test]
fn what_is_compressed_or_too_long_is_no_message() {
    for bytes in [[1, 0, 0, 0, 1], [0, 255, 255, 255, 255]] {
        let mut messages = Messages::default();
        messages.add(Bytes::copy_from_slice(&bytes));
        assert_eq!(messages.next().unwrap_err().kind, "broken answer");
    }
}

#[test]
fn trailers_say_how_it_ended() {
    let trailers = |code: &str, message: &str| {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", code.parse().unwrap());
        map.insert("grpc-message", message.parse().unwrap());
        map
    };
    assert_eq!(ended(Some(&trailers("0", ""))), Ok(()));
    let refused = ended(Some(&trailers("8", "too many"))).unwrap_err();
    assert_eq!((&*refused.kind, &*refused.message), ("RESOURCE_EXHAUSTED", "too many"));
    assert!(!refused.lost, "others may fare better");
    assert!(ended(Some(&trailers("99", ""))).is_err());
    assert!(ended(None).is_err());
    let response = accepted(StatusCode::BAD_GATEWAY, &HeaderMap::new()).unwrap_err();
    assert_eq!(response.kind, "HTTP 502");
}
