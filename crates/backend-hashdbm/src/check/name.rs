//! Names of things for people.

use hozo_ordered::{Space, salvage};
use hozo_traits::Timestamp;

/// A longer key is shown by its beginning.
const KEY_BYTES_SHOWN: usize = 80;

/// A record's key.
pub(super) fn of_record(key: &[u8]) -> String {
    let shown = key.get(..KEY_BYTES_SHOWN).unwrap_or(key).escape_ascii();
    if key.len() > KEY_BYTES_SHOWN {
        format!("\"{shown}\"... ({} bytes)", key.len())
    } else {
        format!("\"{shown}\"")
    }
}

/// A key of the tree: the number of a space, and the key in it.
pub(super) fn of_page(key: &[u8]) -> String {
    let Some((number, key)) = key.split_first() else { return "an empty key".to_owned() };
    match Space::ALL.iter().find(|space| space.number() == *number) {
        Some(space) => salvage::name_of(*space, key),
        None => of_record(key),
    }
}

/// A moment in the name of a file: `20261122T064833Z`.
pub(super) fn stamp(time: Timestamp) -> String {
    let seconds = time.as_micros() / 1_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the odd day is a year's last; the
    // cycle of 400 years is 146097 days, and day 0 is 719468 days into it.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{date:02}T{hour:02}{minute:02}{second:02}Z")
}
