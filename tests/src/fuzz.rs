//! Everything that reads bytes of others on the side of the DBM service, each as
//! a function that takes any bytes and may do anything but panic, hang or grow.
//!
//! `fuzz/` hands them to libFuzzer; the tests hand them random and mutated bytes
//! for a short time.

mod records;
mod requests;
mod settings;

/// What is tried, and what it is known by.
pub struct Target {
    /// The name, as in `cargo +nightly fuzz run NAME`.
    pub name: &'static str,
    /// Reads the bytes.
    pub run: fn(&[u8]),
    /// Bytes that make sense, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "messages", run: requests::messages, seeds: requests::message_seeds },
    Target { name: "requests", run: requests::requests, seeds: requests::request_seeds },
    Target { name: "tokens", run: settings::tokens, seeds: settings::token_seeds },
    Target { name: "config", run: settings::config, seeds: settings::config_seeds },
    Target { name: "listen", run: settings::listen, seeds: settings::listen_seeds },
    Target { name: "records", run: records::records, seeds: records::record_seeds },
];

/// Runs the target of that name.
///
/// # Panics
/// If there is none.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(bytes);
}
