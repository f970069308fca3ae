//! Hozo: SQLite databases with time travel over interchangeable stores
