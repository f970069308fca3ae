//! What must hold after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hozo_traits::exec::block_on;
use hozo_traits::{CommitId, CommitOutcome, LogEntry, LogQuery, PageStore, Span, Version};

use super::commits::{NAMESPACES, Plan, commit, key, plan};
use crate::Rng;

/// What the children of all rounds so far were promised.
#[derive(Clone, Default, Debug)]
pub struct Acknowledged {
    /// Ids that were sent, whatever became of them.
    sent: BTreeSet<CommitId>,
    /// Commits that were answered: their version, and whether it was durable.
    made: BTreeMap<CommitId, (Version, bool)>,
    /// Commits that were answered, and that a crash may have taken.
    doubtful: BTreeSet<CommitId>,
}

/// What the rounds met. Rounds without commits under way at the death of the
/// child say little.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// Stores that were verified.
    pub verified: usize,
    /// Commits that were answered as durable.
    pub durable: usize,
    /// Commits that were answered as sequenced.
    pub sequenced: usize,
    /// Commits that were sent, never answered, and found.
    pub unanswered_found: usize,
    /// Commits that were sent, never answered, and not found.
    pub unanswered_gone: usize,
}

impl Acknowledged {
    /// Forgets what another crash may take back unseen: what was sequenced
    /// after everything that is durable. To be called when a child is followed
    /// by another without a [`verify`] between them.
    pub fn crashed_unseen(&mut self) {
        let durable = self.made.values().filter(|(_, durable)| *durable);
        let newest = durable.map(|(version, _)| *version).max().unwrap_or(Version::ZERO);
        let doubtful = self.made.extract_if(.., |_, (version, _)| *version > newest);
        self.doubtful.extend(doubtful.map(|(id, _)| id));
    }

    /// Adds what a child of [`commits`](super::commits()) said.
    ///
    /// # Errors
    /// Shows a line that no such child says.
    pub fn extend(&mut self, lines: &[String]) -> Result<(), String> {
        for line in lines {
            self.add(line).ok_or_else(|| format!("the child said {line:?}"))?;
        }
        Ok(())
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let (how, rest) = words.split_first()?;
        let id = parse_id(rest.first()?)?;
        match *how {
            "sends" => {
                self.sent.insert(id);
            }
            "durable" | "sequenced" => {
                let version = rest.get(1)?.parse().ok()?;
                self.made.insert(id, (version, *how == "durable"));
            }
            _ => return None,
        }
        Some(())
    }
}

fn parse_id(text: &str) -> Option<CommitId> {
    // A version is 10 bytes of hex, an id 16.
    let byte = |i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..CommitId::LEN).map(byte).collect();
    CommitId::from_slice(&bytes?).ok()
}

/// Verifies a reopened store against everything that was acknowledged:
///
/// - every commit that is there is whole: in all its namespaces at one
///   version, every page of it, its metadata, its log entries;
/// - nothing is there that nobody sent;
/// - every acknowledged durable commit is there, at its version;
/// - those that are there are a prefix of those that were acknowledged;
/// - sending any of them again answers the same, and those that are not there
///   can still be made.
///
/// # Errors
/// Says what does not hold.
pub fn verify(
    store: &Arc<dyn PageStore>,
    known: &mut Acknowledged,
    tally: &mut Tally,
) -> Result<(), String> {
    let there = whole_commits(store)?;
    tally.count(known, &there);
    if let Some(id) = there.keys().find(|id| !known.sent.contains(id)) {
        return Err(format!("{id} is there, and nobody sent it"));
    }
    let newest = there.values().max().copied().unwrap_or(Version::ZERO);
    let marks = block_on(store.watermarks()).map_err(|e| e.to_string())?;
    if marks.sequenced < newest || marks.durable > marks.sequenced {
        return Err(format!("{marks:?}, and the newest commit is {newest}"));
    }
    for (id, (version, durable)) in &known.made {
        match there.get(id) {
            Some(found) if found == version => {}
            Some(found) => return Err(format!("{id} was made at {version}, is at {found}")),
            None if *durable => return Err(format!("{id}, durable at {version}, is lost")),
            None if *version <= newest => {
                return Err(format!("{id} at {version} is lost, {newest} is there: no prefix"));
            }
            None => {}
        }
        if *durable && marks.durable < *version {
            return Err(format!("{marks:?}, and {version} was acknowledged as durable"));
        }
    }
    // What a crash took back was never made, and is not expected any more.
    known.made.retain(|id, _| there.contains_key(id));
    send_again(store, known, &there)
}

