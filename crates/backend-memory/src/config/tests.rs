use std::sync::Arc;

use hozo_traits::{ErrorKind, SystemAmbient};

use super::Config;

fn parse(text: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn everything_may_be_left_out() {
    assert_eq!(parse("").unwrap(), Config { commit_id_keep_s: 86_400, strict: false });
    let config = parse("strict = true\ncommit_id_keep_s = 7200").unwrap();
    assert_eq!(config, Config { commit_id_keep_s: 7200, strict: true });
}

#[test]
fn unknown_keys_are_errors_that_list_the_known() {
    let error = parse("stict = true").unwrap_err().to_string();
    for name in ["stict", "strict", "commit_id_keep_s"] {
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn ids_must_be_kept_for_an_hour() {
    let config = Config { commit_id_keep_s: 3599, ..Config::default() };
    let error = crate::open(&config, Arc::new(SystemAmbient)).err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("hour"), "{error}");
}
