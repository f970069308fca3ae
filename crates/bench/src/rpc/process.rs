//! Processor time of another process.

use std::fs;

use rustix::param::clock_ticks_per_second;

#[cfg(test)]
mod tests;

/// What a process used so far in all its threads, those that ended included, in
/// user mode and in the kernel. `None` if there is no such process.
pub(super) fn cpu_nanos(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = ticks(&text)?;
    Some(ticks.saturating_mul(1_000_000_000 / clock_ticks_per_second().max(1)))
}

/// The two numbers of `stat` together. The program's name comes before them, and
/// may have spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    // The state of the process is the third field, its user time the 14th.
    let mut fields = after.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    user.checked_add(kernel)
}
