//! The suites that say when a backend of Hozo is right
