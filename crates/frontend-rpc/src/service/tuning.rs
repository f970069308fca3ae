//! The tuning parameters of Tkrzw's databases.

/// What a rebuild may be asked for. Our stores need none of it, so it is taken
/// and changes nothing: clients that tune a database by its type go on working.
const KNOWN: [&str; 47] = [
    // Files.
    "access_options",
    "alloc_inc",
    "alloc_increment",
    "alloc_init",
    "alloc_init_size",
    "block_size",
    "concurrent",
    "file",
    "head_buffer_size",
    "no_create",
    "no_lock",
    "no_wait",
    "sync_hard",
    "truncate",
    // Hash databases.
    "align_pow",
    "cache_buckets",
    "fbp_capacity",
    "lock_mem_buckets",
    "min_read_size",
    "num_buckets",
    "offset_width",
    "record_comp_mode",
    "record_crc_mode",
    "restore_mode",
    "skip_broken_records",
    "update_mode",
    // Tree databases.
    "key_comparator",
    "max_branches",
    "max_cached_pages",
    "max_page_size",
    "page_update_mode",
    // Skip databases.
    "insert_in_order",
    "max_cached_records",
    "max_level",
    "sort_mem_size",
    "step_unit",
    // Caches.
    "cap_mem_size",
    "cap_rec_num",
    // Databases of several.
    "dbm",
    "num_shards",
    "path",
    "read_only",
    // Update logs.
    "ulog_dbm_index",
    "ulog_max_file_size",
    "ulog_prefix",
    "ulog_server_id",
    // Ways to open.
    "open_options",
];

/// Whether a database of some type has a parameter of this name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}
