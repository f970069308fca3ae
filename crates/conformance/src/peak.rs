//! How much memory one step takes, measured in a process of its own.

use std::env;
use std::fs;
use std::process::Command;

const ALONE: &str = "HOZO_CONFORMANCE_ALONE";

/// Runs `body` in a process that runs the trial `name` and nothing else: here
/// if this is that process, else in one that is started for it.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let binary = env::current_exe().expect("the test binary has a path");
    let output = Command::new(binary)
        .args([name, "--exact", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("the test binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "in its own process: {said}");
}

/// By how many bytes the process grew at most while `step` ran; 0 where the
/// system does not tell.
pub(crate) fn growth<T>(step: impl FnOnce() -> T) -> u64 {
    // Resets the kernel's high-water mark to what is in use now.
    let reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = high_water();
    step();
    if reset { high_water().saturating_sub(before) } else { 0 }
}

fn high_water() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
