//! See `kmm_fuzz::image_manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kmm_fuzz::image_manifest(data));
