//! The index: where in the log the newest of everything is.
//!
//! One file of 4 KiB pages, memory mapped and copied on write between
//! checkpoints ([`Pager`]), holds a hash [`table`] and,
//! for what is asked in order, a [`tree`]. Nothing here is ever read by its
//! own word alone: a page has a checksum, the roots say which pages count, and
//! whatever is lost is made again from the log.

pub(crate) mod page;
mod page_map;
pub(crate) mod pager;
pub(crate) mod table;
pub(crate) mod tree;

pub(crate) use page::PAGE_BYTES;
pub(crate) use pager::{PageSet, Pager};
pub(crate) use table::Shard;
