//! How RocksDB is set up, and why.

use std::path::Path;

use hozo_ordered::Space;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Error,
    LogLevel, Options, SliceTransform,
};

use crate::config::{Compression, Config, LogSync};

/// What names a page within a key of [`Space::Pages`].
pub(super) const PAGE_PREFIX_BYTES: usize = 12;
/// Bits of filter for each prefix or key: about 1% of those that are not there
/// look as if they were.
const FILTER_BITS: f64 = 10.0;
/// Uncompressed bytes in a block of images. Measured with LZ4 on 100,000 pages
/// of text-like rows of 4 KiB: blocks of 4, 8, 16 and 32 KiB took 285, 270, 258
/// and 250 MB of disk, and 7.7, 8.4, 10.5 and 18.9 µs for a read that misses
/// the block cache. Small deltas, which lie side by side, gain more than that.
const IMAGE_BLOCK_BYTES: usize = 16 << 10;
/// Blocks of the small spaces.
const SMALL_BLOCK_BYTES: usize = 4 << 10;
/// A longer manifest is begun anew; a flush or compaction adds some 500 bytes.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Files of RocksDB's own log (not the write-ahead log) that are kept.
const INFO_LOG_FILES: usize = 2;
const INFO_LOG_BYTES_MAX: usize = 4 << 20;

/// What opening found out.
pub(super) struct Open {
    /// Nothing was ever committed: the database is to be made.
    pub(super) new: bool,
    /// There is no log, because the making of the database was interrupted
    /// before its first one.
    pub(super) before_log: bool,
    /// The log is short enough to be left as it is.
    pub(super) replay: bool,
}

pub(super) fn open(config: &Config, path: &Path, open: &Open) -> Result<DB, Error> {
    match open_families(config, path, open, open.new) {
        Err(error) if lacks_later_ones_only(path, &error) => {
            open_families(config, path, open, true)
        }
        opened => opened,
    }
}

/// Whether the store is as it was made before there were records, or before there
/// was a list of changes: those column families are made then, and the log, judged
/// before, is not about them. Where any other is missing, the store is damaged.
fn lacks_later_ones_only(path: &Path, error: &Error) -> bool {
    if !error.as_ref().contains("Column family not found") {
        return false;
    }
    let Ok(there) = DB::list_cf(&Options::default(), path) else { return false };
    let families = Space::ALL.into_iter();
    let missing = families.filter(|space| !there.iter().any(|name| name == family_name(*space)));
    let mut missing = missing.peekable();
    missing.peek().is_some() && missing.all(|s| matches!(s, Space::Records | Space::Changes))
}

fn open_families(
    config: &Config,
    path: &Path,
    open: &Open,
    make_families: bool,
) -> Result<DB, Error> {
    let cache = Cache::new_lru_cache(config.block_cache_bytes);
    let families = Space::ALL.map(|space| {
        ColumnFamilyDescriptor::new(family_name(space), of_space(config, space, &cache))
    });
    DB::open_cf_descriptors(&of_store(config, open, make_families)?, path, families)
}

/// Every space is a column family, so that each can be laid out for how it is
/// read, and images do not push the rest out of the way.
pub(super) fn family_name(space: Space) -> &'static str {
    match space {
        // RocksDB always has one of this name.
        Space::System => rocksdb::DEFAULT_COLUMN_FAMILY_NAME,
        space => space.name(),
    }
}

