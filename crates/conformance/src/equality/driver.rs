//! Carries a script out on both sides, step by step.

use std::collections::{BTreeMap, BTreeSet};

use hozo_traits::exec::block_on;
use hozo_traits::{
    CommitId, Durability, ErrorKind, MetaValue, MetaWrite, Span, Timestamp, Version,
};

use super::answer::{Answer, Ordinal, Shape, refused, same};
use super::script::{Attempt, NAMESPACES, SLOTS, Step};
use super::side::{Bases, Side, namespace, ordinal, page_size};
use super::{Disagreement, Tally};
use crate::kit::{self, Draft, Kit, sized_image};

pub(super) struct Driver {
    sides: [Side; 2],
    shapes: Vec<Shape>,
    first_answers: Vec<Answer>,
    newest: Ordinal,
    /// Which commits wrote a page.
    written: BTreeMap<(usize, u32), Vec<Ordinal>>,
    purged: BTreeSet<(usize, u32, Ordinal)>,
    intact: Ordinal,
    slots: [CommitId; SLOTS],
    staged: [BTreeSet<(usize, u32)>; SLOTS],
    clock: u64,
    chosen_versions: bool,
    pub(super) tally: Tally,
}

impl Driver {
    pub(super) fn new(left: Kit, right: Kit) -> Self {
        let chosen_versions =
            left.capabilities().chosen_versions && right.capabilities().chosen_versions;
        let slots = std::array::from_fn(|_| left.id());
        Driver {
            sides: [Side::new(left), Side::new(right)],
            shapes: Vec::new(),
            first_answers: Vec::new(),
            newest: 0,
            written: BTreeMap::new(),
            purged: BTreeSet::new(),
            intact: 0,
            slots,
            staged: Default::default(),
            clock: 10_000,
            chosen_versions,
            tally: Tally::default(),
        }
    }

    fn both(&self, each: impl Fn(&Side) -> Answer) -> Result<Answer, Disagreement> {
        let [left, right] = self.sides.each_ref().map(each);
        agree(left, right)
    }

    fn bases(&self) -> Bases {
        Bases { newest: self.newest, intact: self.intact }
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), Disagreement> {
        let answer = self.perform(step)?;
        self.tally.count(step, &answer);
        for side in &mut self.sides {
            side.check_marks().map_err(Disagreement::of_one)?;
        }
        Ok(())
    }

    fn perform(&mut self, step: &Step) -> Result<Answer, Disagreement> {
        match step {
            Step::Commit(attempt) => self.commit(attempt),
            Step::Repeat(back, durable) => self.repeat(*back, *durable),
            Step::Wrong(kind) => self.wrong(*kind),
            Step::Stage(slot, index, writes) => {
                let (id, bases) = (self.slots[*slot], self.bases());
                self.staged[*slot].extend(writes.iter().map(|w| (*index, w.page)));
                self.both(|side| {
                    let writes = side.writes(*index, writes, &bases);
                    done(block_on(side.kit.store().stage(id, namespace(*index), writes)))
                })
            }
            Step::ReadStaged(slot, index, pages) => {
                self.both(|side| side.read_staged(self.slots[*slot], *index, pages))
            }
            // The id stays in use: what is staged under it later is all there is.
            Step::Discard(slot) => self.discard(*slot),
            Step::Read(index, pages, at) => {
                // What was purged may be answered or be gone, on either side.
                let whole = ordinal(self.newest, *at).is_none_or(|at| at >= self.intact);
                let read = |side: &Side| side.read(*index, pages, side.version(self.newest, *at));
                let [left, right] = self.sides.each_ref().map(read);
                let gone = Answer::Refused(ErrorKind::VersionGone);
                if !whole && (left == gone || right == gone) {
                    return Ok(gone);
                }
                agree(left, right)
            }
            Step::LogVersions(index, from, to, newest_first, limit) => self.both(|side| {
                let (from, to) = (side.version(self.newest, *from), side.version(self.newest, *to));
                side.log(*index, Span::Versions(from, to), *newest_first, *limit)
            }),
            Step::LogTimes(index, from, to, newest_first, limit) => {
                let (from, to) = (Timestamp::from_micros(*from), Timestamp::from_micros(*to));
                self.both(|side| side.log(*index, Span::Times(from, to), *newest_first, *limit))
            }
            Step::MetaGet(key) => self.both(|side| side.get(*key)),
            Step::MetaScan(prefix, after, limit) => {
                self.both(|side| side.scan(*prefix, *after, *limit))
            }
            Step::Purge(index, picks) => self.purge(*index, picks),
            Step::WaitDurable(at) => self.both(|side| {
                done(block_on(side.kit.store().wait_durable(side.version(self.newest, *at))))
            }),
            Step::Reopen => self.reopen(),
        }
    }

