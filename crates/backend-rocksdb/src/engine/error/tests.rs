use super::*;

#[test]
fn every_kind_is_mapped_and_none_to_not_found() {
    use RocksKind as R;
    for kind in [
        R::NotFound,
        R::Corruption,
        R::NotSupported,
        R::InvalidArgument,
        R::IOError,
        R::MergeInProgress,
        R::Incomplete,
        R::ShutdownInProgress,
        R::TimedOut,
        R::Aborted,
        R::Busy,
        R::Expired,
        R::TryAgain,
        R::CompactionTooLarge,
        R::ColumnFamilyDropped,
        R::Unknown,
    ] {
        let ours = kind_of(kind.clone(), "");
        assert_ne!(ours, ErrorKind::NotFound, "{kind:?}");
        assert_eq!(ours == ErrorKind::Corrupt, matches!(kind, R::Corruption | R::InvalidArgument));
    }
}

#[test]
fn io_errors_are_told_apart_by_their_words() {
    for (text, kind) in [
        ("IO error: While lock file: /s/LOCK: Resource temporarily unavailable", ErrorKind::Busy),
        ("IO error: lock hold by current process", ErrorKind::Busy),
        ("IO error: While mkdir: /s: Permission denied", ErrorKind::Denied),
        ("IO error: While open: /s/1.log: Read-only file system", ErrorKind::Denied),
        ("IO error: No such file or directory: /s/000007.sst", ErrorKind::Corrupt),
        ("IO error: No space left on device: While appending", ErrorKind::Unavailable),
        ("IO error: Input/output error", ErrorKind::Unavailable),
    ] {
        assert_eq!(kind_of(RocksKind::IOError, text), kind, "{text}");
    }
    assert!(is_disk_full("IO error: No space left on device: While appending"));
    assert!(!is_disk_full("IO error: Input/output error"));
}
