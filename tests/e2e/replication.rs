//! Replication between processes, as docs/replication.md says, and with whatever
//! ends one of them.

mod failover;
mod page;
mod server;
mod writers;

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("the_commands_of_its_page_work", page::commands),
    Case::new("no_acknowledged_write_is_lost_through_failovers", failover::no_write_is_lost),
];
