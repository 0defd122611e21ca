//! perf_event_open(2): attaching programs to tracepoints, and events that carry rings.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::abi::perf::*;

/// `_IO('$', 0)` and `_IOW('$', 8, __u32)` (linux `include/uapi/linux/perf_event.h`).
const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
const PERF_EVENT_IOC_SET_BPF: libc::Ioctl = 0x4004_2408;

/// What is asked of events.
pub const IOCTLS: [libc::Ioctl; 2] = [PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_SET_BPF];

fn open(attr: &mut perf_event_attr, cpu: i32) -> io::Result<OwnedFd> {
    attr.size = size_of::<perf_event_attr>() as u32;
    const EVERY_PROCESS: libc::pid_t = -1;
    const NO_GROUP: libc::c_int = -1;
    // SAFETY: the kernel reads `attr.size` bytes of `attr`.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_mut(attr),
            EVERY_PROCESS,
            cpu,
            NO_GROUP,
            libc::c_ulong::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the kernel just made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn ioctl(event: BorrowedFd<'_>, request: libc::Ioctl, argument: i32) -> io::Result<()> {
    // SAFETY: both requests take an integer.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Attaches a program to a tracepoint until the returned descriptor is closed.
///
/// One event on one CPU is enough: the program belongs to the tracepoint and runs on every
/// CPU (linux `kernel/trace/trace_event_perf.c`, `perf_trace_run_bpf_submit`).
pub fn attach_tracepoint(id: u64, program: BorrowedFd<'_>, cpu: i32) -> io::Result<OwnedFd> {
    let event = open(&mut tracepoint(id), cpu)?;
    ioctl(event.as_fd(), PERF_EVENT_IOC_SET_BPF, program.as_raw_fd())?;
    ioctl(event.as_fd(), PERF_EVENT_IOC_ENABLE, 0)?;
    Ok(event)
}

/// Keeps a tracepoint in use until the returned descriptor is closed, without doing anything:
/// while it is, the end of a program on it waits for nobody (linux
/// `kernel/trace/trace_event_perf.c`, `perf_trace_event_unreg`).
pub fn hold_tracepoint(id: u64, cpu: i32) -> io::Result<OwnedFd> {
    let mut attr = tracepoint(id);
    attr.set_disabled(1);
    open(&mut attr, cpu)
}

fn tracepoint(id: u64) -> perf_event_attr {
    let mut attr =
        perf_event_attr { type_: PERF_TYPE_TRACEPOINT, config: id, ..Default::default() };
    attr.__bindgen_anon_1.sample_period = 1;
    attr
}

/// Opens the event behind a ring of `cpu` that BPF programs write to. It becomes readable
/// when `watermark_bytes` are in it.
pub fn open_ring(cpu: i32, watermark_bytes: u32) -> io::Result<OwnedFd> {
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_SOFTWARE,
        config: u64::from(PERF_COUNT_SW_BPF_OUTPUT),
        sample_type: u64::from(PERF_SAMPLE_RAW),
        ..Default::default()
    };
    attr.__bindgen_anon_1.sample_period = 1;
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark = watermark_bytes;
    let event = open(&mut attr, cpu)?;
    ioctl(event.as_fd(), PERF_EVENT_IOC_ENABLE, 0)?;
    Ok(event)
}
