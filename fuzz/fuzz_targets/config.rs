#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hozo_tests::fuzz::run("config", bytes));
