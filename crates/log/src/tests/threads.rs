//! Several threads at once.

use std::sync::atomic::AtomicUsize;

use super::run::Said;
use super::*;

#[test]
fn threads_append_read_sync_prepare_and_walk() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(dir.path()).expect("a disk"));
    let log = Log::create(Arc::clone(&disk), OPTIONS).expect("created");
    let running = AtomicUsize::new(3);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (log, running, all) = (&log, &running, &all);
            scope.spawn(move || {
                let mut mine = Vec::new();
                for i in 0..4000u64 {
                    let key = [thread.to_le_bytes(), i.to_le_bytes()].concat();
                    let value = vec![thread as u8; (i % 200) as usize];
                    let entry = Entry { kind: 2, key: &key, value: &value };
                    let positions = match i % 10 {
                        0 => log.append_batch(&[entry, entry, entry]).expect("appended"),
                        _ => vec![log.append(2, &key, &value).expect("appended")],
                    };
                    for position in positions {
                        let said =
                            Said { position, kind: 2, key: key.clone(), value: value.clone() };
                        assert_eq!(Said::from(&log.read(position).expect("read")), said);
                        mine.push(said);
                    }
                    if i % 500 == thread {
                        let head = log.head();
                        assert!(log.sync().expect("synced") >= head);
                        assert!(log.durable() >= head);
                    }
                }
                all.lock().extend(mine);
                running.fetch_sub(1, Ordering::AcqRel);
            });
        }
        scope.spawn(|| {
            while running.load(Ordering::Acquire) > 0 {
                log.prepare_ahead().expect("prepared");
                let mut last = 0;
                for record in log.records_from(log.tail()) {
                    let record = record.expect("walked");
                    assert!(record.position > last);
                    last = record.position;
                }
            }
        });
    });
    let mut all = all.into_inner();
    all.sort_by_key(|said| said.position);
    drop(log);
    let (_, _, replayed) = open(disk, None).expect("opened");
    assert_eq!(replayed, all);
}
