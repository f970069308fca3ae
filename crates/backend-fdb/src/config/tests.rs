//! Settings: defaults, what is refused, and what is not shown.

use hozo_traits::ErrorKind;

use super::*;

fn read(text: &str) -> Config {
    toml::from_str(text).expect("it can be read")
}

#[test]
fn all_may_be_left_out() {
    let config = read("");
    assert_eq!(config, Config::default());
    config.check().expect("the defaults are right");
    assert_eq!((config.prefix.as_str(), config.timeout_ms), ("hozo/", 10_000));
}

#[test]
fn unknown_keys_are_errors() {
    assert!(toml::from_str::<Config>("cluster_fil = \"x\"").is_err());
}

#[test]
fn what_is_wrong_names_its_setting() {
    let wrong = [
        ("cluster = \"a:b@c:1\"\ncluster_file = \"x\"", "cluster"),
        ("cluster = \"nowhere\"", "cluster"),
        ("prefix = \"\"", "prefix"),
        ("prefix = \"seventeen letters\"", "prefix"),
        ("prefix = \"\\u0001\"", "prefix"),
        ("prefix = \"ö\"", "prefix"),
        ("timeout_ms = 0", "timeout_ms"),
        ("timeout_ms = 2147483648", "timeout_ms"),
        ("tls_key_password = \"x\"\ntls_key_password_file = \"y\"", "tls_key_password"),
        ("tls_certificate = \"x\"", "tls_certificate"),
        ("tls_key = \"x\"", "tls_certificate"),
    ];
    for (text, setting) in wrong {
        let error = read(text).check().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.context().contains(&("setting", setting.to_owned())), "{text}: {error}");
    }
}

#[test]
fn the_password_is_not_shown() {
    let shown = format!("{:?}", read("tls_key_password = \"sesame\""));
    assert!(shown.contains("hidden") && !shown.contains("sesame"), "{shown}");
    assert!(!format!("{:?}", read("")).contains("hidden"));
}
