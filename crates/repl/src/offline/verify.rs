//! Whether all that is there is as it was written, and fits together.

use hozo_traits::{Position, Reach};

use super::*;
use crate::loading::Loading;
use crate::role::RoleFile;

/// More problems than this are only counted.
const PROBLEMS_MAX: usize = 1000;

/// Something that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file it is in.
    pub file: String,
    /// Where in the file.
    pub offset: u64,
    /// Where in the log.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

/// What was found in a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Files.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Updates that are whole.
    pub updates: u64,
    /// Where the log begins and ends in its bytes.
    pub range: (u64, u64),
    /// How far each server's updates are there.
    pub position: Position,
    /// The time of the newest.
    pub newest: Timestamp,
    /// The newest epoch.
    pub epoch: u64,
    /// The names of the DBMs, by index.
    pub dbms: Vec<String>,
    /// The records have all below this position; `None` if nothing says so.
    pub checkpoint: Option<u64>,
    /// The records are being loaded from a source, and are not complete.
    pub loading: bool,
    /// What is wrong, in the order of the log; at most a thousand.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, file: &str, offset: u64, position: Place, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            let file = file.to_owned();
            self.problems.push(Problem { file, offset, position, what: what.into() });
        }
    }
}

/// How often it is begun anew when a server removes what is being read.
const TRIES_MAX: u32 = 5;

impl UlogDir {
    /// Reads everything, and compares: the checksum of each record, the numbers
    /// and digests of each server's updates, and what states say of them.
    ///
    /// What a crash has torn off at the end, and what a server is just writing, is
    /// no damage.
    pub fn verify(&self) -> Result<Verified> {
        for _ in 0..TRIES_MAX {
            if let Some(verified) = self.try_verify()? {
                return Ok(verified);
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            "the log's oldest files are removed faster than they are read; try again later",
        ))
    }

    /// `None` if something was removed meanwhile.
    fn try_verify(&self) -> Result<Option<Verified>> {
        let checkpoint = Checkpoint::read(&self.disk)?;
        let view = self.view()?;
        let pieces = view.pieces();
        let mut found = Verified {
            segments: pieces.len() as u64,
            bytes: pieces.iter().map(|piece| piece.bytes).sum(),
            checkpoint: checkpoint.map(|checkpoint| checkpoint.place),
            ..Verified::default()
        };
        let mut running = Running::default();
        let mut reading = view.read();
        while let Some(step) = reading.step()? {
            match step {
                Step::Damage(gap) => {
                    found.problem(&gap.file, gap.offset, gap.from, gap.what);
                    if !gap.header {
                        running.lost_track();
                    }
                }
                Step::Record(record) => {
                    let (kind, at) = (record.kind, record.position);
                    found.updates += u64::from(kind == UPDATE);
                    running.checkpoint_met |= kind == STATE && found.checkpoint == Some(at);
                    for what in running.record(kind, record.key, record.value) {
                        let (file, offset) = view.file_of(at).unwrap_or_default();
                        found.problem(&file, offset, at, what);
                    }
                }
            }
        }
        if reading.passed_over() > 0 {
            return Ok(None);
        }
        found.range = (pieces.first().map_or(0, |piece| piece.first), reading.end());
        let Running { state: State { position, newest, epoch, dbms, .. }, checkpoint_met, .. } =
            running;
        (found.position, found.newest, found.epoch, found.dbms) = (position, newest, epoch, dbms);
        self.verify_files(&mut found, checkpoint, checkpoint_met)?;
        Ok(Some(found))
    }

