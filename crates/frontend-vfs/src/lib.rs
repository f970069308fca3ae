//! SQLite VFS over Hozo namespaces
