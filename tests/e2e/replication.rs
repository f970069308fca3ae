//! Replication between processes, as docs/replication.md says, and with whatever
//! ends one of them.

mod page;

use crate::case::Case;

pub(crate) const CASES: &[Case] = &[Case::new("the_commands_of_its_page_work", page::commands)];
