use super::*;

#[test]
fn only_the_path_is_needed() {
    let config: Config = toml::from_str("path = '/data/hozo'").unwrap();
    assert_eq!(config, Config::new("/data/hozo"));
    config.check().unwrap();
}

#[test]
fn every_setting_is_read() {
    let config: Config = toml::from_str(
        "path = 'p'\ncache_bytes = 2097152\nlock_timeout_ms = 0\n\
         commit_id_keep_s = 3600\nstrict = true",
    )
    .unwrap();
    let expected = Config {
        path: "p".into(),
        cache_bytes: 2 << 20,
        lock_timeout_ms: 0,
        commit_id_keep_s: 3600,
        strict: true,
    };
    assert_eq!(config, expected);
    for config in [expected, Config::new("p")] {
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }
}

#[test]
fn an_unknown_setting_is_an_error_that_names_the_known_ones() {
    let error = toml::from_str::<Config>("path = 'p'\ncache = 1").unwrap_err().to_string();
    assert!(error.contains("cache") && error.contains("cache_bytes"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (config, setting) in
        [(Config::new(""), "path"), (Config { cache_bytes: 10, ..Config::new("p") }, "cache_bytes")]
    {
        let error = config.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(setting), "{error}");
    }
}
