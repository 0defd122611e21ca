#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mote::fuzzed::record::check(data);
});
