//! See `claviger_fuzz::differential`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| claviger_fuzz::differential::run(data));
