//! The statistics against values from tables, and against chance.

use super::*;
use crate::random::Random;

#[test]
fn medians() {
    assert_eq!(median(&[]), 0.0);
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(range(&[3.0, 1.0, 2.0]), (1.0, 3.0));
}

#[test]
fn the_distribution_is_mann_and_whitneys() {
    assert_eq!(ways(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
    assert_eq!(ways(5, 5).iter().sum::<f64>(), 252.0);
    assert_eq!(ways(4, 7).iter().sum::<f64>(), 330.0);
    // Critical values of U, two-sided at 0.01, from the usual tables.
    for (a, b, critical) in [(5, 5, 0), (5, 6, 1), (6, 6, 2), (8, 8, 7), (10, 10, 16)] {
        assert_eq!(smallest_rank(a, b), Some(critical), "{a} and {b}");
    }
    assert_eq!(smallest_rank(4, 4), None);
    assert_eq!(repetitions_needed(), 5);
}

#[test]
fn a_clear_difference_is_found_and_measured() {
    let a = [100.0, 101.0, 99.0, 100.5, 99.5];
    let b = a.map(|value| value * 1.2);
    let ratio = ratio(&a, &b).unwrap();
    assert!((ratio.estimate - 1.2).abs() < 0.01, "{ratio:?}");
    assert!(ratio.is_certain());
    let (low, high) = ratio.interval.unwrap();
    assert!(low > 1.15 && low < 1.2 && high > 1.2 && high < 1.25, "{ratio:?}");
}

#[test]
fn a_wide_spread_hides_a_difference() {
    let a = [100.0, 140.0, 80.0, 120.0, 90.0];
    let b = a.map(|value| value * 1.1);
    assert!(!ratio(&a, &b).unwrap().is_certain());
}

#[test]
fn too_few_repetitions_are_never_certain() {
    let few = ratio(&[1.0; 4], &[100.0; 4]).unwrap();
    assert_eq!((few.interval, few.estimate), (None, 100.0));
    assert!(ratio(&[], &[1.0]).is_none());
    assert!(ratio(&[0.0], &[1.0]).is_none());
}

#[test]
fn chance_alone_is_rarely_a_difference() {
    let mut random = Random::new(20_261_122);
    let mut draw = || -> Vec<f64> { (0..6).map(|_| 100.0 + 20.0 * random.unit()).collect() };
    let found = (0..5_000).filter(|_| ratio(&draw(), &draw()).unwrap().is_certain()).count();
    // At most one in a hundred, and not never.
    assert!((10..=60).contains(&found), "{found} of 5,000");
}