    fn commit(&mut self, attempt: &Attempt) -> Result<Answer, Disagreement> {
        self.clock = self.clock.saturating_add_signed(attempt.clock);
        let mut draft = self.sides[0].kit.draft().time_micros(self.clock);
        if let Some(slot) = attempt.slot {
            draft = draft.id(self.slots[slot]);
        }
        let shape = Shape {
            empty: attempt.changes.is_empty() && attempt.meta.is_empty(),
            logged: !attempt.changes.is_empty(),
            guards: attempt.guards.len(),
        };
        if let Some(gap) = attempt.at.filter(|_| self.chosen_versions && !shape.empty) {
            let newest = self.sides.iter().map(|side| side.kit.head().seq()).max();
            draft = draft.at(Version::from_seq(newest.unwrap_or(0) + gap));
        }
        let bases = self.bases();
        let mut answers = Vec::new();
        for side in &mut self.sides {
            let commit = side.commit(&draft, attempt, &bases);
            answers.push(match side.send(&commit) {
                Ok(outcome) => {
                    if let (hozo_traits::CommitOutcome::Committed(made), false) =
                        (&outcome, shape.empty)
                    {
                        side.versions.push(made.version);
                    }
                    side.sent.push(commit);
                    side.versions.outcome(&outcome, shape)
                }
                Err(refused) => refused,
            });
        }
        let answer = agree_all(answers)?;
        if matches!(answer, Answer::Made { .. }) {
            self.made(attempt);
        }
        if !matches!(answer, Answer::Refused(_)) {
            self.shapes.push(shape);
            self.first_answers.push(answer.clone());
        }
        match attempt.slot {
            // The stage went with the commit.
            Some(slot) if matches!(answer, Answer::Made { .. } | Answer::MadeEmpty) => {
                self.fresh(slot)
            }
            Some(slot) => {
                self.discard(slot)?;
                self.fresh(slot);
            }
            None => {}
        }
        Ok(answer)
    }

    fn made(&mut self, attempt: &Attempt) {
        self.newest += 1;
        for (index, writes) in &attempt.changes {
            let mut pages: BTreeSet<u32> = writes.iter().map(|w| w.page).collect();
            if let Some(slot) = attempt.slot {
                let mine = self.staged[slot].iter().filter(|(i, _)| i == index);
                pages.extend(mine.map(|(_, page)| *page));
            }
            for page in pages {
                self.written.entry((*index, page)).or_default().push(self.newest);
            }
        }
    }

    fn fresh(&mut self, slot: usize) {
        self.slots[slot] = self.sides[0].kit.id();
        self.staged[slot].clear();
    }

    fn discard(&mut self, slot: usize) -> Result<Answer, Disagreement> {
        let id = self.slots[slot];
        self.staged[slot].clear();
        self.both(|side| done(block_on(side.kit.store().discard_stage(id))))
    }

