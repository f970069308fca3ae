//! Telling differences from noise with few repetitions.
//!
//! Nothing is assumed about how measurements are distributed but that the
//! repetitions of one side are alike: Mann and Whitney's test counts how often
//! a value of one side is above one of the other, and Hodges and Lehmann's
//! estimate, with the interval that belongs to that test, says by how much.

#[cfg(test)]
mod tests;

/// How often chance alone may make a difference of two equal things.
pub const ALPHA: f64 = 0.01;

/// The middle value, or the mean of the two middle ones; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, middle) if n % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The smallest and the largest value; zeros of none.
pub fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().reduce(f64::min).unwrap_or_default();
    let high = values.iter().copied().reduce(f64::max).unwrap_or_default();
    (low, high)
}

/// By which factor the values of `b` are those of `a`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ratio {
    /// The estimate: the median of all ratios of a value of `b` to one of `a`.
    pub estimate: f64,
    /// The interval that has the true factor with probability `1 - ALPHA`, at
    /// least; `None` if there are too few repetitions for any to have it.
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Whether it is surely not 1.
    pub fn is_certain(&self) -> bool {
        self.interval.is_some_and(|(low, high)| low > 1.0 || high < 1.0)
    }
}

/// Compares positive values; `None` if a side has none, or one that is not
/// positive.
pub fn ratio(a: &[f64], b: &[f64]) -> Option<Ratio> {
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|value| *value <= 0.0) {
        return None;
    }
    let mut ratios: Vec<f64> = b.iter().flat_map(|b| a.iter().map(move |a| b / a)).collect();
    ratios.sort_by(f64::total_cmp);
    let interval = smallest_rank(a.len(), b.len()).map(|rank| {
        let last = ratios.len() - 1;
        (ratios[rank], ratios[last - rank])
    });
    Some(Ratio { estimate: median(&ratios), interval })
}

/// How many of the ratios at each end the interval leaves out.
fn smallest_rank(a: usize, b: usize) -> Option<usize> {
    let ways = ways(a, b);
    let all: f64 = ways.iter().sum();
    let mut below = 0.0;
    let mut rank = None;
    for (u, count) in ways.iter().enumerate() {
        below += count / all;
        if below * 2.0 > ALPHA {
            break;
        }
        rank = Some(u);
    }
    rank
}

/// In how many orders of `a` and `b` values exactly `u` pairs have the one of
/// `a` first, for each `u`: Mann and Whitney's distribution.
fn ways(a: usize, b: usize) -> Vec<f64> {
    // The product of (1 - x^(b+i)) / (1 - x^i) for i from 1 to a: Gauss's
    // binomial, whose coefficients these are.
    let mut ways = vec![0.0; a * b + 1];
    ways[0] = 1.0;
    for i in 1..=a {
        for u in (b + i..=a * b).rev() {
            ways[u] -= ways[u - b - i];
        }
        for u in i..=a * b {
            ways[u] += ways[u - i];
        }
    }
    ways
}

/// The fewest repetitions, of both sides, with which anything can be certain.
pub fn repetitions_needed() -> usize {
    (1..).find(|n| smallest_rank(*n, *n).is_some()).unwrap_or(usize::MAX)
}
