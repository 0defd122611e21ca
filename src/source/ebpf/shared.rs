//! Array maps that the programs and we share, used where the kernel keeps them.
//!
//! Reading or writing a map by bpf(2) keeps every program off the CPU for that long
//! (`bpf_disable_instrumentation`, linux `include/linux/bpf.h`). A preemptible kernel may
//! take the CPU away from the caller in between: what others then do there is not seen.
//! Kernels before 5.5, which cannot map an array, do it in one go.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// An array of elements of so many words of 64 bits.
#[derive(Debug)]
pub struct Array<const WORDS: usize> {
    elements: usize,
    access: Access<WORDS>,
    is_writable: bool,
}

#[derive(Debug)]
enum Access<const WORDS: usize> {
    Mapped(NonNull<[AtomicU64; WORDS]>),
    Asked(OwnedFd),
}

impl<const WORDS: usize> Array<WORDS> {
    /// The map `map`. It is mapped if it was made to be (`BPF_F_MMAPABLE`).
    ///
    /// # Safety
    ///
    /// It is an array of `elements` values of [`VALUE_BYTES`](Array::VALUE_BYTES): the kernel
    /// copies as many bytes as a value has, whatever room there is.
    pub unsafe fn new(
        map: BorrowedFd<'_>,
        elements: usize,
        is_writable: bool,
    ) -> io::Result<Array<WORDS>> {
        let writing = if is_writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: a new mapping at an address of the kernel's choice; it refuses one that
        // is longer than the array.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                elements * Self::VALUE_BYTES,
                libc::PROT_READ | writing,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        let mapped = (address != libc::MAP_FAILED).then(|| NonNull::new(address.cast())).flatten();
        let access = match mapped {
            Some(address) => Access::Mapped(address),
            None => Access::Asked(map.try_clone_to_owned()?),
        };
        Ok(Array { elements, access, is_writable })
    }

    /// The size of an element.
    pub const VALUE_BYTES: usize = WORDS * size_of::<u64>();

    /// How many elements there are.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Whether it is used without system calls.
    pub fn is_mapped(&self) -> bool {
        matches!(self.access, Access::Mapped(_))
    }

    /// The words of an element as programs and we change them, if that is how.
    pub fn changed(&self, index: usize) -> Option<&[AtomicU64; WORDS]> {
        self.element(index).filter(|_| self.is_writable)
    }

    fn element(&self, index: usize) -> Option<&[AtomicU64; WORDS]> {
        match &self.access {
            Access::Mapped(address) if index < self.elements => {
                // SAFETY: within the mapping, which lives as long as this. Programs store
                // whole words, or add to them atomically.
                Some(unsafe { address.add(index).as_ref() })
            }
            _ => None,
        }
    }

    /// What an element holds. Each word is whole; they need not be of the same moment.
    pub fn read(&self, index: usize) -> io::Result<[u64; WORDS]> {
        let map = match (&self.access, self.element(index)) {
            (_, Some(element)) => {
                // Relaxed is what read-only memory allows.
                let words = element.each_ref().map(|word| word.load(Ordering::Relaxed));
                fence(Ordering::Acquire);
                return Ok(words);
            }
            (Access::Asked(map), None) => map,
            (Access::Mapped(_), None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let mut words = [0; WORDS];
        // SAFETY: `words` has the size of a value (see `new`).
        unsafe { lookup(map.as_raw_fd(), index as u32, words.as_mut_ptr().cast()) }?;
        Ok(words)
    }

    /// Changes an element. What programs do to it at the same time may be undone.
    pub fn write(&self, index: usize, words: [u64; WORDS]) -> io::Result<()> {
        let map = match (&self.access, self.changed(index)) {
            (_, Some(element)) => {
                for (at, word) in element.iter().zip(words) {
                    at.store(word, Ordering::Release);
                }
                return Ok(());
            }
            (Access::Asked(map), None) => map,
            (Access::Mapped(_), None) => return Err(io::ErrorKind::PermissionDenied.into()),
        };
        // SAFETY: `words` has the size of a value (see `new`).
        unsafe { update(map.as_raw_fd(), index as u32, words.as_ptr().cast()) }
    }
}

impl<const WORDS: usize> Drop for Array<WORDS> {
    fn drop(&mut self) {
        if let Access::Mapped(address) = self.access {
            // SAFETY: mapped by `new` with this size; nothing borrows from it any more.
            unsafe { libc::munmap(address.as_ptr().cast(), self.elements * Self::VALUE_BYTES) };
        }
    }
}

/// Reads an element by bpf(2).
///
/// # Safety
///
/// `value` has the size of the map's values, and may hold any bytes.
pub unsafe fn lookup(map: RawFd, key: u32, value: *mut c_void) -> io::Result<()> {
    // SAFETY: as the caller says; the kernel reads the key.
    let error = unsafe { bpf_sys::bpf_map_lookup_elem(map, (&raw const key).cast(), value) };
    if error != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes an element by bpf(2).
///
/// # Safety
///
/// `value` has the size of the map's values.
pub unsafe fn update(map: RawFd, key: u32, value: *const c_void) -> io::Result<()> {
    // SAFETY: as the caller says; the kernel reads the key and the value.
    let error = unsafe { bpf_sys::bpf_map_update_elem(map, (&raw const key).cast(), value, 0) };
    if error != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Since 5.5 (commit fc9702273e2e): an array that user space can map.
pub const BPF_F_MMAPABLE: u32 = 1 << 10;

/// Whether this kernel has such arrays.
pub fn maps_can_be_mapped() -> bool {
    smallest_array(BPF_F_MMAPABLE).is_ok()
}

/// An array of a single element: to ask whether the kernel makes one.
pub fn smallest_array(flags: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers.
    let fd = unsafe {
        bpf_sys::bpf_create_map(bpf_sys::bpf_map_type_BPF_MAP_TYPE_ARRAY, 4, 8, 1, flags)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened, and that nothing else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
