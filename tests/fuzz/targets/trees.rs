//! Looks for bytes that break the claims of `trees.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perennial_fuzz::trees::check(bytes));
