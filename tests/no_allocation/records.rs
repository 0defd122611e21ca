//! Records as the programs write them, and where the lines of their events go.

use mote::event::{Class, IfLost};
use mote::filter::Filter;
use mote::sensor::pipeline::{Output, Pipeline};
use mote::source::ebpf::abi::record::*;
use std::mem::offset_of;

/// After any look into /proc, which else would be of more weight than an event.
pub const LATER_NS: u64 = 1 << 62;

/// `AT_FDCWD`.
const WORKING_DIRECTORY: i32 = -100;

#[derive(Default)]
pub struct Lines {
    pub lines: u64,
    pub events: u64,
}

impl Output for Lines {
    fn offer(&mut self, _: Class, events: u32, _: &IfLost, _: &[u8]) {
        self.lines += 1;
        self.events += u64::from(events);
    }
}

pub fn pipeline() -> Pipeline {
    Pipeline::new(crate::common::context(), Filter::new()).unwrap()
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

pub fn record(kind: u32, syscall: i64, pid: u32) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<mote_exec>()];
    put(&mut bytes, offset_of!(mote_header, kind), &(kind as u16).to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, syscall), &(syscall as i32).to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, pid), &pid.to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, tid), &pid.to_ne_bytes());
    put(&mut bytes, offset_of!(mote_header, comm), b"sh");
    at(0, bytes)
}

/// Stamps a record so much later than others.
pub fn at(offset_ns: u64, mut record: Vec<u8>) -> Vec<u8> {
    let time_ns = LATER_NS + offset_ns;
    put(&mut record, offset_of!(mote_header, time_ns), &time_ns.to_ne_bytes());
    record
}

pub fn fork(child: u32) -> Vec<u8> {
    let mut fork = record(MOTE_KIND_FORK, -1, std::process::id());
    put(&mut fork, offset_of!(mote_fork, child_pid), &child.to_ne_bytes());
    fork
}

pub fn exec(pid: u32, path: &str) -> Vec<u8> {
    let mut exec = record(MOTE_KIND_EXEC, libc::SYS_execve, pid);
    let path = format!("{path}\0");
    put(&mut exec, offset_of!(mote_exec, args_bytes), &5u16.to_ne_bytes());
    put(&mut exec, offset_of!(mote_exec, path_bytes), &(path.len() as u16).to_ne_bytes());
    put(&mut exec, offset_of!(mote_exec, data), format!("tool\0{path}").as_bytes());
    exec
}

/// By a name relative to the working directory, from one relative to a descriptor.
pub fn rename(pid: u32) -> Vec<u8> {
    pair(pid, "old", "new")
}

/// A rename.
pub fn pair(pid: u32, from: &str, path: &str) -> Vec<u8> {
    let mut pair = record(MOTE_KIND_PAIR, libc::SYS_renameat2, pid);
    let (from, path) = (format!("{from}\0"), format!("{path}\0"));
    put(&mut pair, offset_of!(mote_call, dirfd), &WORKING_DIRECTORY.to_ne_bytes());
    put(&mut pair, offset_of!(mote_call, from_dirfd), &3i32.to_ne_bytes());
    put(&mut pair, offset_of!(mote_call, from_bytes), &(from.len() as u16).to_ne_bytes());
    put(&mut pair, offset_of!(mote_call, path_bytes), &(path.len() as u16).to_ne_bytes());
    put(&mut pair, offset_of!(mote_call, data), (from + &path).as_bytes());
    pair
}

/// A call on one name; without one, on descriptor 3.
pub fn call(syscall: i64, pid: u32, name: &str) -> Vec<u8> {
    let mut call = record(MOTE_KIND_NAME, syscall, pid);
    let dirfd = if name.is_empty() { 3 } else { WORKING_DIRECTORY };
    let name = format!("{name}\0");
    put(&mut call, offset_of!(mote_call, dirfd), &dirfd.to_ne_bytes());
    put(&mut call, offset_of!(mote_call, path_bytes), &(name.len() as u16).to_ne_bytes());
    put(&mut call, offset_of!(mote_call, data), name.as_bytes());
    call
}

/// An open of an absolute name, to be written.
pub fn open_to_write(pid: u32, name: &str) -> Vec<u8> {
    let mut open = call(libc::SYS_openat, pid, name);
    put(&mut open, offset_of!(mote_call, call_flags), &libc::O_WRONLY.to_ne_bytes());
    open
}

/// A connect to a `struct sockaddr`.
pub fn connect(pid: u32, address: &[u8]) -> Vec<u8> {
    const SOCKET_BYTES: usize = size_of::<mote_socket>();
    let mut connect = record(MOTE_KIND_SOCKET, libc::SYS_connect, pid);
    put(&mut connect, offset_of!(mote_call, from_bytes), &(SOCKET_BYTES as u16).to_ne_bytes());
    put(&mut connect, offset_of!(mote_call, dirfd), &3i32.to_ne_bytes());
    put(&mut connect, offset_of!(mote_call, path_bytes), &(address.len() as u16).to_ne_bytes());
    put(&mut connect, offset_of!(mote_call, data) + SOCKET_BYTES, address);
    connect
}

pub fn exit(pid: u32) -> Vec<u8> {
    record(MOTE_KIND_EXIT, -1, pid)
}
