//! See `kmm_fuzz::certificate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::certificate(data));
