use super::*;

#[test]
fn addresses_are_as_the_client_has_them() {
    let read = |text| absolute(text, Path::new("/etc/hozo"));
    for right in ["db2:1978", "http://db2:1978", "https://db-2.example.org:1978/", "[::1]:1978"] {
        assert_eq!(read(right).as_deref(), Ok(right));
    }
    assert_eq!(read("unix:run/../dbm.sock").as_deref(), Ok("unix:/etc/hozo/dbm.sock"));
    assert_eq!(read("unix:///run/dbm.sock").as_deref(), Ok("unix:/run/dbm.sock"));
    for wrong in [
        "",
        "db2",
        ":1978",
        "db2:",
        "db2:0",
        "db2:x",
        "db2:70000",
        "ftp://db2:1978",
        "unix:",
        "unix://",
        "http://",
        "http://db2:1978/path",
        "me@db2:1978",
        "::1:1978",
        "db 2:1978",
        "[db2]:1978",
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}