fn of_store(config: &Config, open: &Open, make_families: bool) -> Result<Options, Error> {
    // What the crate has no setters for.
    //
    // `track_and_verify_wals`: each log says which one it follows and how long
    // that was, so that a missing or shortened one is noticed. A database that
    // has no log at all is refused then, even before its first.
    // `avoid_flush_during_recovery`: see `REPLAY_BYTES_MAX`.
    let settings = format!(
        "track_and_verify_wals={};avoid_flush_during_recovery={}",
        !open.before_log, open.replay
    );
    let mut options = Options::default().get_options_from_string(settings)?;
    options.create_if_missing(open.new);
    options.create_missing_column_families(make_families);
    // The log was judged and cut before (see `wal`): whatever RocksDB finds
    // amiss in it now is damage.
    options.set_wal_recovery_mode(DBRecoveryMode::AbsoluteConsistency);
    options.set_paranoid_checks(true);
    options.set_use_fsync(config.sync == LogSync::Fsync);
    // The log is one for all column families, a batch is one record in it, and
    // nothing is ever written without it. So recovery finds each batch in all
    // families or in none, and `atomic_flush` is not needed.
    //
    // Each flush switches to a new log. RocksDB could reuse old log files
    // (`recycle_log_file_num`), which makes fdatasync as cheap as the zeros
    // that `Ahead` writes do (116 µs against 160 µs in one run), but only from
    // the second log of an opening on, that is after some 100,000 small
    // commits, and not with a recovery that accepts no flaw.
    options.set_manual_wal_flush(false);
    options.set_db_write_buffer_size(config.write_buffer_bytes);
    options.set_max_total_wal_size(config.write_buffer_bytes as u64);
    // One thread flushes, one compacts.
    options.set_max_background_jobs(2);
    options.set_max_open_files(i32::try_from(config.max_open_files).unwrap_or(i32::MAX));
    // Each column family would start 15 threads to open its few tables.
    options.set_max_file_opening_threads(1);
    // Opening does not read every table, and starts no thread for statistics.
    options.set_skip_stats_update_on_db_open(true);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    // Tables are written back bit by bit, not all at once when they are
    // finished, so a commit's fdatasync does not wait behind a large one.
    options.set_bytes_per_sync(1 << 20);
    // The manifest is read twice when the store opens.
    options.set_max_manifest_file_size(MANIFEST_BYTES_MAX);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    Ok(options)
}

fn of_space(config: &Config, space: Space, cache: &Cache) -> Options {
    let images = matches!(space, Space::Pages | Space::Staged);
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(if images { IMAGE_BLOCK_BYTES } else { SMALL_BLOCK_BYTES });
    table.set_format_version(6);
    // Indexes and filters count towards the cache, so its size is the limit;
    // those of the newest tables stay in it.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    match space {
        Space::Pages => {
            // A filter of pages, not of keys, which are never asked for as
            // such: tables and write buffers without the page are passed over.
            options.set_prefix_extractor(SliceTransform::create_fixed_prefix(PAGE_PREFIX_BYTES));
            options.set_memtable_prefix_bloom_ratio(0.02);
            table.set_bloom_filter(FILTER_BITS, false);
            table.set_whole_key_filtering(false);
        }
        // Read by whole keys; for commit ids nearly always in vain.
        Space::Commits | Space::Staged | Space::Meta | Space::Records => {
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(0.02);
            table.set_bloom_filter(FILTER_BITS, false);
        }
        // Read by range.
        Space::Log | Space::Times | Space::System | Space::Changes => {}
    }
    options.set_block_based_table_factory(&table);
    let (fast, last) = match config.compression {
        Compression::None => (DBCompressionType::None, DBCompressionType::None),
        Compression::Lz4 => (DBCompressionType::Lz4, DBCompressionType::Lz4),
        Compression::Zstd => (DBCompressionType::Lz4, DBCompressionType::Zstd),
    };
    options.set_compression_type(fast);
    options.set_bottommost_compression_type(last);
    options.set_level_compaction_dynamic_level_bytes(true);
    // A buffer is flushed before all together reach the store's limit, so that
    // one can be written out while the next one fills.
    options.set_write_buffer_size(config.write_buffer_bytes / 2);
    options.set_max_write_buffer_number(3);
    options.set_target_file_size_base(if images { 32 << 20 } else { 8 << 20 });
    options
}
