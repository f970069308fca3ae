use super::*;

#[test]
fn secrets_are_not_shown() {
    let tls = Tls::new("ca").identity("certificate", "the key").domain("db.example");
    let builder = Client::builder("https://localhost:1978").token("the token").tls(tls);
    let shown = format!("{builder:?}");
    assert!(shown.contains("db.example") && shown.contains("https://localhost:1978"), "{shown}");
    assert!(!shown.contains("the token") && !shown.contains("the key"), "{shown}");
    let value = builder.bearer().expect("it is a header").expect("there is one");
    assert_eq!(format!("{value:?}"), "Sensitive");
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let refused = |builder: Builder| {
        let error = builder.lazy().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let client = |address: &str| Client::builder(address);
    let ca = || Tls::new("no PEM");
    assert!(refused(client("nowhere")).contains("lacks a host or a port"));
    assert!(refused(client("https://localhost:1978")).contains("an authority to trust"));
    assert!(refused(client("http://localhost:1978").tls(ca())).contains("write https://"));
    assert!(refused(client("unix:/run/dbm.sock").tls(ca())).contains("has no TLS"));
    assert!(refused(client("localhost:1978").tls(ca())).contains("no certificate"));
    assert!(refused(client("localhost:1978").token("new\nline")).contains("token"));
}

#[test]
fn a_token_goes_in_the_clear_only_where_it_is_meant_to() {
    let with_token = |address: &str| Client::builder(address).token("secret").lazy().err();
    let refused = with_token("db.example:1978").expect("others could read it");
    assert!(refused.to_string().contains("others could read the token"), "{refused}");
    for address in ["localhost:1978", "127.0.0.1:1978", "[::1]:1978", "http://db.example:1978"] {
        assert!(with_token(address).is_none(), "{address}");
    }
}
