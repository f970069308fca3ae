//! Whatever is in the files, opening neither panics nor tells what was not
//! said.

use proptest::prelude::*;

use super::run::{Run, Said};
use super::*;
use crate::disk::sim::SimDisk;
use hozo_conformance::Rng;

/// What is done to the files.
#[derive(Clone, Debug)]
enum Harm {
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: usize,
        len: usize,
    },
    Swap {
        file: usize,
        other: usize,
    },
    Remove {
        file: usize,
    },
    /// Bytes of one place at another: valid elsewhere.
    Copy {
        file: usize,
        from: usize,
        at: usize,
        len: usize,
    },
}

fn harm() -> impl Strategy<Value = Harm> {
    // Near the beginning is where most is.
    let at = || prop_oneof![0..400usize, 0..70_000usize];
    prop_oneof![
        (0..9usize, at(), prop::collection::vec(any::<u8>(), 1..100))
            .prop_map(|(file, at, bytes)| Harm::Write { file, at, bytes }),
        (0..9usize, at()).prop_map(|(file, len)| Harm::Cut { file, len }),
        (0..9usize, 0..9usize).prop_map(|(file, other)| Harm::Swap { file, other }),
        (0..9usize).prop_map(|file| Harm::Remove { file }),
        (0..9usize, at(), at(), 1..5000usize).prop_map(|(file, from, at, len)| Harm::Copy {
            file,
            from,
            at,
            len
        }),
    ]
}

impl Harm {
    fn apply(&self, files: &mut Vec<(String, Vec<u8>)>) {
        if files.is_empty() {
            return;
        }
        let count = files.len();
        match self {
            Harm::Write { file, at, bytes } => {
                let content = &mut files[file % count].1;
                let at = at % (content.len() + 1);
                content.resize(content.len().max(at + bytes.len()), 0);
                content[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Harm::Cut { file, len } => files[file % count].1.truncate(*len),
            Harm::Swap { file, other } => {
                let (file, other) = (file % count, other % count);
                let name = files[file].0.clone();
                files[file].0 = std::mem::replace(&mut files[other].0, name);
            }
            Harm::Remove { file } => drop(files.remove(file % count)),
            Harm::Copy { file, from, at, len } => {
                let content = &mut files[file % count].1;
                let from = (*from).min(content.len());
                let len = (*len).min(content.len() - from).min(content.len().saturating_sub(*at));
                content.copy_within(from..from + len, *at * usize::from(len > 0));
            }
        }
    }
}

/// Opens these files, then uses the log; every record has to be one of `said`.
fn check(files: &[(String, Vec<u8>)], said: &[Said], from: Option<Position>) {
    let disk = SimDisk::new();
    files.iter().for_each(|(name, content)| disk.put(name, content));
    let mut replay = |record: &Record<'_>| {
        assert!(said.contains(&Said::from(record)), "{record:?} was never said");
        Ok(())
    };
    let Ok((log, opened)) = Log::open(Arc::new(disk.again()), from, &mut replay) else { return };
    let mut rng = Rng::new(opened.head);
    for _ in 0..200 {
        let position = rng.next() % (opened.head * 2);
        let _ = log.peek(position);
        let _ = log.peek(position & !7);
        if let Ok(record) = log.read(position & !7) {
            assert!(said.contains(&Said::from(&record)) || record.kind == record::MARK);
        }
    }
    for record in log.records_from(log.tail()).map_while(Result::ok) {
        assert!(said.contains(&Said::from(&record)), "{record:?} was never said");
    }
    let position = log.append(2, b"and on", b"it goes").expect("appended");
    drop(log);
    let (_, _, replayed) = open(Arc::new(disk), from).expect("what opened once opens again");
    assert_eq!(replayed.last().map(|said| said.position), Some(position));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn harmed_files_never_panic_or_lie(
        seed in any::<u64>(),
        harms in prop::collection::vec(harm(), 1..5),
        from in any::<Option<u16>>(),
    ) {
        let mut run = Run::new(Rng::new(seed));
        for _ in 0..25 {
            run.step();
        }
        let names = run.disk.list().expect("listed");
        let mut files: Vec<_> =
            names.into_iter().map(|name| (name.clone(), run.disk.get(&name))).collect();
        harms.iter().for_each(|harm| harm.apply(&mut files));
        let said: Vec<_> = run.batches.concat();
        let from = from.filter(|_| !said.is_empty());
        let from = from.map(|i| said[usize::from(i) % said.len()].position);
        check(&files, &said, from);
    }

    #[test]
    fn arbitrary_files_never_panic(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4),
        numbers in prop::collection::vec(0..6u64, 4),
        headers in prop::collection::vec(any::<Option<(u64, u8, u64)>>(), 4),
    ) {
        let mut files = Vec::new();
        for (i, mut content) in contents.into_iter().enumerate() {
            if let Some((follows, spans, number)) = headers[i] {
                let number = if number % 2 == 0 { numbers[i] } else { number };
                let header =
                    Header { volume_id: 1, number, spans: spans.into(), segment_log2: 16, follows };
                content.resize(content.len().max(64), 0);
                content[..64].copy_from_slice(&header.encode());
            }
            files.push((segment::file_name(numbers[i]), content));
        }
        check(&files, &[], None);
    }
}
