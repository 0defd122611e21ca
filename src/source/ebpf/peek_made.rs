//! Kernel memory made by hand, for tests of what is found in it.

use super::{Memory, PEEK_BYTES};

/// One object in 4 KiB, from here on.
const START: u64 = 0xffff_8881_0000_0000;
const OBJECT_BYTES: u64 = 4096;

#[derive(Default)]
pub struct Made(Vec<u8>);

impl Memory for Made {
    fn read(&mut self, address: u64) -> Option<[u8; PEEK_BYTES]> {
        let mut bytes = [0; PEEK_BYTES];
        if let Some(from) = address.checked_sub(START)
            && let Some(found) = self.0.get(from as usize..from as usize + PEEK_BYTES)
        {
            bytes.copy_from_slice(found);
        }
        Some(bytes)
    }
}

impl Made {
    /// The address of a new one, all zeros.
    pub fn object(&mut self) -> u64 {
        let address = START + self.0.len() as u64;
        self.0.resize(self.0.len() + OBJECT_BYTES as usize, 0);
        address
    }

    pub fn put(&mut self, address: u64, value: u64) {
        self.put_bytes(address, &value.to_ne_bytes());
    }

    pub fn put_bytes(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - START) as usize;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
