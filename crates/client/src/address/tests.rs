use super::*;

fn tcp(host_port: &str, secure: Option<bool>) -> Address {
    Address::Tcp { host_port: host_port.to_owned(), secure }
}

#[test]
fn addresses_are_read() {
    let read = |text| Address::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(read("http://localhost:1978"), tcp("localhost:1978", Some(false)));
    assert_eq!(read("http://localhost:1978/"), tcp("localhost:1978", Some(false)));
    assert_eq!(read("https://db.example:443"), tcp("db.example:443", Some(true)));
    assert_eq!(read("127.0.0.1:1978"), tcp("127.0.0.1:1978", None));
    assert_eq!(read("[::1]:1978"), tcp("[::1]:1978", None));
    assert_eq!(read("unix:/run/dbm.sock"), Address::Unix("/run/dbm.sock".into()));
    assert_eq!(read("unix:///run/dbm.sock"), Address::Unix("/run/dbm.sock".into()));
    assert_eq!(read("unix:dbm.sock"), Address::Unix("dbm.sock".into()));
    assert_eq!(read("unix:/run/dbm.sock").to_string(), "unix:/run/dbm.sock");
    assert_eq!(read("[::1]:1978").to_string(), "http://[::1]:1978");
}

#[test]
fn what_is_no_address_is_refused_with_the_forms() {
    let wrong = [
        "",
        "localhost",
        "http://localhost",
        ":1978",
        "http://:1978",
        "localhost:0",
        "localhost:65536",
        "localhost:port",
        "ftp://localhost:1978",
        "http://localhost:1978/path",
        "http://localhost:1978?query",
        "http://user@localhost:1978",
        "local host:1978",
        "unix:",
        "unix://",
    ];
    for text in wrong {
        let error = Address::read(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        assert!(error.message().contains("unix:PATH"), "{error}");
    }
}
