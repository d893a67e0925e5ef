//! See `claviger_fuzz::compact`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| claviger_fuzz::compact::run(data));
