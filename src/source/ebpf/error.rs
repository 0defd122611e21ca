//! Why the provider does not run.

use std::fmt;
use std::io;

use super::formats::FormatError;
use super::load_error::{Failure, LoadError};
use crate::limits;

/// Why the provider does not run.
#[derive(Debug)]
pub enum StartError {
    /// Process ids in /proc are not those that programs see.
    PidNamespace,
    /// tracefs is not there and could not be mounted.
    Tracefs(io::Error),
    /// A tracepoint that everything depends on is not as expected.
    Format(FormatError),
    /// The kernel did not take the object.
    Load(LoadError),
    /// A ring could not be opened: CPU and reason.
    Ring(u32, io::Error),
    /// A tracepoint that everything depends on could not be attached.
    Attach(&'static str, io::Error),
    /// The CPUs of this machine could not be found.
    CpuList(io::Error),
    /// More CPUs than [`limits::CPUS`].
    Cpus(usize),
    /// The settings could not be written.
    Settings(io::Error),
    /// The maps could not be shared with the programs.
    Maps(io::Error),
}

impl StartError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            StartError::Load(LoadError { failure: Failure::Call(code), .. }) => Some(*code),
            StartError::PidNamespace
            | StartError::Load(_)
            | StartError::Format(FormatError::Absent(_) | FormatError::Layout(..))
            | StartError::Cpus(_) => None,
            StartError::Tracefs(error)
            | StartError::Format(FormatError::Read(_, error))
            | StartError::CpuList(error)
            | StartError::Ring(_, error)
            | StartError::Attach(_, error)
            | StartError::Settings(error)
            | StartError::Maps(error) => error.raw_os_error(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::PidNamespace => {
                f.write_str("this is a container with process ids of its own")
            }
            StartError::Tracefs(error) => {
                write!(f, "tracefs is not mounted and could not be mounted: {error}")
            }
            StartError::Format(error) => error.fmt(f),
            StartError::Load(error) => error.fmt(f),
            StartError::CpuList(error) => {
                write!(f, "the list of CPUs in /sys/devices/system/cpu could not be read: {error}")
            }
            StartError::Ring(cpu, error) => {
                write!(f, "the perf ring of CPU {cpu} could not be opened: {error}")
            }
            StartError::Attach(event, error) => {
                write!(f, "tracepoint {event} could not be attached: {error}")
            }
            StartError::Cpus(cpus) => {
                let most = limits::CPUS;
                write!(f, "this host may have {cpus} CPUs, and at most {most} can be watched")
            }
            StartError::Settings(error) => {
                write!(f, "the BPF settings could not be written: {error}")
            }
            StartError::Maps(error) => {
                write!(f, "the BPF maps of counters and exclusions could not be used: {error}")
            }
        }
    }
}

impl std::error::Error for StartError {}
