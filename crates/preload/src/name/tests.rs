use super::*;

fn maybe(name: &str, uri: bool) -> Class {
    Class::Maybe { name: name.to_owned(), uri }
}

fn open(name: &str) -> Class {
    classify(name.as_bytes(), 6, None)
}

#[test]
fn relative_names_may_be_ours() {
    for name in ["app", "app/users", "app.db", "app@-5m", "app@00000000000000000000", "bücher"] {
        assert_eq!(open(name), maybe(name, false), "{name}");
    }
}

#[test]
fn paths_are_plain_files() {
    for name in ["/srv/app", "./app", "../app", "app/../b", "app/", "/", "app//b", "a b", "-x", ""]
    {
        assert_eq!(open(name), Class::Plain, "{name}");
    }
    assert_eq!(classify(b"\xff\xfe", 6, None), Class::Plain);
}

#[test]
fn databases_in_memory_are_plain() {
    assert_eq!(open(":memory:"), Class::Plain);
    assert_eq!(classify(b"app", 6 | OPEN_MEMORY, None), Class::Plain);
    assert_eq!(open("file:app?mode=memory"), Class::Plain);
    assert_eq!(open("file:app?mode=memory&cache=shared"), Class::Plain);
    assert_eq!(open("file::memory:"), Class::Plain);
    assert_eq!(open("file:app?mode=memory&mode=ro"), maybe("app", true));
}

#[test]
fn side_files_are_plain() {
    for name in ["app-journal", "app-wal", "app-shm"] {
        assert_eq!(open(name), Class::Plain, "{name}");
    }
}

#[test]
fn another_vfs_is_left_alone() {
    assert_eq!(classify(b"app", 6, Some(b"unix-none")), Class::Plain);
    assert_eq!(classify(b"app", 6, Some(b"")), Class::Plain);
    assert_eq!(open("file:app?vfs=unix-none"), Class::Plain);
    assert_eq!(classify(b"file:app", 6, Some(b"unix-none")), Class::Plain);
    assert_eq!(classify(b"file:app?vfs=hozo", 6, Some(b"unix-none")), Class::Explicit);
    assert_eq!(open("file:app?vfs=hozo&vfs=unix"), Class::Plain);
}

#[test]
fn our_vfs_by_name() {
    assert_eq!(classify(b"/srv/app", 6, Some(b"hozo")), Class::Explicit);
    assert_eq!(open("file:app?vfs=hozo"), Class::Explicit);
    assert_eq!(open("file:app?mode=ro&vfs=hoz%6f"), Class::Explicit);
}

#[test]
fn uris() {
    assert_eq!(open("file:app"), maybe("app", true));
    assert_eq!(open("file:app?mode=ro#part"), maybe("app", true));
    assert_eq!(open("file:app%40-5m"), maybe("app@-5m", true));
    assert_eq!(open("file:b%C3%BCcher"), maybe("bücher", true));
    assert_eq!(open("file:app%00%2Fx"), maybe("app", true));
    assert_eq!(open("file:///srv/app"), Class::Plain);
    assert_eq!(open("file://localhost/srv/app"), Class::Plain);
    assert_eq!(open("file://elsewhere/app?vfs=hozo"), Class::Plain);
    assert_eq!(open("file:"), Class::Plain);
    assert_eq!(open("file:%"), Class::Plain);
}
