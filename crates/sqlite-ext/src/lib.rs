//! Loadable SQLite extension of Hozo
