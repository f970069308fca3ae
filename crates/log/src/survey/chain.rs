//! Which files are the log, and where they end.

use super::*;

/// A file with a segment's name.
struct Found {
    file: Arc<dyn DiskFile>,
    len: u64,
    header: Option<Header>,
    /// The header's bytes, also where they are none.
    bytes: [u8; HEADER_BYTES as usize],
}

impl Survey {
    /// The log in a directory. What is `known` counts unless all segments say
    /// that they are of another log; answers whether it does.
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there are no segments, or making
    /// the log was never finished.
    pub fn new(
        disk: &dyn Disk,
        known: Option<Known>,
        kinds: fn(u8) -> bool,
    ) -> Result<(Survey, bool)> {
        let found = find(disk)?;
        let ids = || found.values().filter_map(|found| found.header);
        let fits = known.filter(|known| {
            ids().next().is_none() || ids().any(|header| header.volume_id == known.volume_id)
        });
        let of_known = fits.map(|known| (known.volume_id, known.segment_bytes.trailing_zeros()));
        let Some((volume_id, segment_log2)) =
            of_known.or_else(|| most_common(ids())).or_else(|| guess(&found))
        else {
            return Err(no_log(&found));
        };
        let mut survey = Survey {
            volume_id,
            segment_log2,
            parts: Vec::new(),
            gaps: Vec::new(),
            durable: fits.map_or(0, |known| known.complete),
            knows_complete: fits.is_some(),
            kinds,
        };
        survey.chain(found, fits);
        Ok((survey, fits.is_some() || known.is_none()))
    }

    fn chain(&mut self, mut found: BTreeMap<u64, Found>, known: Option<Known>) {
        self.leave_others_out(&mut found);
        let mut parts = Vec::new();
        // The last of the log: of those without a header, one that has records.
        let mut next = found
            .iter()
            .rev()
            .find(|(number, found)| found.header.is_some() || self.has_records(**number, found))
            .map(|(number, _)| *number);
        let mut end = None;
        while let Some(number) = next {
            let Some(found_here) = found.remove(&number) else { break };
            let start = number << self.segment_log2;
            let name = segment::file_name(number);
            if found_here.header.is_none() {
                self.gaps.push(Gap {
                    file: name.clone(),
                    offset: 0,
                    from: start,
                    to: start + HEADER_BYTES,
                    what: "the segment's header is damaged",
                    header: true,
                });
            }
            let follows = found_here.header.map(|header| header.follows);
            let Found { file, len, .. } = found_here;
            parts.push(Part { file: Some(file), name, start, end, len });
            end = follows;
            let below = match follows {
                None => number,
                Some(follows) => {
                    let wanted = follows.saturating_sub(1) >> self.segment_log2;
                    let holds = found
                        .range(..=wanted)
                        .next_back()
                        .filter(|(number, found)| wanted < *number + self.spans(found));
                    if follows > 0 && holds.is_none() && wanted < number {
                        let needed = known.is_some_and(|known| known.cleaned <= follows);
                        if needed || found.range(..wanted).next().is_some() {
                            parts.push(self.missing(wanted, follows));
                        }
                        end = None;
                        wanted
                    } else {
                        wanted + 1
                    }
                }
            };
            next = found.range(..below).next_back().map(|(number, _)| *number);
        }
        parts.reverse();
        self.parts = parts;
    }

    /// A file that should be there.
    fn missing(&mut self, number: u64, end: Position) -> Part {
        let start = number << self.segment_log2;
        let name = segment::file_name(number);
        Part { file: None, name, start, end: Some(end), len: 0 }
    }

    fn leave_others_out(&mut self, found: &mut BTreeMap<u64, Found>) {
        let others: Vec<u64> = found
            .iter()
            .filter(|(_, found)| {
                found.header.is_some_and(|header| {
                    header.volume_id != self.volume_id || header.segment_log2 != self.segment_log2
                })
            })
            .map(|(number, _)| *number)
            .collect();
        for number in others {
            found.remove(&number);
            let start = number << self.segment_log2;
            self.gaps.push(Gap {
                file: segment::file_name(number),
                offset: 0,
                from: start,
                to: start + HEADER_BYTES,
                what: "the file is a segment of another log",
                header: true,
            });
        }
    }

    fn spans(&self, found: &Found) -> u64 {
        let by_length = found.len.div_ceil(self.segment_bytes()).max(1);
        found.header.map_or(by_length, |header| header.spans.into())
    }

    /// Whether a record is where a segment's first one is.
    fn has_records(&self, number: u64, found: &Found) -> bool {
        let len = found.len.min(self.segment_bytes()) as usize;
        let mut bytes = vec![0; len];
        found.file.read_at(0, &mut bytes).is_ok()
            && self.record(&bytes, number << self.segment_log2, HEADER_BYTES).is_some()
    }
}

fn find(disk: &dyn Disk) -> Result<BTreeMap<u64, Found>> {
    let mut found = BTreeMap::new();
    for name in disk.list()? {
        let Some(number) = segment::number_of(&name) else { continue };
        let file = disk.open(&name)?;
        let len = file.len()?;
        let mut bytes = [0; HEADER_BYTES as usize];
        if len >= HEADER_BYTES {
            // What cannot be read is no header.
            let _ = file.read_at(0, &mut bytes);
        }
        let header = Header::decode(&bytes).filter(|header| header.number == number);
        found.insert(number, Found { file, len, header, bytes });
    }
    Ok(found)
}

fn most_common(headers: impl Iterator<Item = Header>) -> Option<(u64, u32)> {
    let mut count: BTreeMap<(u64, u32), u64> = BTreeMap::new();
    headers.for_each(|h| *count.entry((h.volume_id, h.segment_log2)).or_default() += 1);
    count.into_iter().max_by_key(|(_, count)| *count).map(|(of, _)| of)
}

/// What damaged headers say, if the record behind one of them agrees.
fn guess(found: &BTreeMap<u64, Found>) -> Option<(u64, u32)> {
    found.iter().find_map(|(number, found)| {
        let volume_id = u64::from_le_bytes(*found.bytes[8..].first_chunk()?);
        let said = u32::from_le_bytes(*found.bytes[28..].first_chunk()?);
        let logs = super::super::SEGMENT_LOG2;
        let mut sizes =
            std::iter::once(said).chain(logs.clone()).filter(|log2| logs.contains(log2));
        sizes.find_map(|segment_log2| {
            let survey = Survey {
                volume_id,
                segment_log2,
                parts: Vec::new(),
                gaps: Vec::new(),
                durable: 0,
                knows_complete: false,
                kinds: |_| true,
            };
            survey.has_records(*number, found).then_some((volume_id, segment_log2))
        })
    })
}

fn no_log(found: &BTreeMap<u64, Found>) -> Error {
    let damaged = found.iter().find(|(_, found)| {
        let mut bytes = vec![0; found.len as usize];
        found.file.read_at(0, &mut bytes).is_err()
            || bytes.iter().skip(HEADER_BYTES as usize).any(|byte| *byte != 0)
    });
    match damaged {
        Some((number, _)) => Error::new(
            ErrorKind::Corrupt,
            "no segment's header can be read, nor the roots: nothing says which log this was",
        )
        .with("file", segment::file_name(*number))
        .with("offset", 0),
        None => Error::new(ErrorKind::NotFound, "there is no log here"),
    }
}