    /// The files beside the log.
    fn verify_files(
        &self,
        found: &mut Verified,
        checkpoint: Option<Checkpoint>,
        checkpoint_met: bool,
    ) -> Result<()> {
        // One that was replaced meanwhile is another's, which is newer.
        let again = Checkpoint::read(&self.disk)?;
        match checkpoint {
            None if again.is_none() => {
                let what = match self.disk.list()?.iter().any(|name| name == "checkpoint") {
                    true => {
                        "it cannot be read, so all updates are done again when the log is opened"
                    }
                    false => "it is missing, so all updates are done again when the log is opened",
                };
                found.problem("checkpoint", 0, 0, what);
            }
            // A new log's is where the log begins.
            Some(Checkpoint { place, .. })
                if again == checkpoint && !checkpoint_met && found.updates > 0 && place > 64 =>
            {
                found.problem("checkpoint", 8, place, "there is no state in the log where it says");
            }
            _ => {}
        }
        if let Err(error) = RoleFile::read(&self.disk) {
            found.problem("role", 0, 0, error.message());
        }
        found.loading = Loading::read(&self.disk)?.is_some();
        Ok(())
    }
}

/// What the log comes to so far.
#[derive(Default)]
struct Running {
    state: State,
    /// A state was met: before that nothing says what was before the log.
    begun: bool,
    /// There is a state where the checkpoint is.
    checkpoint_met: bool,
}

impl Running {
    /// Something is missing: what comes next is believed.
    fn lost_track(&mut self) {
        (self.state, self.begun) = (State::default(), false);
    }

    /// One more record; answers what is wrong with it.
    fn record(&mut self, kind: u8, key: &[u8], value: &[u8]) -> Vec<String> {
        let problems = match kind {
            UPDATE => codec::decode(key, value).map(|update| self.update(&update)),
            STATE => State::decode(value).map(|state| self.next_state(state)),
            kind => return vec![format!("there are no records of kind {kind}")],
        };
        problems.unwrap_or_else(|error| {
            self.lost_track();
            vec![error.message().to_owned()]
        })
    }

    fn update(&mut self, update: &Update) -> Vec<String> {
        let mut problems = Vec::new();
        let (origin, Reach { seq, digest }) = (update.origin, update.reach);
        let before = self.state.position.of(origin);
        if self.begun || before.seq > 0 {
            let fits = match update.what {
                // Several may be said by one.
                What::Nothing => seq > before.seq,
                _ => seq == before.seq + 1,
            };
            let reduced = matches!(update.what, What::Records { reduced: true, .. });
            if !fits {
                problems.push(format!(
                    "update {seq} of server {origin} comes after its update {}",
                    before.seq
                ));
            } else if !reduced
                && update.what != What::Nothing
                && codec::digest_of(before.digest, update) != digest
            {
                problems.push(format!(
                    "the digest of update {seq} of server {origin} is not that of what it did"
                ));
            }
        }
        if let What::Records { dbm, .. } = update.what
            && self.begun
            && self.state.dbms.len() <= dbm as usize
        {
            problems.push(format!("update {seq} of server {origin} is of a DBM that there is not"));
        }
        self.state.add(update);
        problems
    }

    fn next_state(&mut self, state: State) -> Vec<String> {
        let before = &self.state;
        let mut problems = Vec::new();
        let begins_anew = self.begun && state.begins > before.begins;
        if !begins_anew {
            for (server, reach) in before.position.iter() {
                let said = state.position.of(server);
                if said != reach {
                    problems.push(format!(
                        "the state says {} (digest {:08x}) of server {server}, of which there is {} \
                         (digest {:08x})",
                        said.seq, said.digest, reach.seq, reach.digest
                    ));
                }
            }
        }
        let more = |(server, _): &(ServerId, Reach)| before.position.of(*server).seq == 0;
        if self.begun && !begins_anew && state.position.iter().any(|one| more(&one)) {
            problems.push("the state knows of a server of which there is nothing".to_owned());
        }
        if self.begun
            && (state.newest < before.newest
                || state.epoch < before.epoch
                || state.begins < before.begins
                || state.conflicts < before.conflicts
                || !state.dbms.starts_with(&before.dbms))
        {
            problems.push("the state says less than the one before it".to_owned());
        }
        (self.state, self.begun) = (state, true);
        problems
    }
}
