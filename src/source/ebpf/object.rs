//! The BPF object in the kernel: its maps and programs by name.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::abi::record::{mote_compat_call, mote_peek, mote_probe, mote_settings};
use super::formats::{self, FormatError};
use super::libbpf_object::{LibbpfObject, NO_LOG, WHOLE_LOG};
use super::load_error::{Failure, LoadError};
use super::program_info;
use super::shared::{self, Array};
use super::tracefs::Tracefs;
use super::{compat, libbpf_log};

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
    maps: Vec<Map>,
    programs: Vec<Program>,
}

#[derive(Debug)]
struct Map {
    name: CString,
    value_bytes: usize,
    elements: usize,
    fd: OwnedFd,
}

#[derive(Debug)]
struct Program {
    name: String,
    /// As often as it is loaded.
    runs: Vec<OwnedFd>,
}

impl Object {
    /// Loads every program that this kernel needs. `possible_cpus` sizes the maps by CPU.
    pub fn load(kernel: Kernel, possible_cpus: u32) -> Result<Object, LoadError> {
        let object = LibbpfObject::open(kernel.context)?;
        object.prepare(kernel, possible_cpus)?;
        object.verify(NO_LOG)?;
        Object::take(object)
    }

    /// The same, and what the verifier said of each program. A program that is loaded twice
    /// is there twice.
    pub fn load_with_log(
        kernel: Kernel,
        possible_cpus: u32,
    ) -> Result<(Object, Vec<(String, String)>), LoadError> {
        let object = LibbpfObject::open(kernel.context)?;
        object.prepare(kernel, possible_cpus)?;
        libbpf_log::keep_verified();
        let result = object.verify(WHOLE_LOG);
        let said = libbpf_log::take_verified();
        result?;
        let object = Object::take(object)?;
        let names = object
            .programs
            .iter()
            .flat_map(|Program { name, runs }| std::iter::repeat_n(name.clone(), runs.len()));
        let said = names.zip(said).collect();
        Ok((object, said))
    }

    /// What the kernel has. libbpf has the instructions of all programs, a megabyte with what it
    /// knows of them, which nobody needs any more.
    fn take(object: LibbpfObject) -> Result<Object, LoadError> {
        let failed = |error: io::Error| LoadError {
            step: "keep the BPF object",
            failure: Failure::Call(error.raw_os_error().unwrap_or(libc::EIO)),
            log: String::new(),
        };
        let mut maps = Vec::new();
        for map in object.maps() {
            let Some(fd) = map.fd() else { continue };
            maps.push(Map {
                name: map.name.to_owned(),
                value_bytes: map.value_bytes as usize,
                elements: map.elements as usize,
                fd: fd.try_clone_to_owned().map_err(failed)?,
            });
        }
        let mut programs = Vec::new();
        for program in object.programs() {
            let runs: io::Result<Vec<OwnedFd>> =
                program.runs().map(|run| run.try_clone_to_owned()).collect();
            let name = program.name.to_string_lossy().into_owned();
            let runs = runs.map_err(failed)?;
            // Not all are loaded.
            if !runs.is_empty() {
                programs.push(Program { name, runs });
            }
        }
        drop(object);
        Ok(Object { maps, programs })
    }

    /// The program of this function name, if it is loaded.
    pub fn program(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.runs(name).next()
    }

    /// The same, as often as it is loaded.
    pub fn runs(&self, name: &str) -> impl Iterator<Item = BorrowedFd<'_>> {
        let program = self.programs.iter().find(|program| program.name == name);
        program.into_iter().flat_map(|program| &program.runs).map(OwnedFd::as_fd)
    }

    /// The names of all that are loaded.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().map(|program| program.name.as_str())
    }

    fn map(&self, name: &CStr) -> io::Result<&Map> {
        let map = self.maps.iter().find(|map| map.name.as_c_str() == name);
        map.ok_or_else(|| io::ErrorKind::NotFound.into())
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
        let map = self.map(name)?;
        if map.value_bytes != Array::<WORDS>::VALUE_BYTES {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the values have the size that was just compared.
        unsafe { Array::new(map.fd.as_fd(), map.elements, is_writable) }
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

    fn update<T>(&self, map: &CStr, key: u32, value: &T) -> io::Result<()> {
        let fd = self.map_of::<T>(map)?;
        // SAFETY: the map's values have the size of `T`.
        unsafe { shared::update(fd.as_raw_fd(), key, std::ptr::from_ref(value).cast()) }
    }

    fn lookup<T>(&self, map: &CStr, key: u32, value: &mut T) -> io::Result<()> {
        let fd = self.map_of::<T>(map)?;
        // SAFETY: the same, and any bytes are valid in it.
        unsafe { shared::lookup(fd.as_raw_fd(), key, std::ptr::from_mut(value).cast()) }
    }

    /// One with values of this type.
    fn map_of<T>(&self, name: &CStr) -> io::Result<BorrowedFd<'_>> {
        let map = self.map(name)?;
        match map.value_bytes == size_of::<T>() {
            true => Ok(map.fd.as_fd()),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
