//! Damage to bytes that were good.

use fastrand::Rng;

/// A few changes: bits, cuts, insertions, pieces of another one, and
/// bytes that are the ends of varints, lengths and options.
pub fn damage(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..rng.usize(1..4) {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        let at = rng.usize(..length);
        match rng.u8(..8) {
            0..=2 => bytes[at] ^= 1 << rng.u8(..8),
            3 => bytes[at] = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff, 0xfe][rng.usize(..7)],
            4 => bytes.truncate(at),
            5 => {
                let filler = rng.u8(..);
                let count = rng.usize(1..12);
                bytes.splice(at..at, std::iter::repeat_n(filler, count));
            }
            6 => {
                let start = rng.usize(..other.len());
                let end = rng.usize(start..other.len());
                let until = rng.usize(at..length);
                bytes.splice(at..until, other[start..end].iter().copied());
            }
            _ => {
                let until = rng.usize(at..length);
                bytes.drain(at..until);
            }
        }
    }
}
