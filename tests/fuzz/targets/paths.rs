//! Looks for bytes that break the claims of `paths.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perennial_fuzz::paths::check(bytes));
