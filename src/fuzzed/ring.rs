//! A perf ring with anything in it, at any place: every record leaves it once, and lies within it.

use crate::source::ebpf::ring::{Entry, RECORD_BYTES, Ring};
use std::cell::RefCell;

const DATA_BYTES: usize = 4096;
/// Of a record: kernels write no shorter ones, and every length is a multiple of it.
const ALIGNMENT: usize = 8;

thread_local! {
    static RING: RefCell<Ring> = RefCell::new(Ring::in_memory(DATA_BYTES));
}

/// See [`fuzzed`](super). The first two bytes: where in the ring it begins, in units of 8.
pub fn check(data: &[u8]) -> bool {
    let Some((start, bytes)) = data.split_first_chunk::<2>() else { return false };
    let start = u64::from(u16::from_ne_bytes(*start)) * ALIGNMENT as u64;
    let waiting = bytes.len().min(DATA_BYTES) / ALIGNMENT * ALIGNMENT;
    RING.with_borrow_mut(|ring| {
        ring.skip_to(start);
        ring.put(&bytes[..waiting]);
        read(ring, &bytes[..waiting])
    })
}

fn read(ring: &mut Ring, bytes: &[u8]) -> bool {
    let waiting = bytes.len();
    assert_eq!(ring.waiting_bytes(), waiting as u64);
    let mut scratch = [0; RECORD_BYTES];
    let (mut left, mut malformed) = (waiting as u64, 0);
    while let Some((entry, size)) = ring.front(&mut scratch) {
        assert!((1..=left).contains(&size), "{size} of {left}");
        match entry {
            Entry::Sample(sample) => {
                let at = waiting - left as usize;
                assert_eq!(sample, &bytes[at + 12..][..sample.len()]);
                assert!(sample.len() + 12 <= size as usize);
            }
            Entry::Lost(_) => assert!(size >= 24),
            Entry::Malformed(bytes) => {
                assert_eq!(bytes, size);
                malformed += 1;
            }
        }
        left -= size;
        ring.advance(size);
        assert_eq!(ring.waiting_bytes(), left);
    }
    assert_eq!(left, 0, "the reader is never stopped");
    let released = ring.released();
    ring.release();
    assert!(ring.released() >= released + waiting as u64, "its space is the kernel's again");
    waiting > 0 && malformed == 0
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::source::ebpf::ring_file::{header, lost_of, sample_of};

    /// `make miri` looks at every access.
    #[test]
    fn memory_is_read_within_its_bounds() {
        let good = [sample_of(b"12345"), lost_of(3), sample_of(&[7; 60])].concat();
        let bad = [sample_of(b"12345"), header(9, 4096), lost_of(3)].concat();
        // At the ring's begin, and at each place from which they wrap.
        for start in (0..1u16).chain(496..512) {
            let at = |records: &[u8]| [&start.to_ne_bytes()[..], records].concat();
            assert!(check(&at(&good)) && !check(&at(&bad)), "{start}");
        }
    }
}
