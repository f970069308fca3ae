//! Copying a whole database from one connection to another.

use std::thread;
use std::time::Duration;

use hozo_embedded::rusqlite::Connection;
use hozo_embedded::rusqlite::backup::{Backup, StepResult};

use crate::context::Context;
use crate::exit;
use crate::failure::{Done, Failure};
use crate::progress;

/// Pages between two looks at the progress.
const PAGES_PER_STEP: i32 = 512;

/// Copies all pages of `from` over what is in `to`, as one transaction there.
/// Memory does not grow with the database: what SQLite's page cache cannot hold
/// goes to where `to` keeps its pages.
pub(super) fn all(
    from: &Connection,
    to: &mut Connection,
    context: &Context,
    doing: &'static str,
) -> Done {
    // How often, and how long each time, to wait for somebody who has a lock.
    const WAITS_MAX: u32 = 100;
    const WAIT: Duration = Duration::from_millis(50);
    let page_size: u32 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let backup = Backup::new(from, to)?;
    let bar = progress::bytes(context, doing);
    let mut waits = 0;
    loop {
        let step = backup.step(PAGES_PER_STEP)?;
        let progress = backup.progress();
        let pages = |n: i32| u64::try_from(n).unwrap_or_default() * u64::from(page_size);
        bar.set_length(pages(progress.pagecount));
        bar.set_position(pages(progress.pagecount - progress.remaining));
        match step {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => {
                waits += 1;
                if waits > WAITS_MAX {
                    let message = "somebody else holds a lock on the database for too long";
                    return Err(Failure::new(exit::CONFLICT, message));
                }
                thread::sleep(WAIT);
            }
            _ => {}
        }
    }
    bar.finish_and_clear();
    Ok(())
}
