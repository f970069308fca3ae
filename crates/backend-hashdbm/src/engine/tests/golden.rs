//! Pages that an earlier version wrote, as for records.

use super::*;
use crate::sim::golden;

/// Puts and removals that the tree and the table both know.
fn ops(from: u8) -> Vec<Op> {
    let page = |no: u8, version: u8| {
        let mut key = vec![0; PAGE_KEY_BYTES];
        (key[7], key[11], key[PAGE_KEY_BYTES - 1]) = (1, no, version);
        Bytes::from(key)
    };
    let mut ops = Vec::new();
    for n in from..from + 20 {
        ops.push(Op::Put { space: Space::Pages, key: page(n % 7, n), value: vec![n; 40].into() });
        let key = Bytes::from(format!("name {n:03}"));
        ops.push(Op::Put { space: Space::Meta, key, value: vec![n].into() });
    }
    ops.push(Op::Delete { space: Space::Meta, key: Bytes::from(format!("name {from:03}")) });
    ops
}

const PAGE_KEY_BYTES: usize = 22;

#[test]
fn the_golden_pages_are_read() {
    let (engine, opening) =
        Engine::open(Arc::new(golden::disk("pages")), OPTIONS).expect("it opens");
    assert!(opening.messages.is_empty(), "nothing is made anew: {opening:?}");
    let mut model = Model::default();
    model.apply(&ops(0));
    model.apply(&ops(100));
    assert_eq!(everything(&engine), model);
    engine.apply(&ops(200)).expect("and written");
}

#[test]
#[ignore = "writes the golden files, once for a version of the format"]
fn write_the_golden_pages() {
    let disk = SimDisk::new();
    let engine = open(&disk);
    engine.apply(&ops(0)).expect("applied");
    engine.volume.checkpoint().expect("a checkpoint");
    engine.apply(&ops(100)).expect("applied");
    engine.sync().expect("synced");
    golden::save("pages", &disk);
}
