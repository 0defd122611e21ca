//! The kernel's memory, as the program `probe_memory` reads it for us at a call that we make.

#![allow(unsafe_code)]

use super::abi::record::*;
use super::measure::is_kernel;
use super::object::Object;

pub(super) const PEEK_BYTES: usize = (MOTE_PEEK_CHUNKS * MOTE_PEEK_CHUNK_BYTES) as usize;

/// Bytes of the kernel's memory; those that cannot be read are 0.
pub(super) trait Memory {
    fn read(&mut self, address: u64) -> Option<[u8; PEEK_BYTES]>;

    /// The pointers at an address.
    fn pointers<const N: usize>(&mut self, address: u64) -> Option<[u64; N]> {
        let bytes = self.read(address)?;
        let mut pointers = [0; N];
        for (n, pointer) in pointers.iter_mut().enumerate() {
            *pointer = word(&bytes, n * 8).filter(|value| is_kernel(*value))?;
        }
        Some(pointers)
    }

    /// More than can be read at once: at least `count` bytes.
    fn bytes(&mut self, address: u64, count: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(count + PEEK_BYTES);
        while bytes.len() < count {
            bytes.extend(self.read(address + bytes.len() as u64)?);
        }
        Some(bytes)
    }
}

/// This kernel's. `probe_memory` has to be attached to fchmod(2), and `probe_pid` to be ours.
pub(super) struct Kernel<'a>(&'a Object);

impl Kernel<'_> {
    pub(super) fn new(object: &Object) -> Kernel<'_> {
        Kernel(object)
    }

    fn ask(&self, address: u64) -> Option<mote_peek> {
        // SAFETY: takes integers; there is no such descriptor.
        self.ask_in(address, || unsafe {
            libc::syscall(libc::SYS_fchmod, -1, 0);
        })
    }

    fn ask_in(&self, address: u64, call: impl FnOnce()) -> Option<mote_peek> {
        self.0.set_peek(&mote_peek { address, ..mote_peek::default() }).ok()?;
        call();
        self.0.peek().ok().filter(|peek| peek.done != 0)
    }

    /// The same in a call of another kind, to which `probe_memory` has to be attached too.
    pub(super) fn read_in(&self, address: u64, call: impl FnOnce()) -> Option<[u8; PEEK_BYTES]> {
        Some(self.ask_in(address, call)?.bytes)
    }

    /// Where our own task_struct is.
    pub(super) fn task(&self) -> Option<u64> {
        Some(self.ask(0)?.task)
    }
}

impl Memory for Kernel<'_> {
    fn read(&mut self, address: u64) -> Option<[u8; PEEK_BYTES]> {
        Some(self.ask(address)?.bytes)
    }
}

pub(super) fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

#[cfg(test)]
#[path = "peek_made.rs"]
pub(super) mod made;
