//! Replication between processes, as docs/replication.md says, and with whatever
//! ends one of them.

mod ends;
mod failover;
mod page;
mod server;
mod tkrzw;
mod writers;

use crate::case::{Case, Need};

const TKRZW: &[Need] = &[Need::Program("tkrzw_server")];
const UTILITY: &[Need] = &[Need::Program("tkrzw_dbm_remote_util")];

pub(crate) const CASES: &[Case] = &[
    Case::new("the_commands_of_its_page_work", page::commands),
    Case::new("no_acknowledged_write_is_lost_through_failovers", failover::no_write_is_lost),
    Case::new(
        "a_master_that_stood_still_answers_nothing_after_a_promotion",
        ends::a_master_that_stood_still,
    ),
    Case::new("a_follower_that_ends_often_has_the_same", ends::a_follower_that_ends_often),
    Case::new("two_masters_that_end_settle", ends::two_masters_that_end),
    Case::new("a_tkrzw_server_is_followed", tkrzw::followed).needing(TKRZW),
    Case::new("a_tkrzw_server_follows", tkrzw::follows).needing(TKRZW),
    Case::new("a_tkrzw_server_is_one_of_two_masters", tkrzw::two_masters).needing(TKRZW),
    Case::new("the_utility_of_tkrzw_replicates", tkrzw::utility).needing(UTILITY),
];