impl Tally {
    fn count(&mut self, known: &Acknowledged, there: &BTreeMap<CommitId, Version>) {
        self.verified += 1;
        self.durable += known.made.values().filter(|(_, durable)| *durable).count();
        self.sequenced += known.made.values().filter(|(_, durable)| !durable).count();
        let unanswered = known
            .sent
            .iter()
            .filter(|id| !known.made.contains_key(id) && !known.doubtful.contains(id));
        let (found, gone): (Vec<&CommitId>, Vec<_>) =
            unanswered.partition(|id| there.contains_key(id));
        self.unanswered_found += found.len();
        self.unanswered_gone += gone.len();
    }
}

/// Commits that are resent after each crash; the newest, of which some were
/// under way.
const RESENT_MAX: usize = 20;

fn send_again(
    store: &Arc<dyn PageStore>,
    known: &mut Acknowledged,
    there: &BTreeMap<CommitId, Version>,
) -> Result<(), String> {
    let mut rng = Rng::new(0);
    for id in known.sent.iter().rev().take(RESENT_MAX) {
        let made = match commit(store, *id, &mut rng) {
            Ok(CommitOutcome::Committed(made)) => made.version,
            other => return Err(format!("{id}, sent again, was answered {other:?}")),
        };
        match there.get(id) {
            Some(version) if *version != made => {
                return Err(format!("{id} at {version} was made again, at {made}"));
            }
            _ => known.made.insert(*id, (made, false)),
        };
    }
    // Whatever of it was sequenced only must survive as everything else.
    let now = whole_commits(store)?;
    let lost = known.made.keys().find(|id| !now.contains_key(id));
    lost.map_or(Ok(()), |id| Err(format!("{id} was answered and is not there")))
}

/// All commits that are there; an error if one is there in part.
fn whole_commits(store: &Arc<dyn PageStore>) -> Result<BTreeMap<CommitId, Version>, String> {
    let mut logs: BTreeMap<CommitId, Vec<(usize, LogEntry)>> = BTreeMap::new();
    for (i, namespace) in NAMESPACES.into_iter().enumerate() {
        let span = Span::Versions(Version::ZERO, Version::MAX);
        let query = LogQuery { namespace, span, newest_first: false, limit: usize::MAX };
        let log = block_on(store.log(query)).map_err(|e| e.to_string())?;
        if !log.is_sorted_by(|a, b| a.version < b.version && a.time <= b.time) {
            return Err(format!("the log of {namespace} is out of order"));
        }
        log.into_iter().for_each(|entry| logs.entry(entry.commit_id).or_default().push((i, entry)));
    }
    let mut whole = BTreeMap::new();
    for (id, entries) in logs {
        let version = entries[0].1.version;
        check_commit(store, id, version, &plan(id), &entries)?;
        whole.insert(id, version);
    }
    let keys =
        block_on(store.meta_scan(b"commit/", None, usize::MAX)).map_err(|e| e.to_string())?;
    let logged: BTreeMap<_, _> =
        whole.iter().map(|(id, v)| (key(*id), v.as_bytes().to_vec())).collect();
    if !keys.iter().map(|(k, v)| (k, &v[..])).eq(logged.iter().map(|(k, v)| (k, &v[..]))) {
        return Err(format!("{} commits in metadata, {} in the logs", keys.len(), logged.len()));
    }
    Ok(whole)
}

fn check_commit(
    store: &Arc<dyn PageStore>,
    id: CommitId,
    version: Version,
    plan: &Plan,
    entries: &[(usize, LogEntry)],
) -> Result<(), String> {
    let logged = entries.iter().map(|(i, entry)| (NAMESPACES[*i], entry.version));
    if !logged.eq(plan.changes.iter().map(|(namespace, _)| (*namespace, version))) {
        return Err(format!("{id} is in part: its log entries are {entries:?}"));
    }
    for ((_, entry), (namespace, pages)) in entries.iter().zip(&plan.changes) {
        if entry.pages_written as usize != pages.len() {
            return Err(format!("{id} wrote {} pages, {entry:?}", pages.len()));
        }
        let numbers: Vec<_> = pages.iter().map(|(page, _)| *page).collect();
        let found = block_on(store.read_pages(*namespace, &numbers, version));
        let found = found.map_err(|e| format!("{id} at {version} cannot be read: {e}"))?;
        for ((page, image), found) in pages.iter().zip(found) {
            if found.is_none_or(|f| f.version != version || f.bytes != *image) {
                return Err(format!("{id} at {version} is in part: page {page} of {namespace}"));
            }
        }
    }
    Ok(())
}
