//! The BPF object as libbpf has it, until the kernel has it: open, relocate, verify and load.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use super::abi::record::MOTE_UNSENT_SLOTS;
use super::load_error::{Failure, LoadError};
use super::object::{CallContext, Kernel};
use super::{compat, hooks, kprobe, libbpf_log, preempt, shared, version_code};

/// Compiled from `bpf/` by `build.rs`, and packed.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mote.o.zlib"));
static MEASURED_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mote-measured.o.zlib"));
include!(concat!(env!("OUT_DIR"), "/packed.rs"));

/// An open object. What the kernel made of it ends with it, but for descriptors that were copied.
#[derive(Debug)]
pub(super) struct LibbpfObject {
    raw: NonNull<bpf_sys::bpf_object>,
}

/// A map of it.
pub(super) struct LibbpfMap<'o> {
    pub(super) name: &'o CStr,
    pub(super) value_bytes: u32,
    pub(super) elements: u32,
    raw: *const bpf_sys::bpf_map,
}

/// A program of it.
pub(super) struct LibbpfProgram<'o> {
    pub(super) name: &'o CStr,
    raw: *mut bpf_sys::bpf_program,
}

impl LibbpfObject {
    /// Hands every program to the kernel.
    pub(super) fn verify(&self, log_level: c_int) -> Result<(), LoadError> {
        let mut load = bpf_sys::bpf_object_load_attr {
            obj: self.raw.as_ptr(),
            log_level,
            target_btf_path: std::ptr::null(),
        };
        // SAFETY: an open object that is not loaded yet; libbpf only reads the attributes.
        match unsafe { bpf_sys::bpf_object__load_xattr(&mut load) } {
            0 => Ok(()),
            error => Err(failed("load the BPF object", error)),
        }
    }

    /// Parses the object; nothing is asked of the kernel.
    pub(super) fn open(context: CallContext) -> Result<LibbpfObject, LoadError> {
        let packed = match context {
            CallContext::Usual => OBJECT,
            CallContext::Measured => MEASURED_OBJECT,
        };
        LibbpfObject::open_packed(packed)
    }

