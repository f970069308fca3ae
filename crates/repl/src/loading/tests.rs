use hozo_log::disk::sim::SimDisk;
use hozo_traits::{Position, Reach, ServerId};
use proptest::prelude::*;

use super::*;

fn place(dbm: u32, key: Option<&'static [u8]>) -> (ServerId, SnapshotPlace) {
    let server = |id| ServerId::new(id).unwrap();
    let reach = |seq| Reach { seq, digest: seq as u32 * 3 };
    let from: Position = [(server(1), reach(500)), (server(7), reach(2))].into_iter().collect();
    (server(7), SnapshotPlace { from, dbm, key: key.map(Bytes::from_static) })
}

#[test]
fn what_is_written_is_read() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    assert_eq!(Loading::read(&disk).unwrap(), None);
    Loading::refuse(&disk).unwrap();
    let places = [place(0, None), place(3, Some(b"")), place(2, Some(b"\0key\xff"))];
    for loading in places.map(Some).into_iter().chain([None]).map(Loading) {
        loading.write(&disk).unwrap();
        assert_eq!(Loading::read(&disk).unwrap(), Some(loading));
        assert_eq!(Loading::refuse(&disk).unwrap_err().kind(), ErrorKind::Busy);
    }
    Loading::remove(&disk).unwrap();
    Loading::remove(&disk).unwrap();
    assert_eq!(Loading::read(&disk).unwrap(), None);
}

#[test]
fn what_cannot_be_read_has_not_begun() {
    let sim = SimDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(sim.again());
    Loading(Some(place(2, Some(b"key")))).write(&disk).unwrap();
    let whole = sim.get(FILE);
    for at in 0..whole.len() {
        sim.put(FILE, &whole);
        sim.flip(FILE, at as u64);
        assert_eq!(Loading::read(&disk).unwrap(), Some(Loading(None)), "{at}");
        sim.put(FILE, &whole[..at]);
        assert_eq!(Loading::read(&disk).unwrap(), Some(Loading(None)), "{at}");
    }
}

#[test]
fn after_a_crash_there_is_one_of_both() {
    for seed in 0..50 {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.again());
        let (before, after) = (Loading(Some(place(1, None))), Loading(Some(place(2, Some(b"k")))));
        before.write(&disk).unwrap();
        sim.crash_at(sim.operations() + seed % 7, seed);
        after.write(&disk).unwrap();
        let Some(image) = sim.image() else { continue };
        let image: Arc<dyn Disk> = Arc::new(image);
        let found = Loading::read(&image).unwrap().expect("there");
        assert!(found == before || found == after, "seed {seed}: {found:?}");
        // What was left over is in nobody's way.
        after.write(&image).unwrap();
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_place_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..80), whole in any::<bool>()) {
        let _ = decode(&bytes);
        if whole {
            bytes.splice(0..0, *MAGIC);
            let sum = crc32c::crc32c(&bytes);
            bytes.extend(sum.to_le_bytes());
            let _ = decode(&bytes);
        }
    }
}
