//! Hozo backend over RocksDB
