//! See `claviger_fuzz::dpop`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| claviger_fuzz::dpop::run(data));
