//! What moving records came to.

use std::time::Instant;

use serde_json::{Value, json};

use crate::output::size;

/// Records that were moved, since when.
pub(super) struct Measured {
    began: Instant,
    pub(super) records: u64,
    /// Those that were there already and stayed.
    pub(super) kept: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
}

impl Measured {
    pub(super) fn begin() -> Measured {
        Measured { began: Instant::now(), records: 0, kept: 0, bytes: 0 }
    }

    pub(super) fn record(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        self.bytes += (key.len() + value.len()) as u64;
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    fn rate(&self, seconds: f64) -> f64 {
        if seconds > 0.0 { self.records as f64 / seconds } else { 0.0 }
    }

    pub(super) fn json(&self) -> Value {
        let seconds = self.seconds();
        json!({
            "records": self.records, "bytes": self.bytes, "seconds": seconds,
            "records_per_second": self.rate(seconds),
        })
    }

    pub(super) fn told(&self) -> String {
        let seconds = self.seconds();
        let rate = self.rate(seconds);
        let kept = match self.kept {
            0 => String::new(),
            kept => format!(", of which {kept} were there already and were kept"),
        };
        let (records, size) = (self.records, size(self.bytes));
        format!("{records} records{kept}, {size}, in {seconds:.2} s ({rate:.0} records a second)")
    }
}
