use std::time::Duration;

use hozo_traits::{Error, ErrorKind};

use super::Config;
use crate::SyncMode;

fn parsed(text: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(text)
}

/// The setting that an error is about.
fn about(error: &Error) -> &str {
    error.context().iter().find(|(key, _)| *key == "setting").map_or("", |(_, value)| value)
}

#[test]
fn only_the_path_has_to_be_given() {
    assert_eq!(parsed("path = '/x'").unwrap(), Config::new("/x"));
    assert!(parsed("").unwrap_err().to_string().contains("path"));
}

#[test]
fn what_is_written_is_read() {
    let mut config = Config::new("/x");
    for sync in [SyncMode::Commit, SyncMode::System, SyncMode::Within(Duration::from_secs(2))] {
        config.record_sync = sync;
        config.segment_bytes = 1 << 20;
        assert_eq!(parsed(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
}

#[test]
fn unknown_keys_and_nonsense_are_refused() {
    assert!(
        parsed("path = '/x'\nsegment_byte = 3").unwrap_err().to_string().contains("segment_byte")
    );
    for sync in ["", "ms", "0ms", "-1ms", "5", "5s", "3600001ms", "Commit"] {
        let error = parsed(&format!("path = '/x'\nrecord_sync = '{sync}'")).unwrap_err();
        assert!(error.to_string().contains("milliseconds"), "{sync}: {error}");
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let wrong = |change: fn(&mut Config)| {
        let mut config = Config::new("/x");
        config.check().unwrap();
        change(&mut config);
        let error = config.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        about(&error).to_owned()
    };
    assert_eq!(wrong(|c| c.path = "".into()), "path");
    assert_eq!(wrong(|c| c.segment_bytes = (1 << 20) + 1), "segment_bytes");
    assert_eq!(wrong(|c| c.segment_bytes = 1 << 15), "segment_bytes");
    assert_eq!(wrong(|c| c.segment_bytes = 1 << 31), "segment_bytes");
    assert_eq!(wrong(|c| c.checkpoint_bytes = 1), "checkpoint_bytes");
    assert_eq!(wrong(|c| c.commit_id_keep_s = 60), "commit_id_keep_s");
}
