#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mote::fuzzed::configuration::check(data);
});
