use super::*;

#[test]
fn base64_is_that_of_the_rfc() {
    let cases = [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
        ("fooba", "Zm9vYmE"),
    ];
    for (bytes, text) in cases {
        assert_eq!(base64url(bytes.as_bytes()), text);
    }
    assert_eq!(base64url(&[0xfb, 0xff, 0xfe]), "-__-");
}

#[test]
fn a_token_is_new_and_has_its_form() {
    let (a, b) = (make(&SystemAmbient), make(&SystemAmbient));
    assert_ne!(a, b);
    let digits = a.strip_prefix("hozo_").unwrap();
    assert_eq!(digits.len(), 43);
    assert!(digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{a}");
}

#[test]
fn an_entry_is_read_as_it_was_meant() {
    let rights = [("*", Right::Read), ("a.b", Right::Write), ("1-x", Right::Admin)];
    let rights: BTreeMap<String, Right> =
        rights.into_iter().map(|(dbm, right)| (dbm.to_owned(), right)).collect();
    let hash = token_hash("hozo_x");
    let text = entry("it's ほぞ", &hex(&hash), &rights);
    let read = parse_tokens(&text).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!((&*read[0].name, read[0].sha256, &read[0].rights), ("it's ほぞ", hash, &rights));
}
