#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_fuzz::properties;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        properties::parse_and_apply(text);
    }
});
