//! Random operations as data, so that a failure can be shortened and shown.
//!
//! Nothing in a script is a version: a [`Point`] counts commits, so the same
//! script means the same to stores that give other versions, and still means
//! something when steps before it are left out.

use crate::Rng;

/// How many namespaces a script uses.
pub(super) const NAMESPACES: usize = 3;
/// How many stages are open at once.
pub(super) const SLOTS: usize = 2;
/// The pages that a script uses: few, so that they are written often.
pub(super) const PAGES: [u32; 9] = [1, 2, 3, 4, 5, 255, 256, 257, 70_000];
/// The metadata keys: prefixes of each other among them.
pub(super) const KEYS: [&[u8]; 6] = [b"k", b"k/", b"k/a", b"k/\xff", b"k0", b"\xff\xff"];

/// A point of history.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point {
    Zero,
    /// So many commits before the newest.
    Back(usize),
    Max,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Full(u64),
    /// The image that the page had then, with some bytes changed.
    Patch {
        base: Point,
        seed: u64,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) page: u32,
    pub(super) content: Content,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    Current,
    Absent,
    Other(u8),
}

#[derive(Clone, Debug)]
pub(super) enum Guard {
    Page(usize, u32, Point),
    Namespace(usize, Point),
    Meta(usize, Expected),
}

#[derive(Clone, Debug)]
pub(super) enum Set {
    Remove,
    Plain(u8),
    /// With the version at this offset.
    Version(u8),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Attempt {
    pub(super) changes: Vec<(usize, Vec<Write>)>,
    pub(super) guards: Vec<Guard>,
    pub(super) meta: Vec<(usize, Set)>,
    pub(super) durable: bool,
    /// By how much the client's clock moves before, microseconds.
    pub(super) clock: i64,
    /// How far above the newest version to choose one.
    pub(super) at: Option<u64>,
    /// Whose stage to take.
    pub(super) slot: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Commit(Attempt),
    /// Sends the n-th commit before the newest again.
    Repeat(usize, bool),
    /// A commit that is wrong in one way.
    Wrong(u8),
    Stage(usize, usize, Vec<Write>),
    ReadStaged(usize, usize, Vec<u32>),
    Discard(usize),
    Read(usize, Vec<u32>, Point),
    LogVersions(usize, Point, Point, bool, usize),
    LogTimes(usize, u64, u64, bool, usize),
    MetaGet(usize),
    MetaScan(usize, Option<usize>, usize),
    Purge(usize, Vec<(u32, usize)>),
    WaitDurable(Point),
    Reopen,
}

/// The script of a seed.
pub(super) fn generate(rng: &mut Rng, steps: usize) -> Vec<Step> {
    (0..steps).map(|_| step(rng)).collect()
}

fn point(rng: &mut Rng) -> Point {
    match rng.below(12) {
        0 => Point::Zero,
        1 => Point::Max,
        2..=7 => Point::Back(rng.below(4)),
        _ => Point::Back(rng.below(60)),
    }
}

/// A point at which can be read.
fn past(rng: &mut Rng) -> Point {
    match point(rng) {
        Point::Max => Point::Back(0),
        other => other,
    }
}

fn some<T>(rng: &mut Rng, most: usize, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.below(most + 1)).map(|_| one(rng)).collect()
}

fn pages(rng: &mut Rng) -> Vec<u32> {
    some(rng, 6, |rng| *rng.pick(&PAGES))
}

/// Distinct pages with contents.
fn writes(rng: &mut Rng) -> Vec<Write> {
    let mut pages = pages(rng);
    pages.sort_unstable();
    pages.dedup();
    if rng.one_in(2) {
        pages.reverse();
    }
    let content = |rng: &mut Rng| match rng.below(3) {
        0 => Content::Full(rng.next()),
        _ => Content::Patch { base: past(rng), seed: rng.next() },
    };
    pages.into_iter().map(|page| Write { page, content: content(rng) }).collect()
}

fn guard(rng: &mut Rng) -> Guard {
    let namespace = rng.below(NAMESPACES);
    // Mostly what a client that read a moment ago would say.
    let since = if rng.one_in(4) { point(rng) } else { Point::Back(rng.below(3)) };
    match rng.below(8) {
        0..=3 => Guard::Page(namespace, *rng.pick(&PAGES), since),
        4 | 5 => Guard::Namespace(namespace, since),
        _ => {
            let expected = match rng.below(6) {
                0 => Expected::Absent,
                1 => Expected::Other(rng.below(4) as u8),
                _ => Expected::Current,
            };
            Guard::Meta(rng.below(KEYS.len()), expected)
        }
    }
}

fn attempt(rng: &mut Rng) -> Attempt {
    let mut changes: Vec<(usize, Vec<Write>)> = Vec::new();
    for namespace in 0..NAMESPACES {
        if rng.one_in(2) {
            changes.push((namespace, writes(rng)));
        }
    }
    let mut meta: Vec<(usize, Set)> = Vec::new();
    for key in 0..KEYS.len() {
        if rng.one_in(6) {
            let set = match rng.below(3) {
                0 => Set::Remove,
                1 => Set::Plain(rng.below(200) as u8),
                _ => Set::Version(1 + rng.below(20) as u8),
            };
            meta.push((key, set));
        }
    }
    Attempt {
        changes,
        guards: some(rng, 2, guard),
        meta,
        durable: rng.one_in(4),
        clock: rng.below(2000) as i64 - 500,
        at: if rng.one_in(12) { Some(1 + rng.below(1000) as u64) } else { None },
        slot: if rng.one_in(6) { Some(rng.below(SLOTS)) } else { None },
    }
}

fn step(rng: &mut Rng) -> Step {
    let namespace = rng.below(NAMESPACES);
    let slot = rng.below(SLOTS);
    let newest_first = rng.one_in(2);
    match rng.below(100) {
        0..=35 => Step::Commit(attempt(rng)),
        36..=42 => {
            let far = if rng.one_in(3) { 200 } else { 4 };
            Step::Repeat(rng.below(far), rng.one_in(3))
        }
        43..=45 => Step::Wrong(rng.below(5) as u8),
        46..=57 => Step::Stage(slot, namespace, writes(rng)),
        58..=63 => Step::ReadStaged(slot, namespace, pages(rng)),
        64 => Step::Discard(slot),
        65..=79 => Step::Read(namespace, pages(rng), past(rng)),
        80..=83 => {
            let limit = if rng.one_in(2) { rng.below(5) } else { usize::MAX };
            Step::LogVersions(namespace, point(rng), point(rng), newest_first, limit)
        }
        84..=86 => {
            let limit = if rng.one_in(2) { rng.below(5) } else { usize::MAX };
            let (from, to) = (rng.below(60_000) as u64, rng.below(60_000) as u64);
            Step::LogTimes(namespace, from, to, newest_first, limit)
        }
        87 | 88 => Step::MetaGet(rng.below(KEYS.len())),
        89..=92 => {
            let after = if rng.one_in(2) { Some(rng.below(KEYS.len())) } else { None };
            Step::MetaScan(rng.below(KEYS.len()), after, rng.below(8))
        }
        93..=95 => Step::Purge(namespace, some(rng, 4, |rng| (*rng.pick(&PAGES), rng.below(20)))),
        96 | 97 => Step::WaitDurable(past(rng)),
        _ => Step::Reopen,
    }
}