    fn repeat(&mut self, back: usize, durable: bool) -> Result<Answer, Disagreement> {
        let count = self.shapes.len();
        if count == 0 {
            return Ok(Answer::Done);
        }
        let which = count - 1 - back % count;
        let answer = self.both(|side| {
            let mut commit = side.sent[which].clone();
            if durable {
                commit.durability = Durability::Durable;
            }
            match side.send(&commit) {
                Ok(outcome) => side.versions.outcome(&outcome, self.shapes[which]),
                Err(refused) => refused,
            }
        })?;
        agree(self.first_answers[which].clone(), answer)
    }

    fn wrong(&mut self, kind: u8) -> Result<Answer, Disagreement> {
        let write = |n, index, tag| kit::write(n, sized_image(page_size(index), tag));
        let change = |draft: Draft, index: usize, writes| {
            draft.change(hozo_traits::NamespaceChange {
                namespace: namespace(index),
                writes,
                page_size: page_size(index),
                page_count: 9,
            })
        };
        let draft = self.sides[0].kit.draft().set("k", "wrong");
        let mut draft = change(draft, 0, vec![write(1, 0, 1)]);
        match kind {
            0 => draft = change(draft, 1, vec![write(1, 1, 1), write(1, 1, 2)]),
            1 => draft = change(draft, 1, vec![write(1, 1, 1), write(2, 0, 1)]),
            2 => draft = change(draft, 0, vec![]),
            3 => {
                let value = Some(MetaValue { bytes: vec![0; 12].into(), version_at: Some(3) });
                draft.0.meta.push(MetaWrite { key: "k/".into(), value });
            }
            _ if self.chosen_versions => draft = draft.at(Version::ZERO),
            _ => return Ok(Answer::Done),
        }
        self.both(|side| match side.send(&draft.0) {
            Ok(outcome) => Answer::Nonsense(format!("a wrong commit was answered {outcome:?}")),
            Err(refused) => refused,
        })
    }

    fn purge(&mut self, index: usize, picks: &[(u32, usize)]) -> Result<Answer, Disagreement> {
        let mut victims = BTreeSet::new();
        for &(page, pick) in picks {
            // Only what something newer stands above: nobody purges a head.
            let Some(written) = self.written.get(&(index, page)).filter(|w| w.len() > 1) else {
                continue;
            };
            let i = pick % (written.len() - 1);
            if self.purged.insert((index, page, written[i])) {
                victims.insert((page, written[i]));
                self.intact = self.intact.max(written[i + 1]);
            }
        }
        let victims: Vec<_> = victims.into_iter().collect();
        self.both(|side| side.purge(index, &victims))
    }

    /// Closes and opens the sides that keep what they have.
    fn reopen(&mut self) -> Result<Answer, Disagreement> {
        for slot in 0..SLOTS {
            self.discard(slot)?;
            self.fresh(slot);
        }
        for side in &self.sides {
            if side.kit.capabilities().persistent {
                let newest = side.versions.newest();
                block_on(side.kit.store().wait_durable(newest))
                    .map_err(|e| Disagreement::of_one(e.to_string()))?;
                side.kit.reopen();
            }
        }
        // Everything must still be as it was: look at all of it.
        for index in 0..NAMESPACES {
            let all = Span::Versions(Version::ZERO, Version::MAX);
            self.both(|side| side.log(index, all, true, usize::MAX))?;
        }
        Ok(Answer::Done)
    }
}

fn done(result: hozo_traits::Result<()>) -> Answer {
    result.map_or_else(|error| refused(&error), |()| Answer::Done)
}

fn agree(left: Answer, right: Answer) -> Result<Answer, Disagreement> {
    if same(&left, &right) { Ok(left) } else { Err(Disagreement::between(&left, &right)) }
}

fn agree_all(answers: Vec<Answer>) -> Result<Answer, Disagreement> {
    let mut answers = answers.into_iter();
    let first = answers.next().unwrap_or(Answer::Done);
    answers.try_fold(first, agree)
}
