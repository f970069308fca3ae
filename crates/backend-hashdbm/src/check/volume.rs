//! The check of one volume.

use std::collections::BTreeSet;

use hozo_log::Position;
use hozo_log::disk::Disk;
use hozo_log::survey::{Gap, Known, Survey};
use hozo_traits::{ErrorKind, Result};

use super::compare::Compare;
use super::findings::VolumeFindings;
use super::index::View;
use super::losses::{Losses, Lost};
use super::{Damage, Kind, Place};
use crate::index::Pager;
use crate::volume::roots::Roots;

/// The file of the index's pages.
const INDEX: &str = "index";

/// A volume that was checked, and what a repair of its log needs.
pub(super) struct Checked {
    pub(super) findings: VolumeFindings,
    /// If the log is damaged and can be read.
    pub(super) salvage: Option<Salvage>,
}

/// What is known for a repair.
pub(super) struct Salvage {
    pub(super) survey: Survey,
    /// The index, if it is whole.
    pub(super) view: Option<View>,
    /// Up to where it knows the log.
    pub(super) complete: Position,
    /// Keys whose newest value is lost, and that have not been written since.
    pub(super) lost: Vec<Lost>,
    /// Keys that were removed, and whose removal is lost.
    pub(super) removed: BTreeSet<Vec<u8>>,
}

/// The roots of a volume, as far as they are any.
enum Found {
    Whole(Roots),
    Not(&'static str),
}

/// Which kinds of records a volume has.
fn kinds(kind: Kind) -> fn(u8) -> bool {
    match kind {
        Kind::Records => |kind| (2..=4).contains(&kind),
        Kind::Pages => |kind| (16..64).contains(&kind),
    }
}

/// What the roots say of which kind of volume it is.
fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Records => 1,
        Kind::Pages => 2,
    }
}

pub(super) fn check(place: &Place, disk: &dyn Disk, read: &mut dyn FnMut(u64)) -> Result<Checked> {
    let mut findings = VolumeFindings { volume: place.name(), ..VolumeFindings::default() };
    findings.loss.pages = place.kind == Kind::Pages;
    let mut roots = match Roots::read(disk)? {
        None => Found::Not("the file `roots` is missing"),
        Some(None) => Found::Not("the file `roots` is damaged"),
        Some(Some(roots)) if roots.kind != number(place.kind) => {
            Found::Not("the file `roots` is of another kind of volume")
        }
        Some(Some(roots)) => Found::Whole(roots),
    };
    let new = |known| match Survey::new(disk, known, kinds(place.kind)) {
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
            Ok(Err(error))
        }
        other => other.map(Ok),
    };
    let (mut survey, fits) = match new(known(&roots, true))? {
        Ok(found) => found,
        Err(error) => {
            let never_made = error.kind() == ErrorKind::NotFound
                && matches!(&roots, Found::Not(_))
                && !disk.list()?.iter().any(|name| name == "roots");
            if !never_made {
                findings.hopeless = Some(error.to_string());
            }
            return Ok(Checked { findings, salvage: None });
        }
    };
    if !fits {
        roots = Found::Not("the file `roots` is of another volume");
    }
    let (mut view, why) = match open_index(place.kind, disk, &roots, &survey) {
        Ok(view) => (Some(view), None),
        Err(why) => (None, Some(why)),
    };
    if view.is_none()
        && let Ok((again, _)) = new(known(&roots, false))?
    {
        // Without its index, nobody knows what the log's beginning should be.
        survey = again;
    }
    let (complete, cleaned) = match &roots {
        Found::Whole(roots) => (roots.complete, roots.cleaned),
        Found::Not(_) => (0, 0),
    };
    let mut compare = Compare::new(place.kind, view.as_ref(), &survey, complete, disk, read);
    let end = survey.read(&mut compare)?;
    let outcome = compare.finish()?;
    findings.bytes = survey.bytes();
    findings.records = outcome.records;
    findings.torn_bytes = end.torn_bytes;
    findings.damage =
        survey.gaps().iter().chain(&outcome.gaps).map(|gap| damage(place, gap)).collect();
    let misled = outcome.wrong.is_some();
    // Nobody misses the roots of what is empty.
    findings.index =
        outcome.wrong.or(why).filter(|_| outcome.records > 0 || !findings.damage.is_empty());
    if findings.index.is_some() {
        view = None;
    }
    // What came since its checkpoint is counted when the store opens.
    findings.keys = view.as_ref().filter(|_| outcome.since == 0).map(View::keys);
    let damaged = !findings.damage.is_empty() || outcome.parts > 0;
    if !damaged {
        return Ok(Checked { findings, salvage: None });
    }
    let known_below = if view.is_some() { complete } else { 0 };
    let lacks = |gap: &Gap| outcome.lacking.iter().any(|entry| entry.position == gap.from);
    for gap in outcome.gaps.iter().filter(|gap| !gap.header && !lacks(gap)) {
        let from = gap.from.max(known_below).max(cleaned);
        if from < gap.to {
            findings.loss.unknown_bytes += gap.to - from;
            findings.loss.unknown.push((from, gap.to));
        }
    }
    let all_parts = misled || (place.kind == Kind::Records && view.is_none());
    findings.loss.dropped = if all_parts { outcome.parts } else { outcome.parts_unknown };
    findings.loss.commits = outcome.commits;
    let mut removed = BTreeSet::new();
    let mut entries = outcome.lacking;
    if view.is_some() {
        removed = outcome.pending;
        findings.loss.removed_again = removed.len() as u64;
        entries.extend(outcome.lost);
    }
    let known_below = if view.is_some() { complete } else { 0 };
    let mut losses = Losses::new(place.kind, view.as_ref(), entries, known_below);
    if !losses.is_empty() {
        survey.read(&mut losses)?;
    }
    let lost = losses.finish(&mut findings.loss);
    Ok(Checked {
        findings,
        salvage: Some(Salvage { survey, view, complete: known_below, lost, removed }),
    })
}

fn known(roots: &Found, with_tail: bool) -> Option<Known> {
    match roots {
        Found::Whole(roots) => Some(Known {
            volume_id: roots.volume_id,
            segment_bytes: roots.segment_bytes,
            complete: roots.complete,
            cleaned: if with_tail { roots.cleaned } else { Position::MAX },
        }),
        Found::Not(_) => None,
    }
}

/// The index, every page of it read, or what is wrong with it.
fn open_index(
    kind: Kind,
    disk: &dyn Disk,
    roots: &Found,
    survey: &Survey,
) -> std::result::Result<View, String> {
    let roots = match roots {
        Found::Whole(roots) => roots,
        Found::Not(why) => return Err((*why).to_owned()),
    };
    let open = || {
        let pager = Pager::open(disk.open(INDEX)?, roots.epoch)?;
        let view = View::open(kind, roots, pager, survey.tail().min(roots.cleaned))?;
        view.check().map(|()| view)
    };
    open().map_err(|error: hozo_traits::Error| error.to_string())
}

fn damage(place: &Place, gap: &Gap) -> Damage {
    Damage {
        file: format!("{}/{}", place.name(), gap.file),
        offset: gap.offset,
        bytes: gap.to - gap.from,
        what: gap.what.to_owned(),
        positions: (gap.from, gap.to),
    }
}