    fn open_packed(packed: &[u8]) -> Result<LibbpfObject, LoadError> {
        let elf = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, OBJECT_BYTES)
            .map_err(|_| LoadError {
                step: "open the BPF object",
                failure: Failure::Object("it cannot be unpacked"),
                log: String::new(),
            })?;
        LibbpfObject::open_elf(&elf)
    }

    fn open_elf(elf: &[u8]) -> Result<LibbpfObject, LoadError> {
        libbpf_log::start();
        let name = c"mote";
        let options = bpf_sys::bpf_object_open_opts {
            sz: size_of::<bpf_sys::bpf_object_open_opts>() as bpf_sys::size_t,
            object_name: name.as_ptr(),
            // SAFETY: a C struct of integers and pointers, for which zero means "default".
            ..unsafe { std::mem::zeroed() }
        };
        // SAFETY: the buffer and the options outlive the call; libbpf copies the object.
        let raw =
            unsafe { bpf_sys::bpf_object__open_mem(elf.as_ptr().cast(), elf.len() as _, &options) };
        // SAFETY: takes any value that libbpf returned.
        let error = unsafe { bpf_sys::libbpf_get_error(raw.cast()) };
        let Some(raw) = NonNull::new(raw).filter(|_| error == 0) else {
            return Err(failed("open the BPF object", error as c_int));
        };
        Ok(LibbpfObject { raw })
    }

    /// What has to be done before the object is loaded: sizes, and what is left out.
    pub(super) fn prepare(&self, kernel: Kernel, possible_cpus: u32) -> Result<(), LoadError> {
        for kprobe in kprobe::EXEC {
            self.set_autoload(kprobe.program, kernel.exec_kprobes);
        }
        self.set_autoload(compat::PROGRAM, kernel.compat_kprobes);
        let runs = if kernel.calls_run_twice { MOST_RUNS } else { 1 };
        preempt::find(kernel.calls_run_twice);
        for hook in hooks::SYSCALLS.into_iter().flat_map(|(enter, leave)| [enter, leave]) {
            let Some(program) = self.find_program(hook.program) else { continue };
            // SAFETY: a program of this object, not loaded yet. A second call for the same one is
            // an error, which changes nothing.
            unsafe { bpf_sys::bpf_program__set_prep(program, runs, Some(preempt::complete)) };
        }
        if let Ok(Some(code)) = version_code::read() {
            // SAFETY: an open object that is not loaded yet.
            unsafe { bpf_sys::bpf_object__set_kversion(self.raw.as_ptr(), code) };
        }
        let sizes = [
            (c"priority", possible_cpus),
            (c"bulk", possible_cpus),
            (c"losses", possible_cpus),
            (c"unsent", MOTE_UNSENT_SLOTS + possible_cpus),
        ];
        for (name, elements) in sizes {
            let map = self.map(name);
            if map.is_null() {
                return Err(failed("find the maps by CPU", libc::ENOENT));
            }
            // SAFETY: a map of this object, not loaded yet.
            let error = unsafe { bpf_sys::bpf_map__set_max_entries(map, elements) };
            if error != 0 {
                return Err(failed("size the maps by CPU", error));
            }
        }
        for name in SHARED.into_iter().filter(|_| kernel.maps_arrays) {
            let map = self.map(name);
            if map.is_null() {
                return Err(failed("find the maps that are shared", libc::ENOENT));
            }
            // SAFETY: a map of this object, not loaded yet.
            unsafe { bpf_sys::bpf_map__set_map_flags(map, shared::BPF_F_MMAPABLE) };
        }
        Ok(())
    }

    fn map(&self, name: &CStr) -> *mut bpf_sys::bpf_map {
        // SAFETY: the object is open, the name ends with NUL. Null if there is none.
        unsafe { bpf_sys::bpf_object__find_map_by_name(self.raw.as_ptr(), name.as_ptr()) }
    }

    /// `None`: not on this architecture.
    fn find_program(&self, name: &str) -> Option<*mut bpf_sys::bpf_program> {
        let name = CString::new(name).ok()?;
        // SAFETY: the object is open, the name ends with NUL. Null if there is none.
        let program =
            unsafe { bpf_sys::bpf_object__find_program_by_name(self.raw.as_ptr(), name.as_ptr()) };
        (!program.is_null()).then_some(program)
    }

    /// Whether a program is loaded with the others.
    pub(super) fn set_autoload(&self, name: &str, is_loaded: bool) {
        if let Some(program) = self.find_program(name) {
            // SAFETY: a program of this object, not loaded yet.
            unsafe { bpf_sys::bpf_program__set_autoload(program, is_loaded) };
        }
    }

    /// Every map.
    pub(super) fn maps(&self) -> Vec<LibbpfMap<'_>> {
        let mut maps = Vec::new();
        let mut raw: *const bpf_sys::bpf_map = std::ptr::null();
        loop {
            // SAFETY: null starts the walk; each further one came from it.
            raw = unsafe { bpf_sys::bpf_map__next(raw, self.raw.as_ptr()) };
            if raw.is_null() {
                return maps;
            }
            // SAFETY: a map of this object; its name is a C string that it owns.
            let (name, value_bytes, elements) = unsafe {
                (
                    CStr::from_ptr(bpf_sys::bpf_map__name(raw)),
                    bpf_sys::bpf_map__value_size(raw),
                    bpf_sys::bpf_map__max_entries(raw),
                )
            };
            maps.push(LibbpfMap { name, value_bytes, elements, raw });
        }
    }

    /// Every program.
    pub(super) fn programs(&self) -> Vec<LibbpfProgram<'_>> {
        let mut programs = Vec::new();
        let mut raw = std::ptr::null_mut();
        loop {
            // SAFETY: null starts the walk; each further one came from it.
            raw = unsafe { bpf_sys::bpf_program__next(raw, self.raw.as_ptr()) };
            if raw.is_null() {
                return programs;
            }
            // SAFETY: a program of this object; its name is a C string that it owns.
            let name = unsafe { CStr::from_ptr(bpf_sys::bpf_program__name(raw)) };
            programs.push(LibbpfProgram { name, raw });
        }
    }
}

impl LibbpfMap<'_> {
    /// Of the kernel's. `None`: it is not loaded.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: a map of an object that is open as long as this is here, and its descriptor too.
        unsafe {
            let fd = bpf_sys::bpf_map__fd(self.raw);
            (fd >= 0).then(|| BorrowedFd::borrow_raw(fd))
        }
    }
}

impl LibbpfProgram<'_> {
    /// The kernel's, as often as it is loaded.
    pub(super) fn runs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        (0..MOST_RUNS).map_while(|run| {
            // SAFETY: a program of an object that is open as long as this is here, and its
            // descriptors too; one that was not loaded so often is an error.
            unsafe {
                let fd = bpf_sys::bpf_program__nth_fd(self.raw, run);
                (fd >= 0).then(|| BorrowedFd::borrow_raw(fd))
            }
        })
    }
}

impl Drop for LibbpfObject {
    fn drop(&mut self) {
        // SAFETY: opened by `open_elf`, closed once.
        unsafe { bpf_sys::bpf_object__close(self.raw.as_ptr()) }
    }
}

/// Maps that user space uses while programs do.
const SHARED: [&CStr; 5] = [c"losses", c"programs", c"excluded", c"unsent", c"unsent_calls"];

/// Levels of the verifier's log (`BPF_LOG_LEVEL1` and `BPF_LOG_STATS` of linux
/// `include/linux/bpf_verifier.h`; before 5.2 either is all): libbpf asks for it once more
/// if a program is refused.
pub(super) const NO_LOG: c_int = 0;
pub(super) const WHOLE_LOG: c_int = 1 | 4;

/// How often a program is loaded, where once is not enough.
const MOST_RUNS: c_int = 2;

/// `error` is what libbpf returned.
fn failed(step: &'static str, error: c_int) -> LoadError {
    let failure = Failure::from_libbpf(error, libbpf_log::program_errno());
    LoadError { step, failure, log: libbpf_log::read() }
}

#[cfg(test)]
#[path = "libbpf_object_tests.rs"]
mod tests;
