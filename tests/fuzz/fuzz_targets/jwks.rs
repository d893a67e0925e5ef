//! See `claviger_fuzz::jwks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| claviger_fuzz::jwks::run(data));
