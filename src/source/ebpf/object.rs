//! The BPF object: open, relocate, verify and load through libbpf; its maps and programs
//! by name.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use super::abi::record::{
    MOTE_UNSENT_SLOTS, mote_compat_call, mote_peek, mote_probe, mote_settings,
};
use super::formats::{self, FormatError};
use super::load_error::{Failure, LoadError};
use super::program_info;
use super::shared::{self, Array};
use super::tracefs::Tracefs;
use super::{compat, hooks, kprobe, libbpf_log, preempt, version_code};

/// Compiled from `bpf/` by `build.rs`, and packed.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mote.o.zlib"));
static MEASURED_OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mote-measured.o.zlib"));
include!(concat!(env!("OUT_DIR"), "/packed.rs"));

/// How programs find the number and the arguments of a system call (`bpf/kernel.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallContext {
    /// At the offsets that tracefs gives, which are the same on most kernels.
    Usual,
    /// At the offsets in the settings, which have to be measured.
    Measured,
}

/// What a kernel needs of the object.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Which of the two objects.
    pub context: CallContext,
    /// Whether execve is seen by kprobes (see `kprobe::EXEC`).
    pub exec_kprobes: bool,
    /// Whether there are 32-bit system calls.
    pub compat: compat::Trial,
    /// Whether they may be seen by kprobes (see `compat::KPROBES`).
    pub compat_kprobes: bool,
    /// Whether the programs of system calls run twice (`struct claim` in `bpf/kernel.h`).
    pub calls_run_twice: bool,
    /// Whether user space can map arrays.
    pub maps_arrays: bool,
}

impl Kernel {
    /// What the running kernel needs.
    pub fn from_tracefs(tracefs: &Tracefs) -> Result<Kernel, FormatError> {
        let usual = formats::calls_are_usual(tracefs)?;
        let compat = compat::trial();
        Ok(Kernel {
            context: if usual { CallContext::Usual } else { CallContext::Measured },
            exec_kprobes: !formats::has_execve(tracefs)?,
            compat,
            compat_kprobes: compat != compat::Trial::Absent && tracefs.kprobe_events().exists(),
            calls_run_twice: formats::calls_are_preemptible(tracefs)?,
            maps_arrays: shared::maps_can_be_mapped(),
        })
    }
}

/// A loaded object. Its programs and maps live until it is dropped and nothing that is
/// attached holds them.
#[derive(Debug)]
pub struct Object {
    raw: NonNull<bpf_sys::bpf_object>,
}

impl Object {
    /// Loads every program that this kernel needs. `possible_cpus` sizes the maps by CPU.
    pub fn load(kernel: Kernel, possible_cpus: u32) -> Result<Object, LoadError> {
        let object = Object::open(kernel.context)?;
        object.prepare(kernel, possible_cpus)?;
        object.verify(NO_LOG)?;
        Ok(object)
    }

    /// The same, and what the verifier said of each program. A program that is loaded twice
    /// is there twice.
    pub fn load_with_log(
        kernel: Kernel,
        possible_cpus: u32,
    ) -> Result<(Object, Vec<(String, String)>), LoadError> {
        let object = Object::open(kernel.context)?;
        object.prepare(kernel, possible_cpus)?;
        libbpf_log::keep_verified();
        let result = object.verify(WHOLE_LOG);
        let said = libbpf_log::take_verified();
        result?;
        let programs = object.programs().into_iter().map(|(name, _)| name);
        let names: Vec<String> = programs
            .flat_map(|name| std::iter::repeat_n(name.clone(), object.runs(&name).count()))
            .collect();
        Ok((object, names.into_iter().zip(said).collect()))
    }

