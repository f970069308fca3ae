//! The segment files of a directory, and which of them are the log.

use super::*;

/// A file with a segment's name.
struct Found {
    file: Arc<dyn DiskFile>,
    len: u64,
    /// `None` when it holds no header, or one of another segment: the file was
    /// about to become this segment when the system stopped.
    header: Option<Header>,
}

/// The segment files that are not taken into the log yet.
pub(super) struct Files {
    pub(super) volume_id: u64,
    segment_log2: u32,
    found: BTreeMap<u64, Found>,
    /// The first number that no file ever had.
    fresh: u64,
}

impl Files {
    /// All of a directory.
    pub(super) fn find(disk: &dyn Disk, names: &[String]) -> Result<Files> {
        let mut found = BTreeMap::new();
        for name in names {
            let Some(number) = segment::number_of(name) else { continue };
            let file = disk.open(name)?;
            let len = file.len()?;
            let mut header = [0; HEADER_BYTES as usize];
            if len >= HEADER_BYTES {
                file.read_at(0, &mut header)?;
            }
            let header = Header::decode(&header).filter(|header| header.number == number);
            found.insert(number, Found { file, len, header });
        }
        let mut headers = found.values().filter_map(|found| found.header);
        let Some(first) = headers.next() else { return Err(no_log(&found)?) };
        if let Some(other) = headers.find(|header| {
            header.volume_id != first.volume_id || header.segment_log2 != first.segment_log2
        }) {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "segment files of different logs are in one directory; take those away that \
                 do not belong here",
            )
            .with("file", segment::file_name(first.number))
            .with("other", segment::file_name(other.number)));
        }
        let fresh = found.iter().map(|(number, found)| {
            let spans = found.header.map_or(1, |header| header.spans.into());
            number + found.len.div_ceil(1 << first.segment_log2).max(spans)
        });
        Ok(Files {
            volume_id: first.volume_id,
            segment_log2: first.segment_log2,
            fresh: fresh.max().unwrap_or(0),
            found,
        })
    }

    /// The segments up to that with the position `from`, or the first one.
    pub(super) fn chain_below(
        &mut self,
        from: Option<Position>,
    ) -> Result<BTreeMap<u64, Arc<Segment>>> {
        let number = match from {
            Some(from) => self.holding(from),
            None => self.found.keys().next().copied(),
        };
        let Some(number) = number else { return Err(self.missing(from.unwrap_or(0))) };
        let first = Arc::new(self.take(number)?);
        let reaches =
            |at: &Position| *at >= first.first() && *at - first.start() <= first.allocated();
        if let Some(from) = from.filter(|from| !reaches(from)) {
            return Err(damaged(
                &first,
                from,
                "a segment's file does not reach to where the log once was durable",
            ));
        }
        let mut follows = first.header.follows;
        let mut chain = BTreeMap::from([(number, first)]);
        // Backwards, as each segment says what it follows. Nothing below the
        // last one found is its tail; something that it does not follow there
        // says that a file between them is missing.
        let mut number = number;
        while self.found.range(..number).next().is_some() {
            let before = self.holding(follows).filter(|before| *before < number);
            let Some(before) = before else { return Err(self.missing(follows)) };
            let segment = self.take(before)?;
            if follows < segment.first() || follows - segment.start() > segment.allocated() {
                return Err(damaged(&segment, follows, "a segment's file is too short"));
            }
            segment.set_end(follows);
            follows = segment.header.follows;
            number = before;
            chain.insert(before, Arc::new(segment));
        }
        Ok(chain)
    }

    /// The number of the file that has a position, or ends with it.
    fn holding(&self, position: Position) -> Option<u64> {
        let wanted = position.checked_sub(1)? >> self.segment_log2;
        let (number, found) = self.found.range(..=wanted).next_back()?;
        let spans = found.header.map_or(1, |header| header.spans.into());
        (wanted < number + spans).then_some(*number)
    }

    /// The header of the segment that goes on after this one. Of several the
    /// newest: others are from before a crash that cut the log here.
    pub(super) fn following(&self, segment: &Segment) -> Option<Header> {
        let range = segment.first()..=segment.limit();
        let after = self.found.range(segment.header.number + 1..).rev();
        let mut headers = after.filter_map(|(_, found)| found.header);
        headers.find(|header| range.contains(&header.follows))
    }

    /// Takes a segment into the log.
    pub(super) fn take(&mut self, number: u64) -> Result<Segment> {
        let missing = self.missing(number << self.segment_log2);
        let found = self.found.remove(&number).ok_or(missing)?;
        let Some(header) = found.header else {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "a segment's header is damaged; if it is of a store, `hozo check --repair` says \
                 what would be lost",
            )
            .with("file", segment::file_name(number))
            .with("offset", 0));
        };
        Segment::new(header, found.file, found.len)
    }

    fn missing(&self, position: Position) -> Error {
        Error::new(
            ErrorKind::Corrupt,
            "a segment's file is missing; put it back, or, if it is of a store, \
             `hozo check --repair` says what would be lost",
        )
        .with("file", segment::file_name(position.saturating_sub(1) >> self.segment_log2))
    }

    /// Looks for marks in the files above a segment that are not in the log.
    pub(super) fn marks(&self, scan: &mut Scan, above: u64) -> Result<()> {
        for (number, found) in self.found.range(above + 1..) {
            let len = usize::try_from(found.len).unwrap_or(usize::MAX) & !7;
            if len > 0 {
                let memory = found.file.map(0, len)?;
                let bytes = raw::bytes(&memory, 0, len as u64);
                scan.marks_in(bytes, number << self.segment_log2);
            }
        }
        Ok(())
    }

    /// The length of the files that are not in the log.
    pub(super) fn bytes_left(&self) -> u64 {
        self.found.values().map(|found| found.len).sum()
    }

    /// A new segment after `last`, which ends at `follows`.
    pub(super) fn next_segment(
        &self,
        disk: &dyn Disk,
        last: &Segment,
        follows: Position,
    ) -> Result<Segment> {
        let header = Header { number: self.fresh, spans: 1, follows, ..last.header };
        let file = disk.create(&segment::file_name(self.fresh))?;
        let segment = space::begin(file, header, 0)?;
        segment.file.sync()?;
        Ok(segment)
    }

    /// Removes the files that are not in the log.
    pub(super) fn remove_left(&self, disk: &dyn Disk) -> Result<()> {
        self.found.keys().try_for_each(|number| disk.remove(&segment::file_name(*number)))
    }
}

/// The error for a directory without a segment's header: creating the log was
/// never finished if there is nothing in the files.
fn no_log(found: &BTreeMap<u64, Found>) -> Result<Error> {
    for (number, found) in found {
        let len = usize::try_from(found.len).unwrap_or(usize::MAX);
        if len > 0 {
            let memory = found.file.map(0, len)?;
            let records = &raw::bytes(&memory, 0, len as u64)[len.min(HEADER_BYTES as usize)..];
            if records.iter().any(|byte| *byte != 0) {
                return Ok(Error::new(ErrorKind::Corrupt, "a segment's header is damaged")
                    .with("file", segment::file_name(*number))
                    .with("offset", 0));
            }
        }
    }
    Ok(Error::new(ErrorKind::NotFound, "there is no log here"))
}
