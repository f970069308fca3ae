//! Page stores whose namespaces are replicated: whether this process may commit.

use std::sync::{Arc, Mutex, PoisonError};

use hozo_repl::{Config, Home, HomedPages};
use hozo_traits::{PageStore, Result};

use crate::plan::{Plan, ReplicationPlan};
use crate::process::PerProcess;

/// What a process knows of its server's part in replication, whether it is that
/// server or not.
pub(crate) struct Homes {
    home: PerProcess<Mutex<Option<Arc<Home>>>>,
}

impl Homes {
    pub(crate) const fn new() -> Self {
        Homes { home: PerProcess::new() }
    }

    /// The page store of this name as clients see it; `None` if its namespaces
    /// are not replicated.
    pub(crate) fn homed(
        &self,
        plan: &Plan,
        store: &str,
        pages: &Arc<dyn PageStore>,
    ) -> Result<Option<Arc<HomedPages>>> {
        let Some(replication) = plan.replication() else { return Ok(None) };
        if !replication.namespaces().iter().any(|name| name == store) {
            return Ok(None);
        }
        let slot = self.home.get(|| Mutex::new(None));
        let mut home = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let home = match &mut *home {
            Some(home) => Arc::clone(home),
            none => {
                let read = Home::at_rest(&config(replication));
                let read = read.map_err(|e| e.with("replication", replication.name()))?;
                Arc::clone(none.insert(read))
            }
        };
        Ok(Some(HomedPages::new(store, Arc::clone(pages), home)))
    }

    /// Stores that are opened from now on know of nothing.
    pub(crate) fn forget(&self) {
        let slot = self.home.get(|| Mutex::new(None));
        drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A server of this plan.
pub(crate) fn config(plan: &ReplicationPlan) -> Config {
    let mut config = Config::new(plan.server_id(), plan.dir());
    config.follow = plan.follow().map(str::to_owned);
    config.role = plan.role();
    config.home = plan.home();
    config.acknowledge = plan.acknowledge();
    config.ack = plan.ack();
    config.ack_timeout = plan.ack_timeout();
    config.segment_bytes = plan.segment_bytes();
    config.keep = Some(plan.keep());
    config.keep_bytes = plan.keep_bytes();
    config.timestamp_skew_ms = plan.timestamp_skew_ms();
    config
}
