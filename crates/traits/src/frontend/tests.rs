//! What clashes with what.

use super::Claim;

fn tcp(text: &str) -> Claim {
    Claim::Tcp(text.parse().expect("an address"))
}

#[test]
fn one_port_is_had_once() {
    assert!(tcp("127.0.0.1:1978").clashes(&tcp("127.0.0.1:1978")));
    assert!(tcp("0.0.0.0:1978").clashes(&tcp("127.0.0.1:1978")));
    assert!(tcp("[::]:1978").clashes(&tcp("127.0.0.1:1978")));
    assert!(!tcp("127.0.0.1:1978").clashes(&tcp("127.0.0.2:1978")));
    assert!(!tcp("127.0.0.1:1978").clashes(&tcp("127.0.0.1:1979")));
    assert!(!tcp("127.0.0.1:0").clashes(&tcp("127.0.0.1:0")));
}

#[test]
fn one_path_is_had_once() {
    let socket = |path: &str| Claim::Socket(path.into());
    assert!(socket("/run/a").clashes(&socket("/run/a")));
    assert!(!socket("/run/a").clashes(&socket("/run/b")));
    assert!(!socket("/run/a").clashes(&Claim::Mount("/run/a".into())));
}

#[test]
fn claims_are_written_as_clients_write_addresses() {
    assert_eq!(tcp("[::1]:80").to_string(), "[::1]:80");
    assert_eq!(Claim::Socket("/run/hozo.sock".into()).to_string(), "unix:/run/hozo.sock");
}
