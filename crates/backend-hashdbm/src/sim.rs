//! What tests do to the simulated disk of a volume.

pub(crate) mod golden;
pub(crate) mod hostile;
