//! Any bytes through what `mote decode` does to a line, in every format, and three times: as the line
//! itself, as the batch of a line, so that base64 does not keep the fuzzer out, and as one of version 2
//! with the checksum of what it is, so that neither does that.
//!
//!     cargo +nightly fuzz run decode_line -- -max_len=8192

#![no_main]

use libfuzzer_sys::fuzz_target;
use mote::command::decode::decoder::Decoder;
use mote::format::Format;

fuzz_target!(|data: &[u8]| {
    let line = line_of(data);
    let sealed = line_of(&sealed(data));
    for (input, (_, format)) in
        [data, &line, &sealed].into_iter().flat_map(|input| Format::NAMES.map(|format| (input, format)))
    {
        let mut out = Vec::new();
        let mut decoder = Decoder::writing(format);
        decoder.line(input, &mut out, &mut |error| drop(error.to_string())).unwrap();
        let text = std::str::from_utf8(&out).expect("text");
        assert_eq!(text.matches('\n').count() as u64, decoder.counts().events);
    }
});

fn line_of(batch: &[u8]) -> Vec<u8> {
    let mut line = b"m1:".to_vec();
    for group in batch.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for sextet in 0..=group.len() {
            let digit = (bits >> (18 - 6 * sextet)) as usize & 63;
            line.push(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[digit]);
        }
    }
    line
}

/// A batch of version 2 and class 3 with this behind its checksum.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(b"\x02\x03");
    hasher.update(data);
    [b"\x02\x03", &hasher.finalize().to_le_bytes()[..], data].concat()
}
