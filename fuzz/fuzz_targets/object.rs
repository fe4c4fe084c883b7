//! See `kmm_fuzz::object`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::object(data));
