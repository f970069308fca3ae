//! Random use of a log, beside a list of what was said.

use hozo_conformance::Rng;

use super::*;
use crate::disk::sim::SimDisk;

/// A record as it was said.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) position: Position,
    pub(super) kind: u8,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Said { position, kind, key, value } = self;
        write!(f, "{kind}@{position}({}, {})", key.len(), value.len())
    }
}

impl From<&Record<'_>> for Said {
    fn from(record: &Record<'_>) -> Said {
        let Record { position, kind, key, value, .. } = *record;
        Said { position, kind, key: key.to_vec(), value: value.to_vec() }
    }
}

/// A log and what it has to hold.
pub(super) struct Run {
    pub(super) rng: Rng,
    pub(super) disk: SimDisk,
    pub(super) log: Option<Log>,
    /// In the order of their positions.
    pub(super) batches: Vec<Vec<Said>>,
    /// All below survives everything.
    pub(super) durable: Position,
    /// The first position is in this range: discarding goes on for a while.
    pub(super) tail: (Position, Position),
}

impl Run {
    /// A new log on a new disk.
    pub(super) fn new(rng: Rng) -> Run {
        let disk = SimDisk::new();
        let log = Log::create(Arc::new(disk.again()), OPTIONS).expect("created");
        let tail = (log.tail(), log.tail());
        Run { rng, disk, log: Some(log), batches: Vec::new(), durable: 0, tail }
    }

    pub(super) fn log(&self) -> &Log {
        self.log.as_ref().expect("the log is open")
    }

    fn entry(&mut self) -> (u8, Vec<u8>, Vec<u8>) {
        let key = match self.rng.below(20) {
            0 => self.rng.below(5000),
            1..5 => 0,
            _ => self.rng.below(40),
        };
        let value = match self.rng.below(60) {
            0 => 200_000 + self.rng.below(200_000),
            1..5 => self.rng.below(70_000),
            5..15 => self.rng.below(5000),
            _ => self.rng.below(60),
        };
        let (mut key, mut value) = (vec![0; key], vec![0; value]);
        self.rng.fill(&mut key);
        // Zeros too, which a torn record may have for another reason.
        if !self.rng.one_in(4) {
            self.rng.fill(&mut value);
        }
        (2 + self.rng.below(120) as u8, key, value)
    }

    /// One random operation.
    pub(super) fn step(&mut self) {
        match self.rng.below(40) {
            0..18 => self.append(),
            18..26 => self.append_batch(),
            26..33 => self.sync(),
            33 => self.discard(),
            34..36 => self.log().prepare_ahead().expect("prepared"),
            36 => self.reopen(),
            _ => self.look(),
        }
    }

    pub(super) fn append(&mut self) {
        let (kind, key, value) = self.entry();
        let position = self.log().append(kind, &key, &value).expect("appended");
        self.batches.push(vec![Said { position, kind, key, value }]);
    }

    pub(super) fn append_batch(&mut self) {
        let entries: Vec<_> = (0..1 + self.rng.below(8)).map(|_| self.entry()).collect();
        let borrowed: Vec<_> =
            entries.iter().map(|(kind, key, value)| Entry { kind: *kind, key, value }).collect();
        let positions = self.log().append_batch(&borrowed).expect("appended");
        let batch = positions.iter().zip(entries);
        let said = |(position, (kind, key, value)): (&Position, _)| Said {
            position: *position,
            kind,
            key,
            value,
        };
        self.batches.push(batch.map(said).collect());
    }

    pub(super) fn sync(&mut self) {
        let durable = self.log().sync().expect("synced");
        if self.disk_is_current() {
            self.durable = durable;
        }
    }

    /// Whether no crash image was taken meanwhile, for which this is too late.
    fn disk_is_current(&self) -> bool {
        !self.disk.has_image()
    }

    fn discard(&mut self) {
        let (tail, head) = (self.log().tail(), self.log().head());
        let position = tail + self.rng.below((head - tail) as usize + 1) as u64;
        self.log().discard_before(position).expect("discarded");
        self.tail.1 = self.log().tail();
        if self.disk_is_current() {
            self.tail.0 = self.tail.1;
            // Everything before the call was synced first.
            self.durable = self.durable.max(head);
        }
    }

    /// Closes and opens again, without a crash.
    fn reopen(&mut self) {
        self.log = None;
        let (log, opened, replayed) = open(Arc::new(self.disk.again()), None).expect("opened");
        self.compare(&opened, &replayed, u64::MAX);
        self.log = Some(log);
        if self.disk_is_current() {
            self.durable = opened.head;
        }
    }

    /// Reads at random, and now and then all in order.
    fn look(&mut self) {
        if !self.batches.is_empty() {
            let batch = self.rng.below(self.batches.len());
            for said in &self.batches[batch] {
                if said.position >= self.log().tail() {
                    assert_eq!(Said::from(&self.log().read(said.position).expect("read")), *said);
                }
            }
        }
        if self.rng.one_in(10) {
            let walk = self.log().records_from(self.log().tail());
            let walked: Vec<_> = walk.map(|record| Said::from(&record.expect("walked"))).collect();
            let opened = Opened { tail: self.log().tail(), head: 0, torn_bytes: 0 };
            self.compare(&opened, &walked, u64::MAX);
        }
    }

    /// What a log holds is a prefix of what was said, in whole batches, with
    /// everything below `durable`; answers how many batches.
    pub(super) fn compare(&self, opened: &Opened, held: &[Said], durable: Position) -> usize {
        assert!(
            (self.tail.0..=self.tail.1).contains(&opened.tail),
            "the tail is at {}, not in {:?}",
            opened.tail,
            self.tail
        );
        let mut held = held.iter();
        let mut batches = 0;
        for batch in &self.batches {
            if batch[0].position >= opened.tail {
                match held.next() {
                    None => {
                        let position = batch[0].position;
                        assert!(position >= durable, "{position} is lost, {durable} was durable");
                        break;
                    }
                    Some(first) => {
                        assert_eq!(*first, batch[0]);
                        for said in &batch[1..] {
                            assert_eq!(held.next(), Some(said), "half a batch");
                        }
                    }
                }
            }
            batches += 1;
        }
        assert_eq!(held.next(), None, "more than was said");
        batches
    }

    /// Goes on with the disk that a crash left: only what survived was said.
    pub(super) fn resume(&mut self, disk: SimDisk, from: Option<Position>) {
        let opened = open(Arc::new(disk.again()), from);
        let (log, opened, mut replayed) = opened.expect("a crash is no damage");
        if from.is_some() {
            let walk = log.records_from(log.tail());
            let all: Vec<_> = walk.map(|record| Said::from(&record.expect("walked"))).collect();
            assert!(all.ends_with(&replayed), "what is replayed is what is there from there");
            replayed = all;
        }
        let survived = self.compare(&opened, &replayed, self.durable);
        self.batches.truncate(survived);
        self.durable = opened.head;
        assert_eq!(log.durable(), opened.head);
        self.tail = (opened.tail, opened.tail);
        self.log = Some(log);
        self.disk = disk;
    }
}
