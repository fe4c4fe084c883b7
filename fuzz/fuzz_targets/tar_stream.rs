//! See `kmm_fuzz::tar_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::tar_stream(data));
