//! This boot of the host.

use std::fs;
use std::io;

/// Where the kernel tells which boot this is (random(4)).
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The 16 bytes of the boot id, which the kernel prints as a UUID.
pub fn boot_id() -> io::Result<[u8; 16]> {
    parse(&fs::read_to_string(BOOT_ID)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

pub(crate) fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u32> =
        text.trim().chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_boot_id_keeps_the_order_of_its_text() {
        assert_eq!(
            parse("00112233-4455-6677-8899-aabbccddeeff\n"),
            Some([0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255])
        );
        for text in ["", "0011", "00112233-4455-6677-8899-aabbccddeefg", "0".repeat(34).as_str()] {
            assert_eq!(parse(text), None);
        }
    }
}