    /// Hands every program to the kernel.
    fn verify(&self, log_level: c_int) -> Result<(), LoadError> {
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
    fn open(context: CallContext) -> Result<Object, LoadError> {
        let packed = match context {
            CallContext::Usual => OBJECT,
            CallContext::Measured => MEASURED_OBJECT,
        };
        Object::open_packed(packed)
    }

    fn open_packed(packed: &[u8]) -> Result<Object, LoadError> {
        let elf = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, OBJECT_BYTES)
            .map_err(|_| LoadError {
                step: "open the BPF object",
                failure: Failure::Object("it cannot be unpacked"),
                log: String::new(),
            })?;
        Object::open_elf(&elf)
    }

    fn open_elf(elf: &[u8]) -> Result<Object, LoadError> {
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
        Ok(Object { raw })
    }

    /// What has to be done before the object is loaded: sizes, and what is left out.
    fn prepare(&self, kernel: Kernel, possible_cpus: u32) -> Result<(), LoadError> {
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

    fn map_fd(&self, name: &CStr) -> c_int {
        // SAFETY: a map of this object or null, for which libbpf returns an error.
        unsafe { bpf_sys::bpf_map__fd(self.map(name)) }
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
    fn set_autoload(&self, name: &str, is_loaded: bool) {
        if let Some(program) = self.find_program(name) {
            // SAFETY: a program of this object, not loaded yet.
            unsafe { bpf_sys::bpf_program__set_autoload(program, is_loaded) };
        }
    }

    /// The program of this function name, if it is loaded.
    pub fn program(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.runs(name).next()
    }

    /// The same, as often as it is loaded.
    pub fn runs(&self, name: &str) -> impl Iterator<Item = BorrowedFd<'_>> {
        let program = self.find_program(name).into_iter();
        let fds = program.flat_map(|program| {
            (0..MOST_RUNS).map_while(move |run| {
                // SAFETY: a program of this object; one that was not loaded so often is an error.
                let fd = unsafe { bpf_sys::bpf_program__nth_fd(program, run) };
                (fd >= 0).then_some(fd)
            })
        });
        // SAFETY: libbpf keeps the descriptors open as long as the object lives.
        fds.map(|fd| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Every program: its name and how many instructions it has.
    pub fn programs(&self) -> Vec<(String, usize)> {
        const INSTRUCTION_BYTES: usize = 8;
        let mut programs = Vec::new();
        let mut program = std::ptr::null_mut();
        loop {
            // SAFETY: null starts the walk; each further one came from it.
            program = unsafe { bpf_sys::bpf_program__next(program, self.raw.as_ptr()) };
            if program.is_null() {
                return programs;
            }
            // SAFETY: a program of this object; its name is a C string that it owns.
            let (name, bytes) = unsafe {
                let name = CStr::from_ptr(bpf_sys::bpf_program__name(program));
                (name, bpf_sys::bpf_program__size(program))
            };
            programs
                .push((name.to_string_lossy().into_owned(), bytes as usize / INSTRUCTION_BYTES));
        }
    }

    /// Hands a perf event of `cpu` to a ring map, so that programs on that CPU write to it.
    pub fn set_ring(&self, map: &CStr, cpu: u32, event: BorrowedFd<'_>) -> io::Result<()> {
        let value: u32 = event.as_raw_fd() as u32;
        self.update(map, cpu, &value)
    }

    /// Writes the settings that every program reads.
    pub fn set_settings(&self, settings: &mote_settings) -> io::Result<()> {
        self.update(c"settings", 0, settings)
    }

    /// Says which system call an operation of io_uring is.
    pub fn set_uring_call(&self, opcode: u32, number: u32) -> io::Result<()> {
        self.update(c"uring_calls", opcode, &number)
    }

    /// Says what a 32-bit system call is.
    pub fn set_compat_call(&self, place: u32, call: &mote_compat_call) -> io::Result<()> {
        self.update(c"compat_calls", place, call)
    }

    /// A probe that asks for nothing.
    pub fn empty_probe() -> Box<mote_probe> {
        // SAFETY: a C struct of integers.
        Box::new(unsafe { std::mem::zeroed() })
    }

    /// Says what is to be copied of a task that ends.
    pub fn set_probe(&self, probe: &mote_probe) -> io::Result<()> {
        self.update(c"probe", 0, probe)
    }

    /// Reads what was copied.
    pub fn probe(&self) -> io::Result<Box<mote_probe>> {
        let mut probe = Object::empty_probe();
        self.lookup(c"probe", 0, &mut *probe)?;
        Ok(probe)
    }

    /// Says which of the kernel's memory is to be copied.
    pub fn set_peek(&self, peek: &mote_peek) -> io::Result<()> {
        self.update(c"peek", 0, peek)
    }

    /// Reads what was copied.
    pub fn peek(&self) -> io::Result<mote_peek> {
        let mut peek = mote_peek::default();
        self.lookup(c"peek", 0, &mut peek)?;
        Ok(peek)
    }

    /// An array map of elements of `WORDS` words: one of those that we only read, or write too.
    pub fn array<const WORDS: usize>(
        &self,
        name: &CStr,
        is_writable: bool,
    ) -> io::Result<Array<WORDS>> {
        let map = self.map(name);
        if map.is_null() {
            return Err(io::ErrorKind::NotFound.into());
        }
        // SAFETY: a map of this object.
        let (bytes, elements) =
            unsafe { (bpf_sys::bpf_map__value_size(map), bpf_sys::bpf_map__max_entries(map)) };
        if bytes as usize != Array::<WORDS>::VALUE_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: libbpf keeps the descriptor open as long as the object lives, and the values
        // have the size that was just compared.
        unsafe {
            let map = BorrowedFd::borrow_raw(bpf_sys::bpf_map__fd(map));
            Array::new(map, elements as usize, is_writable)
        }
    }

    /// Events that this program did not see because the kernel skipped it: another program
    /// was running on that CPU. Kernels that do not count that say 0. Of a program that is
    /// loaded twice both runs have to be skipped, so it is at most the lesser number.
    pub fn skipped_runs(&self, program: &str) -> io::Result<u64> {
        let mut fewest = None;
        for run in self.runs(program) {
            let misses = program_info::recursion_misses(run)?;
            fewest = Some(fewest.map_or(misses, |fewest: u64| fewest.min(misses)));
        }
        fewest.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn update<T: ?Sized>(&self, map: &CStr, key: u32, value: &T) -> io::Result<()> {
        // SAFETY: the value is of the size that the map was made with (bpf/kernel.h).
        unsafe { shared::update(self.map_fd(map), key, std::ptr::from_ref(value).cast()) }
    }

    fn lookup<T: ?Sized>(&self, map: &CStr, key: u32, value: &mut T) -> io::Result<()> {
        // SAFETY: `value` has the map's value size, and any bytes are valid in it.
        unsafe { shared::lookup(self.map_fd(map), key, std::ptr::from_mut(value).cast()) }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: opened by `load`, closed once.
        unsafe { bpf_sys::bpf_object__close(self.raw.as_ptr()) }
    }
}

/// Maps that user space uses while programs do.
const SHARED: [&CStr; 5] = [c"losses", c"programs", c"excluded", c"unsent", c"unsent_calls"];

/// Levels of the verifier's log (`BPF_LOG_LEVEL1` and `BPF_LOG_STATS` of linux
/// `include/linux/bpf_verifier.h`; before 5.2 either is all): libbpf asks for it once more
/// if a program is refused.
const NO_LOG: c_int = 0;
const WHOLE_LOG: c_int = 1 | 4;

/// How often a program is loaded, where once is not enough.
const MOST_RUNS: c_int = 2;

/// `error` is what libbpf returned.
fn failed(step: &'static str, error: c_int) -> LoadError {
    let failure = Failure::from_libbpf(error, libbpf_log::program_errno());
    LoadError { step, failure, log: libbpf_log::read() }
}

#[cfg(test)]
#[path = "object_tests.rs"]
mod tests;
