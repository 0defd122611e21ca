//! Why the sensor does not start, or ends.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Fallback;
use crate::claim::Holder;
use crate::sink::{Errno, SinkError, Target};
use crate::source::{ebpf, netlink};

/// Why the sensor does not start, or ends.
#[derive(Debug)]
pub enum SensorError {
    /// The eBPF provider does not run, and no other is to.
    Ebpf(ebpf::StartError),
    /// The process connector does not run any more.
    Netlink(netlink::StartError),
    /// It does not run, nor does eBPF, for this reason.
    NoProvider(Fallback, netlink::StartError),
    /// There is no way out for events.
    Sink(SinkError),
    /// No syslog daemon has the socket at the start. One that leaves later is waited for.
    NoReceiver(Target, Errno),
    /// Another sensor has this directory.
    Claimed(Holder, PathBuf),
    /// A file of /proc could not be read.
    Proc(&'static str, io::Error),
    /// A system call that should not fail did: what it was for.
    Os(&'static str, io::Error),
    /// The reader of standard output is gone.
    ReaderGone,
    /// Messages that were not delivered before the end, and where to and why, if it is known.
    Undelivered(u64, Option<(Target, Option<Errno>)>),
}

impl SensorError {
    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            SensorError::Ebpf(error) | SensorError::NoProvider(Fallback::Failed(error), _) => {
                error.errno()
            }
            SensorError::Netlink(error)
            | SensorError::NoProvider(Fallback::Disabled | Fallback::Paused, error) => {
                error.errno()
            }
            // Both have their reasons, and the first is no error number.
            SensorError::NoProvider(Fallback::Unsupported(_), _) => None,
            SensorError::Sink(SinkError::Output(error)) | SensorError::NoReceiver(_, error) => {
                Some(error.raw_os_error())
            }
            SensorError::Claimed(..)
            // Whatever the number is: it is about what was sent, not about this host.
            | SensorError::Sink(SinkError::Discarded)
            | SensorError::ReaderGone
            | SensorError::Undelivered(..) => None,
            SensorError::Proc(_, error) | SensorError::Os(_, error) => error.raw_os_error(),
        }
    }
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SensorError::Ebpf(error) | SensorError::NoProvider(Fallback::Failed(error), _) => {
                error.fmt(f)
            }
            SensorError::NoProvider(Fallback::Unsupported(refusal), _) => refusal.fmt(f),
            SensorError::Netlink(error)
            | SensorError::NoProvider(Fallback::Disabled | Fallback::Paused, error) => error.fmt(f),
            SensorError::Sink(error) => error.fmt(f),
            SensorError::NoReceiver(_, error) => {
                write!(f, "the syslog daemon could not be reached: {error}")
            }
            SensorError::Claimed(holder, dir) => {
                write!(f, "{holder} runs, and has the directory {}", dir.display())
            }
            SensorError::Proc(path, error) => write!(f, "{path} could not be read: {error}"),
            SensorError::Os(what, error) => write!(f, "could not {what}: {error}"),
            SensorError::ReaderGone => f.write_str("the reader of standard output is gone"),
            SensorError::Undelivered(messages, why) => {
                write!(f, "{messages} messages were not delivered before the end")?;
                match why {
                    Some((_, Some(why))) => write!(f, " ({why})"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for SensorError {}
