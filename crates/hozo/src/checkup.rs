//! Whether a store's files are whole, for backends that can tell.

use std::sync::Arc;

use hozo_backend_hashdbm as hashdbm;
use hozo_traits::{Ambient, Result};

/// Is told how much of the work is done, and of how much, in bytes.
pub type CheckProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// How a backend checks a store, once its settings are read. It changes
/// nothing; damage is in the answer, and not an error.
pub type CheckStore<C> = fn(&C, CheckProgress<'_>) -> Result<Box<dyn Checkup>>;

/// Checks one store.
pub(crate) type Checker = Arc<dyn Fn(CheckProgress<'_>) -> Result<Box<dyn Checkup>> + Send + Sync>;

/// What a check of a store found.
pub trait Checkup {
    /// Part by part.
    fn parts(&self) -> Vec<CheckedPart>;

    /// Makes the store whole again, at the cost of what the parts say would be
    /// lost; says what it did, a sentence each. The damaged files are kept
    /// beside. An error leaves the store as it was, or partly repaired.
    fn repair(&self, ambient: &dyn Ambient, progress: CheckProgress<'_>) -> Result<Vec<String>>;
}

/// What was found about a part of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedPart {
    /// Its name.
    pub name: String,
    /// Bytes that were read.
    pub bytes: u64,
    /// Keys that it has now, where that is known.
    pub keys: Option<u64>,
    /// What is wrong, a sentence each: nothing if it is whole.
    pub problems: Vec<String>,
    /// What a repair would lose, a sentence each.
    pub losses: Vec<String>,
    /// What somebody may like to know, a sentence each.
    pub notes: Vec<String>,
    /// Whether a repair can do anything about it.
    pub can_be_repaired: bool,
}

/// The check of a hashdbm store.
pub(crate) fn hashdbm(
    config: &hashdbm::Config,
    progress: CheckProgress<'_>,
) -> Result<Box<dyn Checkup>> {
    let findings = hashdbm::check(config, progress)?;
    Ok(Box::new(Hashdbm { config: config.clone(), findings }))
}

struct Hashdbm {
    config: hashdbm::Config,
    findings: hashdbm::Findings,
}

impl Checkup for Hashdbm {
    fn parts(&self) -> Vec<CheckedPart> {
        let part = |volume: &hashdbm::VolumeFindings| CheckedPart {
            name: volume.volume.clone(),
            bytes: volume.bytes,
            keys: volume.keys,
            problems: volume.problems(),
            losses: volume.losses(),
            notes: volume.notes(),
            can_be_repaired: volume.hopeless.is_none(),
        };
        self.findings.volumes.iter().map(part).collect()
    }

    fn repair(&self, ambient: &dyn Ambient, progress: CheckProgress<'_>) -> Result<Vec<String>> {
        let repaired = hashdbm::repair(&self.config, &self.findings, ambient, progress)?;
        Ok(repaired.volumes.iter().flat_map(hashdbm::RepairedVolume::sentences).collect())
    }
}
