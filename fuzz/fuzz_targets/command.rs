//! See `kmm_fuzz::command`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::command(data));
