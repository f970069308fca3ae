use super::*;

fn io(kind: io::ErrorKind) -> sled::Error {
    sled::Error::Io(io::Error::from(kind))
}

#[test]
fn every_error_is_mapped_and_none_to_not_found() {
    use io::ErrorKind as K;
    for (error, kind) in [
        (sled::Error::CollectionNotFound("t".into()), ErrorKind::Corrupt),
        (sled::Error::Unsupported("x".into()), ErrorKind::Unsupported),
        (sled::Error::ReportableBug("x".into()), ErrorKind::Internal),
        (sled::Error::Corruption { at: None, bt: () }, ErrorKind::Corrupt),
        (io(K::NotFound), ErrorKind::Corrupt),
        (io(K::UnexpectedEof), ErrorKind::Corrupt),
        (io(K::InvalidData), ErrorKind::Corrupt),
        (io(K::PermissionDenied), ErrorKind::Denied),
        (io(K::ReadOnlyFilesystem), ErrorKind::Denied),
        (io(K::StorageFull), ErrorKind::Unavailable),
        (io(K::Other), ErrorKind::Unavailable),
    ] {
        let text = error.to_string();
        assert_eq!(kind_of(&error).0, kind, "{text}");
        for doing in [Doing::Opening, Doing::Reading, Doing::Writing] {
            assert_eq!(map(error.clone(), doing).kind(), kind, "{text}");
        }
    }
}

#[test]
fn a_full_disk_is_said() {
    let error = map(io(io::ErrorKind::StorageFull), Doing::Writing);
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[test]
fn a_panic_becomes_an_error() {
    let mut down = false;
    let came = call(|| -> sled::Result<()> { panic!("segment {} is odd", 7) });
    let error = settle(came, Doing::Reading, || down = true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(down && error.to_string().contains("segment 7 is odd"), "{error}");
}
