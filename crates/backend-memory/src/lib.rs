//! Hozo backend that keeps everything in memory
