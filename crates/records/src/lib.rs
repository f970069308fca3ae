//! What is done with the records of a DBM over any store: [`search`]ing them by
//! their keys.
#![forbid(unsafe_code)]

mod distance;
mod matcher;
mod mode;
mod pattern;
mod search;

pub use matcher::{CONTAIN_LINES_MAX, CONTAIN_PATTERN_BYTES_MAX};
pub use mode::Mode;
pub use search::{EDIT_PATTERN_BYTES_MAX, GoOn, KEY_OVERHEAD_BYTES, search, search_within};
