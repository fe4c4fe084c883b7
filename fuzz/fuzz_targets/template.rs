//! See `kmm_fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::template(data));
