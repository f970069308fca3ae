//! Damage is told from what a crash leaves: what was durable is missed.

use hozo_conformance::{Rng, SEED_VARIABLE, seed};

use super::run::{Run, Said};
use super::*;
use crate::disk::sim::SimDisk;

/// A closed log with something durable, and a mark that says so.
struct Marked {
    run: Run,
    /// What the last mark says.
    durable: Position,
    /// The segments: name, first position, end.
    segments: Vec<(String, Position, Position)>,
}

impl Marked {
    fn new(rng: Rng) -> Marked {
        let mut run = Run::new(rng);
        for _ in 0..60 {
            run.step();
        }
        run.append();
        run.sync();
        let durable = run.log().durable();
        run.append_batch();
        let segments: Vec<_> = run.log().segments.lock().values().cloned().collect();
        let segments = segments.iter().map(|s| (s.name(), s.first(), s.end())).collect();
        run.log = None;
        Marked { run, durable, segments }
    }

    /// The file and the offset of a position.
    fn place(&self, position: Position) -> (&str, u64) {
        let mut segments = self.segments.iter().rev();
        let (name, first, _) =
            segments.find(|(_, first, _)| *first <= position).expect("it is there");
        (name, position - first + segment::HEADER_BYTES)
    }

    /// Records that are still there, those durable or the others.
    fn records(&self, durable: bool) -> Vec<Said> {
        let first = self.segments[0].1;
        let all = self.run.batches.iter().flatten();
        let there = all.filter(|said| said.position >= first);
        there.filter(|said| (said.position < self.durable) == durable).cloned().collect()
    }

    fn assert_corrupt(&self, what: &str) {
        let files: Vec<_> = self.run.disk.list().expect("listed");
        let error = open(Arc::new(self.run.disk.again()), None).err();
        let error = error.unwrap_or_else(|| panic!("{what} was not noticed"));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert!(error.context().iter().any(|(key, _)| *key == "file"), "{error}");
        assert_eq!(self.run.disk.list().expect("listed"), files, "nothing has changed");
    }
}

fn rounds(what: &str, test: impl Fn(&mut Marked)) {
    let seed = seed();
    for round in 0..8 {
        println!("{what} {round} with {SEED_VARIABLE}={seed}");
        test(&mut Marked::new(Rng::new(seed).fork(&format!("{what} {round}"))));
    }
}

#[test]
fn a_flipped_byte_below_the_durable_position_is_damage() {
    rounds("below", |marked| {
        let records = marked.records(true);
        for _ in 0..10 {
            let said = marked.run.rng.pick(&records).clone();
            let content = 7 + said.key.len() + said.value.len();
            let position = said.position + marked.run.rng.below(content) as u64;
            let (name, at) = marked.place(position);
            marked.run.disk.flip(name, at);
            marked.assert_corrupt(&format!("{position} of {said:?}"));
            let (name, at) = marked.place(position);
            marked.run.disk.flip(name, at);
        }
        open(Arc::new(marked.run.disk.again()), None).expect("all bytes are back");
    });
}

#[test]
fn a_flipped_byte_in_what_was_synced_last_is_damage_once_that_is_said() {
    for said in [false, true] {
        let disk = SimDisk::new();
        let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
        let position = log.append(2, b"key", &[1; 1000]).expect("appended");
        log.sync().expect("synced");
        let head = log.head();
        if said {
            log.say_durable();
            log.say_durable();
        }
        assert_eq!(log.head() - head, if said { record::MARK_BYTES } else { 0 });
        drop(log);
        disk.flip(&segment::file_name(0), position + 500);
        let opened = Log::open(Arc::new(disk.again()), None, &mut |_| Ok(()));
        assert_eq!(opened.err().map(|error| error.kind()), said.then_some(ErrorKind::Corrupt));
    }
}

#[test]
fn a_flipped_byte_in_what_was_never_durable_cuts_there() {
    rounds("above", |marked| {
        let records = marked.records(false);
        let said = marked.run.rng.pick(&records).clone();
        let content = 7 + said.key.len() + said.value.len();
        let position = said.position + marked.run.rng.below(content) as u64;
        let (name, at) = marked.place(position);
        marked.run.disk.flip(name, at);
        let disk = Arc::new(marked.run.disk.again());
        let (log, opened, replayed) = open(Arc::clone(&disk) as _, None).expect("torn");
        assert_eq!(replayed, marked.records(true), "the batch is gone as a whole");
        assert!(opened.head > position, "positions are never used twice");
        let appended = log.append(2, b"after", b"").expect("appended");
        drop(log);
        let (_, _, replayed) = open(disk, None).expect("opened");
        assert_eq!(replayed.last().map(|said| said.position), Some(appended));
        assert_eq!(replayed.len(), marked.records(true).len() + 1);
    });
}

#[test]
fn a_damaged_header_is_damage() {
    rounds("header", |marked| {
        for (name, first, _) in marked.segments.clone() {
            if first < marked.durable {
                let at = marked.run.rng.below(44) as u64;
                marked.run.disk.flip(&name, at);
                marked.assert_corrupt(&format!("{name} at {at}"));
                marked.run.disk.flip(&name, at);
            }
        }
    });
}

#[test]
fn a_missing_or_short_file_is_damage() {
    rounds("missing", |marked| {
        let tail = marked.segments[0].1;
        for (i, (name, first, end)) in marked.segments.clone().into_iter().enumerate() {
            if end > marked.durable {
                // What says that something is missing may be in it.
                continue;
            }
            let content = marked.run.disk.get(&name);
            let disk = marked.run.disk.again();
            disk.remove(&name).expect("removed");
            if i == 0 {
                // Nobody knows where the tail was but who asks for it.
                let error = open(Arc::new(disk.again()), Some(tail)).err();
                assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Corrupt));
            } else {
                marked.assert_corrupt(&name);
            }
            if end > first {
                let cut = marked.run.rng.below((end - first) as usize);
                disk.put(&name, &content[..64 + cut]);
                marked.assert_corrupt(&format!("{name} cut at {cut}"));
                let error = open(Arc::new(disk.again()), Some(marked.durable)).err();
                assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Corrupt));
            }
            disk.put(&name, &content);
        }
        open(Arc::new(marked.run.disk.again()), None).expect("all files are back");
    });
}

#[test]
fn a_file_of_another_log_is_not_read() {
    rounds("foreign", |marked| {
        let mut run = Run::new(marked.run.rng.fork("other"));
        run.append();
        let mut content = run.disk.get(&segment::file_name(0));
        let header =
            Header { volume_id: 7, number: 1 << 20, spans: 1, segment_log2: 16, follows: 0 };
        content[..64].copy_from_slice(&header.encode());
        marked.run.disk.put(&segment::file_name(1 << 20), &content);
        marked.assert_corrupt("a foreign file");
    });
}

#[test]
fn damage_below_where_opening_starts_is_found_by_reading() {
    rounds("read", |marked| {
        let records = marked.records(true);
        let (said, last) = (&records[0], records.last().expect("some"));
        let (name, at) = marked.place(said.position + 5);
        marked.run.disk.flip(name, at);
        let disk = Arc::new(marked.run.disk.again());
        let (log, _, _) = open(disk, Some(last.position)).expect("it is not looked at");
        let error = log.read(said.position).expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(Said::from(&log.read(last.position).expect("read")), *last);
    });
}
