#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| hooksensor_fuzz::loss(octets));
