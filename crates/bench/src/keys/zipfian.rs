//! Zipf-distributed numbers.

use crate::random::Random;

/// Numbers from 0 on, of which `k` comes with probability
/// `1 / ((k + 1)^theta * zeta)`: the algorithm of Gray et al., "Quickly
/// generating billion-record synthetic databases", as YCSB has it. The first
/// two numbers are exact, the others an approximation.
#[derive(Clone, Debug)]
pub struct Zipfian {
    items: u64,
    theta: f64,
    zeta_of_two: f64,
    alpha: f64,
    zeta: f64,
    eta: f64,
}

impl Zipfian {
    /// Over `items` numbers, at least one. Takes time in proportion to them.
    pub fn new(items: u64, theta: f64) -> Self {
        Self::with_zeta(items, theta, zeta(0.0, 0, items, theta))
    }

    /// The same, with the sum of `1 / i^theta` known.
    pub fn with_zeta(items: u64, theta: f64, zeta_of_items: f64) -> Self {
        let mut zipfian = Zipfian {
            items,
            theta,
            zeta_of_two: zeta(0.0, 0, 2, theta),
            alpha: 1.0 / (1.0 - theta),
            zeta: zeta_of_items,
            eta: 0.0,
        };
        zipfian.eta = zipfian.eta();
        zipfian
    }

    fn eta(&self) -> f64 {
        (1.0 - (2.0 / self.items as f64).powf(1.0 - self.theta))
            / (1.0 - self.zeta_of_two / self.zeta)
    }

    /// Over more numbers from now on; costs as many steps as there are more.
    pub fn grow(&mut self, items: u64) {
        if items > self.items {
            self.zeta = zeta(self.zeta, self.items, items, self.theta);
            self.items = items;
            self.eta = self.eta();
        }
    }

    /// One of them.
    pub fn next(&self, random: &mut Random) -> u64 {
        let u = random.unit();
        let uz = u * self.zeta;
        if uz < 1.0 || self.items == 1 {
            return 0;
        }
        if uz < 1.0 + 0.5f64.powf(self.theta) {
            return 1;
        }
        let number = self.items as f64 * (self.eta * u - self.eta + 1.0).powf(self.alpha);
        (number as u64).min(self.items - 1)
    }
}

/// The sum of `1 / i^theta` for `i` up to `to`, given the sum up to `from`.
fn zeta(sum: f64, from: u64, to: u64, theta: f64) -> f64 {
    (from..to).fold(sum, |sum, i| sum + 1.0 / ((i + 1) as f64).powf(theta))
}
