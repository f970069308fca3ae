//! What can be set about a store.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The settings of one store. All may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long the outcome of a commit is kept for who asks again, in
    /// seconds: 86400, a day, unless given; at least 3600.
    pub commit_id_keep_s: u64,
    /// Whether to keep FoundationDB's limits, so that what works here works
    /// there: `false` unless given.
    pub strict: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config { commit_id_keep_s: 24 * 60 * 60, strict: false }
    }
}
