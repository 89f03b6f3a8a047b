//! Looks for bytes that break the claims of `lines.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perennial_fuzz::lines::check(bytes));
