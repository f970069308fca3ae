use hozo_log::disk::sim::SimDisk;

use super::*;

#[test]
fn what_is_written_is_read() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    assert_eq!(RoleFile::read(&disk).unwrap(), None);
    for role in [Role::Master, Role::DualMaster, Role::Follower] {
        for source in [None, Some("http://db2:1978".to_owned())] {
            let file = RoleFile { role, source };
            file.write(&disk).unwrap();
            assert_eq!(RoleFile::read(&disk).unwrap(), Some(file));
        }
    }
}

#[test]
fn what_nobody_writes_is_an_error_that_says_what_to_do() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.again());
    for text in
        ["", "hozo role 2\nmaster\n\n", "hozo role 1\n", "hozo role 1\nslave\n\n", "\0\u{fff}"]
    {
        sim.put(FILE, text.as_bytes());
        let error = RoleFile::read(&disk).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{text:?}");
        assert!(error.to_string().contains("remove it"), "{error}");
    }
    sim.put(FILE, &[b' '; BYTES_MAX as usize + 1]);
    assert_eq!(RoleFile::read(&disk).unwrap_err().kind(), ErrorKind::Corrupt);
    let two_lines = RoleFile { role: Role::Master, source: Some("a\nb".to_owned()) };
    assert_eq!(two_lines.write(&disk).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn it_is_text() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.again());
    let file = RoleFile { role: Role::DualMaster, source: Some("unix:/run/a.sock".to_owned()) };
    file.write(&disk).unwrap();
    assert_eq!(sim.get(FILE), b"hozo role 1\ndual master\nunix:/run/a.sock\n");
}
