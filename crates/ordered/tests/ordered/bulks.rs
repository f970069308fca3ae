//! Commits that keep their stage as a whole, beside pages that have records of their
//! own.

use std::sync::Arc;

use hozo_conformance::TestAmbient;
use hozo_ordered::{Limits, OrderedEngine, OrderedPages, OrderedPagesConfig, Sequenced};
use hozo_traits::exec::block_on;
use hozo_traits::{Durability, ErrorKind, PageStore, PageStoreExt, Version};

use crate::engine::{Disk, Engine};
use crate::kit::*;
use crate::shared::Shared;

type Shareable = OrderedPages<Shared<Sequenced<Engine>>>;

/// A store that others write as well, in which every stage is taken as a whole.
fn open_bulky(disk: &Arc<Disk>) -> Shareable {
    let engine = Shared(Sequenced::open(disk.open()).expect("the engine opens"));
    let limits = Limits { pointers_max: 0, ..engine.limits() };
    let config = OrderedPagesConfig { strict: Some(limits), ..OrderedPagesConfig::default() };
    let ambient = Arc::new(TestAmbient::new(1));
    block_on(OrderedPages::open(engine, config, ambient)).expect("the store opens")
}

/// Commits one page, its content `tag`, in a bulk.
fn put_bulk(store: &Shareable, n: u32, tag: u64) -> Version {
    let staging = commit(Durability::Sequenced, Vec::new());
    block_on(store.stage(staging.id, NS, vec![whole(n, image(tag))])).expect("it is staged");
    put(store, staging)
}

/// How a version came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Made {
    /// With a record of the page's own.
    Own,
    /// In a bulk.
    InBulk,
    /// By a bulk that has not the page.
    Elsewhere,
}

/// What becomes of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Stays,
    /// Purged by the first purge or by the second.
    Goes(usize),
}

/// Every way to choose one of these for each of four versions.
fn each_of_four<T: Copy>(choices: [T; 3]) -> impl Iterator<Item = [T; 4]> {
    (0..81).map(move |n| [n, n / 3, n / 9, n / 27].map(|n| choices[n % 3]))
}

#[test]
fn a_purge_leaves_no_version_that_reads_as_an_older_one() {
    for made in each_of_four([Made::Own, Made::InBulk, Made::Elsewhere]) {
        for fates in each_of_four([Fate::Stays, Fate::Goes(0), Fate::Goes(1)]) {
            let store = open_bulky(&Arc::default());
            let versions: Vec<Version> = (1..)
                .zip(made)
                .map(|(tag, made)| match made {
                    Made::Own => {
                        put(&store, commit(Durability::Sequenced, vec![whole(1, image(tag))]))
                    }
                    Made::InBulk => put_bulk(&store, 1, tag),
                    Made::Elsewhere => put_bulk(&store, 2, tag),
                })
                .collect();
            for turn in 0..2 {
                let victims: Vec<_> = (versions.iter().zip(fates))
                    .filter(|(_, fate)| *fate == Fate::Goes(turn))
                    .map(|(version, _)| (page(1), *version))
                    .collect();
                block_on(store.purge(NS, &victims)).expect("the purge is made");
            }
            let mut expected = Ok(None);
            for (tag, at) in (1..).zip(&versions) {
                let n = tag as usize - 1;
                if made[n] != Made::Elsewhere {
                    expected = match fates[n] {
                        Fate::Stays => Ok(Some((*at, image(tag)))),
                        Fate::Goes(_) => Err(ErrorKind::VersionGone),
                    };
                }
                let read = block_on(store.read_page(NS, page(1), *at));
                let read = read.map(|found| found.map(|image| (image.version, image.bytes)));
                let read = read.map_err(|e| e.kind());
                assert_eq!(read, expected, "version {tag} of {made:?}, of which {fates:?}");
            }
        }
    }
}
