#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mote::fuzzed::host::check(data);
});
