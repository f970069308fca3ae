//! The shapes of the distributions, against their formulas.

use std::sync::Arc;

use super::*;

const SEED: u64 = 20_261_122;

/// Draws `draws` numbers below `items` and counts each.
fn counts(items: usize, draws: u32, mut next: impl FnMut() -> u64) -> Vec<f64> {
    let mut counts = vec![0.0; items];
    for _ in 0..draws {
        counts[next() as usize] += 1.0 / f64::from(draws);
    }
    counts
}

#[test]
fn zipfian_is_as_the_formula_says() {
    for items in [100u64, 10_000] {
        let zeta: f64 = (1..=items).map(|i| 1.0 / (i as f64).powf(THETA)).sum();
        let zipfian = Zipfian::new(items, THETA);
        let mut random = Random::new(SEED);
        let found = counts(items as usize, 1_000_000, || zipfian.next(&mut random));
        for rank in [1usize, 2] {
            let wanted = 1.0 / (rank as f64).powf(THETA) / zeta;
            let error = (found[rank - 1] / wanted - 1.0).abs();
            assert!(error < 0.02, "rank {rank} of {items}: {} not {wanted}", found[rank - 1]);
        }
        // Beyond the first two it approximates: the shares of the first N agree.
        for first in [10usize, items as usize / 10, items as usize / 2] {
            let wanted: f64 = (1..=first).map(|i| 1.0 / (i as f64).powf(THETA) / zeta).sum();
            let share: f64 = found[..first].iter().sum();
            assert!((share / wanted - 1.0).abs() < 0.05, "first {first} of {items}: {share}");
        }
    }
}

#[test]
fn growing_is_as_starting_larger() {
    let mut grown = Zipfian::new(10, THETA);
    grown.grow(1000);
    let whole = Zipfian::new(1000, THETA);
    let (mut a, mut b) = (Random::new(SEED), Random::new(SEED));
    for _ in 0..10_000 {
        assert_eq!(grown.next(&mut a), whole.next(&mut b));
    }
}

#[test]
fn the_sum_that_ycsb_has_is_right() {
    // Euler and Maclaurin, from the sum of the first million.
    let (from, to) = (1_000_000f64, SCRAMBLED_ITEMS as f64);
    let head: f64 = (1..=1_000_000u64).map(|i| 1.0 / (i as f64).powf(THETA)).sum();
    let power = 1.0 - THETA;
    let tail =
        (to.powf(power) - from.powf(power)) / power + (to.powf(-THETA) - from.powf(-THETA)) / 2.0;
    assert!((head + tail - SCRAMBLED_ZETA).abs() < 1e-3, "{}", head + tail);
}

#[test]
fn scrambled_popular_records_are_anywhere_and_as_popular() {
    let records = 1000;
    let mut chooser =
        Chooser::new(Distribution::Zipfian, Arc::new(Inserted::new(records)), records);
    let mut random = Random::new(SEED);
    let found = counts(records as usize, 1_000_000, || chooser.next(&mut random));
    let most = found.iter().copied().fold(0.0, f64::max);
    // The first item's share, and that of what else the hash puts there.
    let first = 1.0 / SCRAMBLED_ZETA;
    assert!((first..first * 1.3).contains(&most), "{most} against {first}");
    let where_first = fnv_hash(0) % records;
    assert_eq!(found[where_first as usize], most, "the hash of 0 is the most popular");
    assert!(found.iter().all(|share| *share > 0.0), "every record is read");
}

#[test]
fn latest_likes_the_newest_and_follows_inserts() {
    let inserted = Arc::new(Inserted::new(1000));
    let mut chooser = Chooser::new(Distribution::Latest, inserted.clone(), 1000);
    let mut random = Random::new(SEED);
    let before = counts(1000, 200_000, || chooser.next(&mut random));
    assert!(before[999] > before[998] && before[998] > before[990] && before[990] > before[500]);
    for _ in 0..500 {
        inserted.done(inserted.begin());
    }
    let after = counts(1500, 200_000, || chooser.next(&mut random));
    assert!((after[1499] / before[999] - 1.0).abs() < 0.1, "the newest is as popular as before");
}

#[test]
fn uniform_is_flat() {
    let mut chooser = Chooser::new(Distribution::Uniform, Arc::new(Inserted::new(100)), 100);
    let mut random = Random::new(SEED);
    let found = counts(100, 1_000_000, || chooser.next(&mut random));
    assert!(found.iter().all(|share| (share * 100.0 - 1.0).abs() < 0.05), "{found:?}");
}

#[test]
fn nobody_is_sent_to_a_record_that_is_not_there() {
    let inserted = Inserted::new(10);
    let (a, b, c) = (inserted.begin(), inserted.begin(), inserted.begin());
    inserted.done(c);
    inserted.done(b);
    assert_eq!(inserted.count(), 10, "the first of the three is under way");
    inserted.done(a);
    assert_eq!(inserted.count(), 13);
}

#[test]
fn ycsbs_hash_is_ycsbs() {
    // From YCSB's `Utils.fnvhash64`, run on these.
    assert_eq!(fnv_hash(0), 6_284_781_860_667_377_211);
    assert_eq!(fnv_hash(1), 8_517_097_267_634_966_620);
    assert_eq!(fnv_hash(2), 1_820_151_046_732_198_393);
}
