//! Any bytes through what `mote decode` does to a line, in every format, and twice: as the line
//! itself, and as the batch of a line, so that base64 does not keep the fuzzer out.
//!
//!     cargo +nightly fuzz run decode_line -- -max_len=8192

#![no_main]

use libfuzzer_sys::fuzz_target;
use mote::command::decode::decoder::Decoder;
use mote::format::Format;

fuzz_target!(|data: &[u8]| {
    let mut line = b"m1:".to_vec();
    for group in data.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for sextet in 0..=group.len() {
            let digit = (bits >> (18 - 6 * sextet)) as usize & 63;
            line.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[digit]);
        }
    }
    for (input, (_, format)) in
        [data, &line].into_iter().flat_map(|input| Format::NAMES.map(|format| (input, format)))
    {
        let mut out = Vec::new();
        let mut decoder = Decoder::writing(format);
        decoder.line(input, &mut out, &mut |error| drop(error.to_string())).unwrap();
        let text = std::str::from_utf8(&out).expect("text");
        assert_eq!(text.matches('\n').count() as u64, decoder.counts().events);
    }
});
