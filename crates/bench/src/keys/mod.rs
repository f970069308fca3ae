//! Which record an operation is about, as YCSB chooses.

mod inserted;
#[cfg(test)]
mod tests;
mod zipfian;

use std::sync::Arc;

pub use inserted::Inserted;
pub use zipfian::Zipfian;

use crate::random::{Random, fnv_hash};

/// YCSB's skew.
pub const THETA: f64 = 0.99;
/// YCSB draws from so many items and hashes the draw onto the records, so that
/// the popular records are the same ones however many there are.
const SCRAMBLED_ITEMS: u64 = 10_000_000_000;
/// The sum of `1 / i^0.99` over those items, as YCSB has it.
const SCRAMBLED_ZETA: f64 = 26.469_028_201_783_02;

/// How records are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Distribution {
    /// Each as often as any other.
    Uniform,
    /// Few very often, spread over all records.
    Zipfian,
    /// The newest very often.
    Latest,
}

/// Chooses record numbers for one thread.
pub struct Chooser {
    inserted: Arc<Inserted>,
    kind: Kind,
}

enum Kind {
    Uniform,
    /// With how many record numbers the draw is spread over.
    Zipfian(Zipfian, u64),
    Latest(Zipfian),
}

impl Chooser {
    /// Chooses among the records of `inserted`. `expected` is how many there
    /// may come to be: as in YCSB, a zipfian draw that falls on one which is
    /// not there yet is drawn again, so that inserts do not move the others.
    pub fn new(distribution: Distribution, inserted: Arc<Inserted>, expected: u64) -> Self {
        let kind = match distribution {
            Distribution::Uniform => Kind::Uniform,
            Distribution::Zipfian => {
                let zipfian = Zipfian::with_zeta(SCRAMBLED_ITEMS, THETA, SCRAMBLED_ZETA);
                Kind::Zipfian(zipfian, expected.max(1))
            }
            Distribution::Latest => Kind::Latest(Zipfian::new(inserted.count().max(1), THETA)),
        };
        Chooser { inserted, kind }
    }

    /// The number of a record that is there.
    pub fn next(&mut self, random: &mut Random) -> u64 {
        let count = self.inserted.count().max(1);
        match &mut self.kind {
            Kind::Uniform => random.below(count),
            Kind::Zipfian(zipfian, spread) => loop {
                let number = fnv_hash(zipfian.next(random)) % *spread;
                if number < count {
                    return number;
                }
            },
            Kind::Latest(zipfian) => {
                zipfian.grow(count);
                count - 1 - zipfian.next(random)
            }
        }
    }
}
