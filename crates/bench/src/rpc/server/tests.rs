use super::*;

#[test]
fn addresses_are_read_as_people_write_them() {
    let tcp = |host: &str, port, tls| Address::Tcp { host: host.to_owned(), port, tls };
    for (text, wanted) in [
        ("localhost:1979", tcp("localhost", 1979, false)),
        ("localhost", tcp("localhost", 1978, false)),
        ("http://10.0.0.1:80/", tcp("10.0.0.1", 80, false)),
        ("https://db.example:443", tcp("db.example", 443, true)),
        ("[::1]:1979", tcp("::1", 1979, false)),
        ("[::1]", tcp("::1", 1978, false)),
        ("unix:/run/dbm.sock", Address::Unix("/run/dbm.sock".into())),
        ("unix:///run/dbm.sock", Address::Unix("/run/dbm.sock".into())),
        ("unix:dbm.sock", Address::Unix("dbm.sock".into())),
    ] {
        assert_eq!(text.parse::<Address>().unwrap(), wanted, "{text}");
        let shown = wanted.to_string();
        assert_eq!(shown.parse::<Address>().unwrap(), wanted, "{text} is shown as {shown}");
    }
    for text in ["", ":1978", "host:port", "host:70000", "unix:", "http://", "a/b:1"] {
        let said = text.parse::<Address>().unwrap_err().to_string();
        assert!(said.contains("HOST:PORT"), "{text}: {said}");
    }
}

#[test]
fn a_token_is_not_shown() {
    let access = Access { token: Some("hozo_secret".to_owned()), tls: None };
    assert!(!format!("{access:?}").contains("secret"));
}

#[test]
fn files_of_tls_that_are_none_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let said = |ca: &Path| {
        let files = TlsFiles { ca: ca.to_owned(), ..TlsFiles::default() };
        Tls::of(&files).err().unwrap().to_string()
    };
    assert!(said(&file).contains("ca.pem"));
    std::fs::write(&file, "nothing").unwrap();
    assert!(said(&file).contains("no certificate"));
}
