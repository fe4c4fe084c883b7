//! See `kmm_fuzz::modules_dep`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::modules_dep(data));
